// What was said: one message, a page of a conversation, a thread.
//
// Messages are numbered without a gap, so a page is a range of numbers, found by one walk down the index however far
// back it lies, and all counts are subtractions. Times never go back along the numbers, so a time becomes a number by
// halving.

package import Accounts
import Base
import Store

extension ChatService {
    /// Longer pages cost memory for their JSON, not for the database.
    static var pageLimit: Int { 500 }

    package func message(
        _ id: MessageID, for principal: Principal, wantsStatuses: Bool = false
    ) async throws(ChatError) -> Message {
        let (access, message) = try await reader.visible(id, principal.user)
        guard wantsStatuses else { return message }
        return try await withStatuses([message], in: access.conversation)[0]
    }

    package func history(
        of id: ConversationID, _ query: HistoryQuery, for principal: Principal
    ) async throws(ChatError) -> MessagePage {
        let access = try await reader.access(id, principal.user)
        _ = try access.require(.view)
        let log = access.conversation.log
        // Half open: the numbers that the query covers.
        var range = log.firstSequence..<max(log.firstSequence, log.lastSequence + 1)
        if let since = query.since {
            range = range.clamped(to: try await sequence(at: since, in: id, range)..<Int64.max)
        }
        if let until = query.until {
            let end = try await sequence(at: until, in: id, range)
            range = range.clamped(to: Int64.min..<max(end, range.lowerBound))
        }
        let limit = Int64(min(max(0, query.limit), Self.pageLimit))
        let (page, isForward) = try await Self.page(query.place, range, limit, id, reader)
        var messages: [Message] = []
        if !page.isEmpty {
            messages = try await reader.messages(Self.select(id, page, isForward: isForward))
            if query.wantsStatuses { messages = try await withStatuses(messages, in: access.conversation) }
        }
        let hasMore = isForward ? page.upperBound < range.upperBound : page.lowerBound > range.lowerBound
        return MessagePage(messages: messages, total: Int64(range.count), hasMore: hasMore && !range.isEmpty)
    }

    private static func select(_ id: ConversationID, _ page: Range<Int64>, isForward: Bool) -> Statement {
        let inside: Statement = """
            s.conversation_id = \(id) AND s.sequence >= \(page.lowerBound) AND s.sequence < \(page.upperBound)
            """
        return MessageTable.select("\(part: inside) ORDER BY s.sequence\(raw: isForward ? "" : " DESC")")
    }

    /// The numbers of the page, within the range.
    private static func page(
        _ place: HistoryQuery.Place, _ range: Range<Int64>, _ limit: Int64, _ id: ConversationID, _ reader: ChatReader
    ) async throws(ChatError) -> (page: Range<Int64>, isForward: Bool) {
        switch place {
        case .skipping(let count):
            let end = range.upperBound - min(max(0, Int64(count)), Int64(range.count))
            return (backward(from: end, range, limit), false)
        case .before(let message):
            return (backward(from: try await sequence(of: message, id, reader), range, limit), false)
        case .beforeSequence(let sequence):
            return (backward(from: sequence, range, limit), false)
        case .after(let message):
            return (forward(from: try await sequence(of: message, id, reader), range, limit), true)
        case .afterSequence(let sequence):
            return (forward(from: sequence, range, limit), true)
        }
    }

    private static func backward(from end: Int64, _ range: Range<Int64>, _ limit: Int64) -> Range<Int64> {
        let end = min(max(end, range.lowerBound), range.upperBound)
        return max(range.lowerBound, end - limit)..<end
    }

    private static func forward(from start: Int64, _ range: Range<Int64>, _ limit: Int64) -> Range<Int64> {
        let first = min(max(start, range.lowerBound - 1), range.upperBound - 1) + 1
        return first..<min(range.upperBound, first + limit)
    }

    private static func sequence(
        of message: MessageID, _ id: ConversationID, _ reader: ChatReader
    ) async throws(ChatError) -> Int64 {
        let statement: Statement =
            "SELECT sequence FROM messages WHERE id = \(message) AND conversation_id = \(id)"
        let sequence = try await reader.first(statement) { (row) throws(StoreError) in try row.integer(0) }
        guard let sequence else { throw .notFound(.message) }
        return sequence
    }

    /// The number of the first message that is not older than `time`; the end of the range when all are.
    ///
    /// One statement: it halves the range in the database, with one look into the index for each half.
    private func sequence(
        at time: Timestamp, in id: ConversationID, _ range: Range<Int64>
    ) async throws(ChatError) -> Int64 {
        guard !range.isEmpty else { return range.lowerBound }
        let found = try await reader.first(
            """
            WITH RECURSIVE halves (low, high) AS (SELECT CAST(\(range.lowerBound) AS BIGINT), \
            CAST(\(range.upperBound) AS BIGINT) UNION ALL SELECT \
            CASE WHEN \(part: Self.isOlder(time, id)) THEN (low + high) / 2 + 1 ELSE low END, \
            CASE WHEN \(part: Self.isOlder(time, id)) THEN high ELSE (low + high) / 2 END \
            FROM halves WHERE low < high) SELECT low FROM halves WHERE low >= high
            """
        ) { (row) throws(StoreError) in try row.integer(0) }
        return found ?? range.upperBound
    }

    private static func isOlder(_ time: Timestamp, _ id: ConversationID) -> Statement {
        """
        EXISTS (SELECT 1 FROM messages p WHERE p.conversation_id = \(id) AND p.sequence = (low + high) / 2 \
        AND p.created_at < \(time))
        """
    }

    // MARK: Threads

    /// The message that began it, and its answers from the oldest on; whichever message of it is named.
    package func thread(
        of id: MessageID, offset: Int, limit: Int, for principal: Principal
    ) async throws(ChatError) -> (root: Message, replies: MessagePage) {
        let (_, named) = try await reader.visible(id, principal.user)
        var root = named
        if let thread = named.thread { root = try await reader.visible(thread, principal.user).message }
        let (offset, limit) = (max(0, offset), min(max(0, limit), Self.pageLimit))
        let replies = try await reader.messages(
            MessageTable.select("s.thread_id = \(root.id) ORDER BY s.sequence LIMIT \(limit) OFFSET \(offset)"))
        let total = Int64(root.replyCount)
        let page = MessagePage(messages: replies, total: total, hasMore: Int64(offset + replies.count) < total)
        return (root, page)
    }
}
