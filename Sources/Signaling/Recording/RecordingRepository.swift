// Recordings in the database: written as they change, read for whoever may. What the audit log is told of a change is in
// the same transaction.

import Accounts
import Base
import Store

/// Whom recordings are read for.
enum RecordingReader: Sendable {
    case everything
    /// What somebody began, or what was shared with them.
    case user(UserID)
}

struct RecordingRepository: Sendable {
    let database: any Database
    let node: String

    private static let columns: Statement = """
        r.id, r.call_id, r.started_by, r.policy, r.store, r.key_version, r.task_id, r.state, r.end_reason, \
        r.started_at, r.ended_at, r.consents, r.size_bytes, r.folder, r.legal_hold
        """

    // MARK: Writing

    func insert(_ recording: CallRecording, _ note: AuditEvent) async throws(RecordingError) {
        try await database.transaction { (transaction) async throws(RecordingError) in
            try await transaction.run(
                """
                INSERT INTO recordings (id, call_id, started_by, policy, store, key_version, task_id, node_id, state, \
                started_at, consents, size_bytes, legal_hold) VALUES (\(recording.id), \(recording.call), \
                \(recording.startedBy), \(recording.policy.rawValue), \(recording.store.rawValue), \
                \(Int64(recording.keyVersion)), \(recording.task), \(node), \(recording.state.rawValue), \
                \(recording.startedAt), \(StoredConsents.text(recording.people)), \(recording.bytes), \
                \(recording.isHeld))
                """)
            try await transaction.note(note)
        }
    }

    /// What changes while it is on. Its hold is set by others, and left alone.
    func save(_ recording: CallRecording, _ notes: [AuditEvent]) async throws(RecordingError) {
        try await database.transaction { (transaction) async throws(RecordingError) in
            try await transaction.run(
                """
                UPDATE recordings SET state = \(recording.state.rawValue), end_reason = \(recording.end?.rawValue), \
                ended_at = \(recording.endedAt), consents = \(StoredConsents.text(recording.people)), \
                size_bytes = \(recording.bytes), folder = \(recording.folder) WHERE id = \(recording.id)
                """)
            for note in notes { try await transaction.note(note) }
        }
    }

    /// Closes what no running server writes any more; see `CallRepository.closeLeftOver`. Returns how many there were.
    func closeLeftOver(abandoned: Timestamp) async throws(RecordingError) -> Int {
        let live = RecordingState.allCases.filter { !$0.isOver }.map(\.rawValue)
        return try await database.transaction { (transaction) async throws(RecordingError) in
            try await transaction.run(
                """
                UPDATE recordings SET state = \(RecordingState.interrupted.rawValue), \
                end_reason = \(RecordingEnd.serverRestarted.rawValue), ended_at = COALESCE((SELECT c.seen_at \
                FROM calls c WHERE c.id = recordings.call_id), started_at) WHERE state IN (\(list: live)) AND \
                (node_id = \(node) OR call_id IN (SELECT id FROM calls WHERE seen_at < \(abandoned)))
                """)
        }
    }

    /// Takes back what somebody agreed to, in the recordings of a call that are over. Returns how many there were.
    func withdraw(
        _ user: UserID, from call: CallID, _ means: ConsentMeans, at now: Timestamp,
        note: @escaping @Sendable (CallRecording) -> AuditEvent
    ) async throws(RecordingError) -> Int {
        try await database.transaction { (transaction) async throws(RecordingError) in
            let found = try await transaction.recordings("r.call_id = \(call) AND r.deleted_at IS NULL")
            var count = 0
            for var recording in found where recording.state.isOver {
                guard recording.withdraw(user, means, at: now) else { continue }
                count += 1
                try await transaction.run(
                    """
                    UPDATE recordings SET consents = \(StoredConsents.text(recording.people)) \
                    WHERE id = \(recording.id)
                    """)
                try await transaction.note(note(recording))
            }
            return count
        }
    }

    func setHeld(_ isHeld: Bool, _ id: RecordingID, _ note: AuditEvent) async throws(RecordingError) {
        try await database.transaction { (transaction) async throws(RecordingError) in
            let count = try await transaction.run(
                "UPDATE recordings SET legal_hold = \(isHeld) WHERE id = \(id) AND deleted_at IS NULL")
            guard count > 0 else { throw .notFound }
            try await transaction.note(note)
        }
    }

    /// The row stays, without people and shares, as the proof. Its content has to be gone before.
    func markDeleted(
        _ id: RecordingID, at now: Timestamp, by user: UserID, _ note: AuditEvent
    ) async throws(RecordingError) {
        try await database.transaction { (transaction) async throws(RecordingError) in
            try await transaction.run("DELETE FROM recording_shares WHERE recording_id = \(id)")
            try await transaction.run(
                """
                UPDATE recordings SET deleted_at = \(now), deleted_by = \(user), folder = NULL, \
                consents = \(StoredConsents.text([])) WHERE id = \(id)
                """)
            try await transaction.note(note)
        }
    }

    func share(
        _ id: RecordingID, with user: UserID, by owner: UserID, at now: Timestamp, _ note: AuditEvent
    ) async throws(RecordingError) {
        try await database.transaction { (transaction) async throws(RecordingError) in
            let known = try await transaction.sharers(id)
            if known.contains(user) { return }
            guard known.count < RecordingLimits.shares else { throw .tooManyShares(limit: RecordingLimits.shares) }
            try await transaction.run(
                """
                INSERT INTO recording_shares (recording_id, user_id, shared_by, shared_at) \
                VALUES (\(id), \(user), \(owner), \(now))
                """)
            try await transaction.note(note)
        }
    }

    func unshare(_ id: RecordingID, with user: UserID, _ note: AuditEvent) async throws(RecordingError) {
        try await database.transaction { (transaction) async throws(RecordingError) in
            let count = try await transaction.run(
                "DELETE FROM recording_shares WHERE recording_id = \(id) AND user_id = \(user)")
            guard count > 0 else { throw .notFound }
            try await transaction.note(note)
        }
    }

    // MARK: Reading

    func recording(_ id: RecordingID) async throws(RecordingError) -> CallRecording? {
        do {
            return try await database.query(Self.selection("r.id = \(id) AND r.deleted_at IS NULL"))
                .first.map(Self.recording)
        } catch {
            throw RecordingError(error)
        }
    }

    /// The newest first.
    func page(
        for reader: RecordingReader, call: CallID?, offset: Int, limit: Int
    ) async throws(RecordingError) -> Page<CallRecording> {
        var condition: Statement = "r.deleted_at IS NULL"
        if case .user(let user) = reader {
            condition = """
                \(part: condition) AND (r.started_by = \(user) OR r.id IN \
                (SELECT recording_id FROM recording_shares WHERE user_id = \(user)))
                """
        }
        if let call { condition = "\(part: condition) AND r.call_id = \(call)" }
        do {
            let counted = try await database.query("SELECT COUNT(*) FROM recordings r WHERE \(part: condition)")
            let total = Int(clamping: try counted.first?.integer(0) ?? 0)
            let rows = try await database.query(
                Self.selection(
                    "\(part: condition) ORDER BY r.started_at DESC, r.id DESC LIMIT \(limit) OFFSET \(offset)"))
            return Page(items: try rows.map(Self.recording), total: total)
        } catch {
            throw RecordingError(error)
        }
    }

    /// Whom recordings are shared with, in the order in which that was done.
    func shares(of recordings: [RecordingID]) async throws(RecordingError) -> [RecordingID: [UserID]] {
        guard !recordings.isEmpty else { return [:] }
        do {
            let rows = try await database.query(
                """
                SELECT recording_id, user_id FROM recording_shares WHERE recording_id IN (\(list: recordings)) \
                ORDER BY shared_at, user_id
                """)
            var shares: [RecordingID: [UserID]] = [:]
            for row in rows { shares[try row.identifier(0), default: []].append(try row.identifier(1)) }
            return shares
        } catch {
            throw RecordingError(error)
        }
    }

    fileprivate static func selection(_ condition: Statement) -> Statement {
        "SELECT \(part: columns) FROM recordings r WHERE \(part: condition)"
    }

    fileprivate static func recording(from row: Row) throws(StoreError) -> CallRecording {
        guard let policy = ConsentPolicy(rawValue: try row.text(3)),
            let store = RecordingStore(rawValue: try row.text(4)),
            let version = UInt32(exactly: try row.integer(5)), let task = UUID(try row.blob(6)),
            let state = RecordingState(rawValue: try row.text(7)), let people = StoredConsents.people(try row.text(11))
        else { throw .corrupt("recordings: a row that this version cannot read") }
        let end: String? = try row.optional(8, row.text)
        var recording = CallRecording(
            id: try row.identifier(0), call: try row.identifier(1), startedBy: try row.identifier(2), policy: policy,
            store: store, keyVersion: version, task: task, startedAt: try row.timestamp(9))
        recording.state = state
        recording.end = end.flatMap(RecordingEnd.init(rawValue:))
        recording.endedAt = try row.optional(10, row.timestamp)
        recording.people = people
        recording.bytes = try row.integer(12)
        recording.folder = try row.optional(13, row.text)
        recording.isHeld = try row.flag(14)
        return recording
    }
}

extension CallRecording {
    /// Of one that is over. False where there is nothing to take back.
    fileprivate mutating func withdraw(_ user: UserID, _ means: ConsentMeans, at now: Timestamp) -> Bool {
        guard let index = people.firstIndex(where: { $0.user == user }), people[index].agreedAt != nil,
            policy == .ask, people[index].consent != .withdrawn
        else { return false }
        people[index].consent = .withdrawn
        people[index].means = means
        people[index].changedAt = now
        people[index].withdrawnAt = now
        return true
    }
}

extension Transaction {
    @discardableResult
    fileprivate func run(_ statement: Statement) async throws(RecordingError) -> Int {
        do { return try await execute(statement) } catch { throw RecordingError(error) }
    }

    fileprivate func recordings(_ condition: Statement) async throws(RecordingError) -> [CallRecording] {
        do {
            return try await query(RecordingRepository.selection(condition)).map(RecordingRepository.recording)
        } catch {
            throw RecordingError(error)
        }
    }

    fileprivate func sharers(_ id: RecordingID) async throws(RecordingError) -> [UserID] {
        do {
            let rows = try await query("SELECT user_id FROM recording_shares WHERE recording_id = \(id)")
            var users: [UserID] = []
            for row in rows { users.append(try row.identifier(0)) }
            return users
        } catch {
            throw RecordingError(error)
        }
    }

    fileprivate func note(_ event: AuditEvent) async throws(RecordingError) {
        do {
            try await AuditLog.append(event, in: self)
        } catch {
            switch error {
            case .store(let failure): throw RecordingError(failure)
            default: throw .unavailable("the audit log took no note")
            }
        }
    }
}
