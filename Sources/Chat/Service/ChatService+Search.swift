// Search across what the user may read.

package import Accounts
import Base
import Store

extension ChatService {
    /// Conversations that are named to the index one by one. With more, their messages are filtered after the index.
    private static var namedConversations: Int { 400 }

    /// Messages with the whole word that make its longer words uninteresting. More would cost long lists for common
    /// words, fewer would hide longer words behind a rare short one.
    private static var enoughWholeWords: Int { 100 }

    package func search(_ query: SearchQuery, for principal: Principal) async throws(ChatError) -> SearchResults {
        var request = try SearchRequest(query.terms)
        if let conversation = query.conversation {
            _ = try await reader.access(conversation, principal.user).require(.view)
            request.conversations = [conversation]
        } else {
            let own = try await reader.conversationIDs(
                Self.searchable(principal.user, limit: Self.namedConversations + 1))
            guard !own.isEmpty else { return SearchResults(hits: [], total: 0, isTotalCut: false) }
            request.conversations = own.count > Self.namedConversations ? [] : own
        }
        if let type = query.type { request.scope.append("t\(type.rawValue)") }
        if let sender = query.sender { request.scope.append(SearchIndex.term(sender)) }
        let filter = Self.filter(query, request, principal.user)
        // A beginning of a word costs the lists of all words that it begins. So whole words are looked for first, and
        // beginnings only when those are few, whatever the page: all pages of a question are parts of one answer.
        if request.hasOpenWord {
            let whole = try await results(request.whole, filter, query)
            if whole.total >= Self.enoughWholeWords { return whole }
        }
        return try await results(request, filter, query)
    }

    private func results(
        _ request: SearchRequest, _ filter: Statement?, _ query: SearchQuery
    ) async throws(ChatError) -> SearchResults {
        let match = request.match(database.engine)
        let counted = Int(clamping: try await reader.number(count(match, filter)))
        guard counted > 0 else { return SearchResults(hits: [], total: 0, isTotalCut: false) }
        let found = try await reader.all(candidates(match, filter), MessageTable.stored(from:))
        return SearchResults(
            hits: try await ranked(found, request, query), total: min(counted, options.countedHits),
            isTotalCut: counted > options.countedHits)
    }

    private static func searchable(_ user: UserID, limit: Int) -> Statement {
        """
        SELECT c.id FROM conversation_members m JOIN conversations c ON c.id = m.conversation_id \
        WHERE m.user_id = \(user) AND m.removed_at IS NULL AND c.deleted_at IS NULL LIMIT \(limit)
        """
    }

    /// What the index does not know: times, and more conversations than can be named. `nil`: nothing.
    private static func filter(_ query: SearchQuery, _ request: SearchRequest, _ user: UserID) -> Statement? {
        var parts: [Statement] = []
        if let since = query.since { parts.append("s.created_at >= \(since)") }
        if let until = query.until { parts.append("s.created_at < \(until)") }
        if request.conversations.isEmpty {
            parts.append("s.conversation_id IN (\(part: searchable(user, limit: Int(Int32.max))))")
        }
        guard let first = parts.first else { return nil }
        return parts.dropFirst().reduce(first) { "\(part: $0) AND \(part: $1)" }
    }

    private func matching(_ match: String) -> Statement {
        switch database.engine {
        case .sqlite: "message_search MATCH \(match)"
        case .postgresql: "message_search.terms @@ CAST(\(match) AS TSQUERY)"
        }
    }

    private func joined(_ match: String, _ filter: Statement?) -> Statement {
        let key: Statement = database.engine == .sqlite ? "rowid" : "number"
        let join: Statement = """
            message_search JOIN messages s ON s.number = message_search.\(part: key) WHERE \(part: matching(match))
            """
        guard let filter else { return join }
        return "\(part: join) AND \(part: filter)"
    }

    private func count(_ match: String, _ filter: Statement?) -> Statement {
        let source = filter == nil ? "message_search WHERE \(part: matching(match))" : joined(match, filter)
        return "SELECT COUNT(*) FROM (SELECT 1 FROM \(part: source) LIMIT \(options.countedHits + 1)) found"
    }

    /// The newest: the index is kept in the order of writing, so it is read from its end and no further than needed.
    private func candidates(_ match: String, _ filter: Statement?) -> Statement {
        let order: Statement = database.engine == .sqlite ? "message_search.rowid" : "message_search.number"
        return """
            SELECT \(part: MessageTable.columns) FROM \(part: joined(match, filter)) \
            ORDER BY \(part: order) DESC LIMIT \(options.rankedHits)
            """
    }

    private func ranked(
        _ found: [MessageTable.Stored], _ request: SearchRequest, _ query: SearchQuery
    ) async throws(ChatError) -> [SearchHit] {
        let ranking = SearchRanking(units: request.units)
        let matches = found.enumerated().map { index, stored in
            let recency = 1 - Double(index) / Double(max(1, found.count))
            return (stored: stored, match: ranking.match(stored.message.body, recency: recency))
        }
        let order = matches.sorted {
            ($0.match.score, $0.stored.number) > ($1.match.score, $1.stored.number)
        }
        let page = Array(order.dropFirst(max(0, query.offset)).prefix(max(0, query.limit)))
        let messages = try await reader.complete(page.map(\.stored))
        return zip(messages, page).map { message, found in
            SearchHit(
                message: message, score: found.match.score, matchedTerms: found.match.terms,
                context: found.match.context)
        }
    }
}
