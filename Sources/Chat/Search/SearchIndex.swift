// The index of messages: one row for each that has words or tokens, in SQLite's FTS5 or PostgreSQL's tsvector.
//
// A row has terms of two kinds: what the message says, and where it belongs (its conversation, sender, type, whether it
// is sealed). So one intersection of the engine's own lists answers a question with its filters, however common a word
// is elsewhere. Those of the second kind cannot be written by anybody: on SQLite they have a column of their own, on
// PostgreSQL they begin with a sign that is no letter.

import Base
import Store

enum SearchIndex {
    /// Where a message belongs, as terms.
    struct Scope: Sendable {
        let conversation: ConversationID
        let sender: UserID?
        let type: MessageType
        let isSealed: Bool

        init(_ message: Message) {
            conversation = message.conversation
            sender = message.sender
            type = message.type
            isSealed = message.body.isSealed
        }

        var terms: [String] {
            var terms = [SearchIndex.term(conversation), "t\(type.rawValue)", isSealed ? "sealed" : "plain"]
            if let sender { terms.append(SearchIndex.term(sender)) }
            return terms
        }
    }

    static func term(_ conversation: ConversationID) -> String { "c" + conversation.uuid.digits }
    static func term(_ sender: UserID) -> String { "u" + sender.uuid.digits }
    static func term(token: Bytes) -> String { "b" + Hex.encode(token) }

    /// `nil`: there is nothing that it could be found by.
    static func insert(
        _ number: Int64, _ scope: Scope, _ terms: [String], _ engine: DatabaseHealth.Engine
    ) -> Statement? {
        guard !terms.isEmpty else { return nil }
        switch engine {
        case .sqlite:
            return """
                INSERT INTO message_search (rowid, scope, terms) \
                VALUES (\(number), \(scope.terms.joined(separator: " ")), \(terms.joined(separator: " ")))
                """
        case .postgresql:
            let places = terms.enumerated().map { "'\($0.element)':\($0.offset + 1)" }
            let vector = (scope.terms.map { "'#\($0)'" } + places).joined(separator: " ")
            return "INSERT INTO message_search (number, terms) VALUES (\(number), CAST(\(vector) AS TSVECTOR))"
        }
    }

    static func remove(_ number: Int64, _ engine: DatabaseHealth.Engine) -> Statement {
        switch engine {
        case .sqlite: "DELETE FROM message_search WHERE rowid = \(number)"
        case .postgresql: "DELETE FROM message_search WHERE number = \(number)"
        }
    }

    /// The terms of a body.
    static func terms(of body: MessageBody, tokens: [Bytes]) -> [String] {
        switch body {
        case .plain(let text): SearchTerms.read(text).map(\.text)
        case .box, .deviceBox: tokens.map(term(token:))
        case .removed: []
        }
    }
}
