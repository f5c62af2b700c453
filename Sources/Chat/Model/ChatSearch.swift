// What is searched for, and what is found. How is in `Search/`; `docs/chat/search.md` is normative.

package import Base

package struct SearchQuery: Sendable {
    package enum Terms: Sendable {
        /// As somebody types them: all have to be there, the last may be the beginning of a word.
        case words(String)
        /// Of sealed messages: all have to be there.
        case tokens([Bytes])
    }

    package var terms: Terms
    /// `nil`: all that the user is in.
    package var conversation: ConversationID?
    package var type: MessageType?
    package var sender: UserID?
    package var since: Timestamp?
    package var until: Timestamp?
    package var offset: Int
    package var limit: Int

    package init(
        _ terms: Terms, in conversation: ConversationID? = nil, type: MessageType? = nil, sender: UserID? = nil,
        since: Timestamp? = nil, until: Timestamp? = nil, offset: Int = 0, limit: Int
    ) {
        self.terms = terms
        self.conversation = conversation
        self.type = type
        self.sender = sender
        self.since = since
        self.until = until
        self.offset = offset
        self.limit = limit
    }
}

package struct SearchHit: Sendable, Equatable {
    package let message: Message
    /// From 0 to 1; comparable within one answer only.
    package let score: Double
    /// As they stand in the text; for sealed messages none.
    package let matchedTerms: [String]
    /// `nil` for sealed messages.
    package let context: SearchContext?
}

/// The first match with what is around it.
package struct SearchContext: Sendable, Equatable {
    package let before: String
    package let match: String
    package let after: String
}

package struct SearchResults: Sendable {
    package let hits: [SearchHit]
    /// Counted up to `ChatOptions.countedHits`.
    package let total: Int
    /// There are more than `total`.
    package let isTotalCut: Bool
}
