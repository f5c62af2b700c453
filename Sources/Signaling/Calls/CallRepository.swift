// Calls in the database: written as they change, read for what is over. Live calls are `CallService`'s own; their rows
// are there so that a crash leaves their times.

import Accounts
import Base
import Store

struct CallRepository: Sendable {
    let database: any Database
    /// Whose calls this server writes; see `closeLeftOver`.
    let node: String

    /// How many calls a user began since `since`, and when the oldest of the last `limit` was: when the next is allowed.
    struct Initiations: Sendable {
        let count: Int
        let oldest: Timestamp?
    }

    // MARK: Writing

    /// Stores a new call, unless its caller has begun `limit` of them since `since`.
    func insert(
        _ call: CallInfo, limit: Int?, since: Timestamp, window: Duration
    ) async throws(CallError) {
        try await database.transaction { (transaction) async throws(CallError) in
            if let limit {
                let lately = try await Self.initiations(of: call.caller, since: since, limit, in: transaction)
                if lately.count >= limit {
                    let wait = lately.oldest.map { ($0 + window) - call.createdAt } ?? window
                    throw .tooManyInitiations(limit: limit, retryAfter: max(wait, .seconds(1)))
                }
            }
            try await transaction.run(Self.insertion(call, node, seen: call.createdAt))
            for (place, participant) in call.participants.enumerated() {
                try await transaction.run(Self.upsertion(participant, call.id, place))
            }
        }
    }

    private static func initiations(
        of caller: UserID, since: Timestamp, _ limit: Int, in transaction: any Transaction
    ) async throws(CallError) -> Initiations {
        let rows = try await transaction.rows(
            """
            SELECT created_at FROM calls WHERE caller_id = \(caller) AND created_at > \(since) \
            AND shape <> \(CallShape.standing.rawValue) \
            ORDER BY created_at DESC LIMIT \(limit)
            """)
        do {
            var oldest: Timestamp?
            if let last = rows.last { oldest = try last.timestamp(0) }
            return Initiations(count: rows.count, oldest: oldest)
        } catch {
            throw CallError(error)
        }
    }

    /// The call's own row, and those of the participants that have changed.
    func save(_ call: CallInfo, changed: [CallParticipant], now: Timestamp) async throws(CallError) {
        let places = Dictionary(
            uniqueKeysWithValues: call.participants.enumerated().map { ($0.element.user, $0.offset) })
        try await database.transaction { (transaction) async throws(CallError) in
            try await transaction.run(
                """
                UPDATE calls SET host_id = \(call.host), state = \(call.state.rawValue), \
                end_reason = \(call.end?.rawValue), is_locked = \(call.isLocked), answered_at = \(call.answeredAt), \
                ended_at = \(call.endedAt), seen_at = \(now) WHERE id = \(call.id)
                """)
            for participant in changed {
                try await transaction.run(Self.upsertion(participant, call.id, places[participant.user] ?? 0))
            }
        }
    }

    /// These calls are still known at `now`.
    func seen(_ calls: [CallID], now: Timestamp) async throws(CallError) {
        _ = try await database.transaction { (transaction) async throws(CallError) in
            try await transaction.run("UPDATE calls SET seen_at = \(now) WHERE id IN (\(list: calls))")
        }
    }

    /// Closes what no running server owns: this node's own calls, those of releases that named no node, and those that
    /// their node has not noted since `abandoned`. Returns how many there were.
    func closeLeftOver(abandoned: Timestamp) async throws(CallError) -> Int {
        let live = CallState.allCases.filter { !$0.isOver }.map(\.rawValue)
        let leftOver: Statement = """
            state IN (\(list: live)) AND (node_id = \(node) OR node_id IS NULL OR seen_at < \(abandoned))
            """
        return try await database.transaction { (transaction) async throws(CallError) in
            try await transaction.run(
                """
                UPDATE call_participants SET state = \(CallParticipant.State.left.rawValue), \
                left_at = (SELECT c.seen_at FROM calls c WHERE c.id = call_participants.call_id) \
                WHERE state = \(CallParticipant.State.joined.rawValue) \
                AND call_id IN (SELECT id FROM calls WHERE \(part: leftOver))
                """)
            try await transaction.run(
                """
                UPDATE call_participants SET state = \(CallParticipant.State.missed.rawValue) \
                WHERE state IN (\(CallParticipant.State.invited.rawValue), \(CallParticipant.State.ringing.rawValue)) \
                AND call_id IN (SELECT id FROM calls WHERE \(part: leftOver))
                """)
            return try await transaction.run(
                """
                UPDATE calls SET state = \(CallState.failed.rawValue), \
                end_reason = \(CallEnd.serverRestarted.rawValue), ended_at = seen_at \
                WHERE \(part: leftOver)
                """)
        }
    }

    private static func insertion(_ call: CallInfo, _ node: String, seen: Timestamp) -> Statement {
        """
        INSERT INTO calls (id, shape, kind, caller_id, host_id, conversation_id, state, end_reason, is_locked, \
        created_at, answered_at, ended_at, seen_at, node_id) VALUES (\(call.id), \(call.shape.rawValue), \
        \(call.kind.rawValue), \(call.caller), \(call.host), \(call.conversation), \(call.state.rawValue), \
        \(call.end?.rawValue), \(call.isLocked), \(call.createdAt), \(call.answeredAt), \(call.endedAt), \(seen), \(node))
        """
    }

    /// Inserts from a SELECT over `users`: somebody who was deleted meanwhile gets no row, instead of a failure.
    private static func upsertion(_ participant: CallParticipant, _ call: CallID, _ place: Int) -> Statement {
        """
        INSERT INTO call_participants (call_id, user_id, place, state, session_id, permissions, invited_at, \
        joined_at, left_at, measurements) SELECT c.id, u.id, \(place), \(participant.state.rawValue), \
        \(participant.session), \(Int64(participant.permissions.rawValue)), \(participant.invitedAt), \
        CAST(\(participant.joinedAt) AS BIGINT), CAST(\(participant.leftAt) AS BIGINT), \
        CAST(\(participant.measurements?.json) AS TEXT) \
        FROM calls c, users u WHERE c.id = \(call) AND u.id = \(participant.user) \
        ON CONFLICT (call_id, user_id) DO UPDATE SET place = excluded.place, state = excluded.state, \
        session_id = excluded.session_id, \
        permissions = excluded.permissions, joined_at = excluded.joined_at, left_at = excluded.left_at, \
        measurements = excluded.measurements
        """
    }

    // MARK: Reading

    func call(_ id: CallID) async throws(CallError) -> CallInfo? {
        try await calls("WHERE c.id = \(id)").first
    }

    /// Of calls that are over and that a user had part in, the newest first.
    func history(
        of user: UserID, conversation: UUID?, offset: Int, limit: Int
    ) async throws(CallError) -> Page<CallInfo> {
        let live = CallState.allCases.filter { !$0.isOver }.map(\.rawValue)
        var condition: Statement = """
            WHERE c.id IN (SELECT call_id FROM call_participants WHERE user_id = \(user)) \
            AND c.state NOT IN (\(list: live))
            """
        if let conversation { condition = "\(part: condition) AND c.conversation_id = \(conversation)" }
        let total: Int
        do {
            let rows = try await database.query("SELECT COUNT(*) FROM calls c \(part: condition)")
            total = Int(clamping: try rows.first?.integer(0) ?? 0)
        } catch {
            throw CallError(error)
        }
        let page = try await calls(
            "\(part: condition) ORDER BY c.created_at DESC, c.id DESC LIMIT \(limit) OFFSET \(offset)")
        return Page(items: page, total: total)
    }

    private func calls(_ condition: Statement) async throws(CallError) -> [CallInfo] {
        do {
            let rows = try await database.query(
                """
                SELECT c.id, c.shape, c.kind, c.caller_id, c.host_id, c.conversation_id, c.state, c.end_reason, \
                c.is_locked, c.created_at, c.answered_at, c.ended_at FROM calls c \(part: condition)
                """)
            var calls: [CallInfo] = []
            for row in rows { calls.append(try Self.call(from: row)) }
            let participants = try await participants(of: calls.map(\.id))
            for index in calls.indices { calls[index].participants = participants[calls[index].id] ?? [] }
            return calls
        } catch {
            throw CallError(error)
        }
    }

    private func participants(of calls: [CallID]) async throws(StoreError) -> [CallID: [CallParticipant]] {
        guard !calls.isEmpty else { return [:] }
        let rows = try await database.query(
            """
            SELECT call_id, user_id, state, session_id, permissions, invited_at, joined_at, left_at, measurements \
            FROM call_participants WHERE call_id IN (\(list: calls)) ORDER BY place
            """)
        var participants: [CallID: [CallParticipant]] = [:]
        for row in rows { participants[try row.identifier(0), default: []].append(try Self.participant(from: row)) }
        return participants
    }

    private static func call(from row: Row) throws(StoreError) -> CallInfo {
        guard let shape = CallShape(rawValue: try row.text(1)), let kind = CallKind(rawValue: try row.text(2)),
            let state = CallState(rawValue: try row.text(6))
        else { throw .corrupt("calls: a word that this version does not know") }
        let conversation: Bytes? = try row.optional(5, row.blob)
        let end: String? = try row.optional(7, row.text)
        return CallInfo(
            id: try row.identifier(0), shape: shape, kind: kind, caller: try row.identifier(3),
            host: try row.identifier(4), conversation: conversation.flatMap { UUID($0) }, state: state,
            end: end.flatMap(CallEnd.init(rawValue:)), createdAt: try row.timestamp(9),
            answeredAt: try row.optional(10, row.timestamp), endedAt: try row.optional(11, row.timestamp),
            isLocked: try row.flag(8), participants: [])
    }

    private static func participant(from row: Row) throws(StoreError) -> CallParticipant {
        guard let state = CallParticipant.State(rawValue: try row.text(2)), let session = UUID(try row.blob(3)) else {
            throw .corrupt("call_participants: a word that this version does not know")
        }
        var participant = CallParticipant(
            user: try row.identifier(1), state: state, device: nil, link: nil, session: session,
            invitedAt: try row.timestamp(5), joinedAt: try row.optional(6, row.timestamp),
            leftAt: try row.optional(7, row.timestamp))
        participant.permissions = MediaPermissions(rawValue: UInt8(truncatingIfNeeded: try row.integer(4)))
        participant.measurements = try row.optional(8, row.text).flatMap { ParticipantMeasurements(json: $0) }
        return participant
    }
}

extension Transaction {
    @discardableResult
    fileprivate func run(_ statement: Statement) async throws(CallError) -> Int {
        do { return try await execute(statement) } catch { throw CallError(error) }
    }

    fileprivate func rows(_ statement: Statement) async throws(CallError) -> [Row] {
        do { return try await query(statement) } catch { throw CallError(error) }
    }
}
