// The audit log: events that cannot be changed afterwards without being found out.
//
// An event is written in the transaction of the change that it tells of, or the change does not happen. Its place in
// the chain is given a moment later, in batches, by one sealer: giving it at once would make every login of every node
// wait for the one before, because each hash needs the last. Until then the row stands without `seq`.
//
//     hash(n) = HMAC-SHA256(key, hash(n-1) || canonical(event n)),   hash(0) = 32 zero bytes
//
// The key comes from the vault: who can write to the database but lacks the root key cannot make a chain that fits.
// Out of scope: what stops an operator who holds both; for that the newest hash has to be kept elsewhere (`head`).

package import Base
import Crypto
package import Store
import Synchronization
import Vault
import Wire

package final class AuditLog: Sendable {
    private enum Sealing { case idle, running, runningAndWanted }

    /// Events that one transaction seals: bounds how long other writers wait.
    private static let batch = 256
    private static let start = Bytes(repeating: 0, count: 32)
    private static let log = Logger("audit")

    private let database: any Database
    private let key: Secret
    private let jobs: BackgroundJobs
    private let sealing = Mutex(Sealing.idle)

    init(database: any Database, vault: Vault, jobs: BackgroundJobs) {
        self.database = database
        self.jobs = jobs
        key = vault.derive("accounts audit chain v1", count: 32)
    }

    // MARK: Writing

    /// Writes an event in a transaction of its own.
    package func append(_ event: AuditEvent) async throws(AccountError) {
        try await database.transaction { (transaction) async throws(AccountError) in
            try await Self.append(event, in: transaction)
        }
        sealSoon()
    }

    /// Writes an event together with the change that it tells of. Call `sealSoon` after the commit.
    package static func append(_ event: AuditEvent, in transaction: any Transaction) async throws(AccountError) {
        try await transaction.change(AuditTable.insert(event))
    }

    /// Has the sealer run, unless it does.
    package func sealSoon() {
        let mustStart = sealing.withLock { state in
            defer { state = state == .idle ? .running : .runningAndWanted }
            return state == .idle
        }
        guard mustStart else { return }
        let started = jobs.start { [self] in
            repeat {
                do { try await seal() } catch { Self.log.warning("events wait to be sealed", [.error(error)]) }
            } while hasMoreToSeal()
        }
        // When the server stops, or is flooded, the next event or the next start seals what is left.
        if !started { sealing.withLock { $0 = .idle } }
    }

    private func hasMoreToSeal() -> Bool {
        sealing.withLock { state in
            let wanted = state == .runningAndWanted
            state = wanted ? .running : .idle
            return wanted
        }
    }

    /// Gives every event that has none its place in the chain.
    package func seal() async throws(AccountError) {
        while try await sealBatch() == Self.batch {}
    }

    private func sealBatch() async throws(AccountError) -> Int {
        let key = key
        return try await database.transaction { (transaction) async throws(AccountError) -> Int in
            let events = try await transaction.all(AuditTable.unsealed(limit: Self.batch))
            guard !events.isEmpty else { return 0 }
            var last = try await transaction.first(AuditTable.head) ?? AuditHead(sequence: 0, hash: Self.start)
            for event in events {
                let next = last.sequence + 1
                let hash = HMAC.sha256(last.hash + event.canonical(sequence: next), key: key)
                try await transaction.change(
                    AuditTable.seal(event.id, sequence: next, previous: last.hash, hash: hash))
                last = AuditHead(sequence: next, hash: hash)
            }
            return events.count
        }
    }

    // MARK: Reading

    /// Newest first.
    package func page(_ filter: AuditFilter) async throws(AccountError) -> Page<AuditEvent> {
        Page(
            items: try await database.all(AuditTable.page(filter)),
            total: try await database.first(AuditTable.count(filter)) ?? 0)
    }

    /// The newest place in the chain, for keeping elsewhere.
    package func head() async throws(AccountError) -> AuditHead? { try await database.first(AuditTable.head) }

    /// Computes the whole chain again.
    package func verify() async throws(AccountError) -> AuditVerdict {
        var last = AuditHead(sequence: 0, hash: Self.start)
        while true {
            let events = try await database.all(AuditTable.sealed(after: last.sequence, limit: Self.batch))
            for event in events {
                let expected = last.sequence + 1
                let hash = HMAC.sha256(last.hash + event.canonical(sequence: expected), key: key)
                guard event.sequence == expected, let stored = event.hash, constantTimeEquals(stored, hash) else {
                    return .broken(at: expected)
                }
                last = AuditHead(sequence: expected, hash: hash)
            }
            if events.count < Self.batch { return .intact(events: last.sequence) }
        }
    }
}

package struct AuditHead: Sendable, Equatable {
    package let sequence: Int64
    package let hash: Bytes
}

enum AuditTable {
    private static let columns: Statement = """
        id, time, actor, action, severity, outcome, target, address, user_agent, request_id, details, seq, hash
        """

    static func insert(_ event: AuditEvent) -> Statement {
        """
        INSERT INTO audit_events (id, time, actor, action, severity, outcome, target, address, user_agent, \
        request_id, details) VALUES (\(event.id), \(event.time), \(event.actor), \(event.action), \
        \(event.severity.rawValue), \(event.outcome.rawValue), \(event.target), \
        \(event.origin.address.exposed), \(event.origin.userAgent?.exposed), \(event.origin.requestID), \
        \(String(decoding: JSONValue.object(event.details).encoded, as: UTF8.self)))
        """
    }

    static func unsealed(limit: Int) -> Selection<AuditEvent> {
        select("seq IS NULL ORDER BY time, id LIMIT \(limit)")
    }

    static func sealed(after sequence: Int64, limit: Int) -> Selection<AuditEvent> {
        select("seq > \(sequence) ORDER BY seq LIMIT \(limit)")
    }

    static var head: Selection<AuditHead> {
        Selection("SELECT seq, hash FROM audit_events WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1") {
            row throws(StoreError) in AuditHead(sequence: try row.integer(0), hash: try row.blob(1))
        }
    }

    static func seal(_ id: UUID, sequence: Int64, previous: Bytes, hash: Bytes) -> Statement {
        "UPDATE audit_events SET seq = \(sequence), previous = \(previous), hash = \(hash) WHERE id = \(id)"
    }

    static func page(_ filter: AuditFilter) -> Selection<AuditEvent> {
        select("\(part: condition(filter)) ORDER BY time DESC, id DESC LIMIT \(filter.limit) OFFSET \(filter.offset)")
    }

    static func count(_ filter: AuditFilter) -> Selection<Int> {
        .count("SELECT COUNT(*) FROM audit_events WHERE \(part: condition(filter))")
    }

    private static func condition(_ filter: AuditFilter) -> Statement {
        var condition: Statement = "1 = 1"
        if let start = filter.start { condition = "\(part: condition) AND time >= \(start)" }
        if let end = filter.end { condition = "\(part: condition) AND time < \(end)" }
        if let actor = filter.actor { condition = "\(part: condition) AND actor = \(actor)" }
        if let severity = filter.severity {
            condition = "\(part: condition) AND severity = \(severity.rawValue)"
        }
        if let type = filter.type {
            let inside = String(UserTable.likePattern("\(type).").dropFirst())
            condition = "\(part: condition) AND (action = \(type) OR action LIKE \(inside) ESCAPE '!')"
        }
        return condition
    }

    private static func select(_ condition: Statement) -> Selection<AuditEvent> {
        Selection("SELECT \(part: columns) FROM audit_events WHERE \(part: condition)") { row throws(StoreError) in
            guard let severity = AuditSeverity(rawValue: try row.integer(4)),
                let outcome = AuditOutcome(rawValue: try row.text(5)),
                let details = (try? JSONValue(parsing: Bytes(try row.text(10).utf8)))?.objectValue
            else { throw .corrupt("audit_events: a row that this version cannot read") }
            return AuditEvent(
                stored: try uuid(row, 0), time: try row.timestamp(1),
                actor: try row.optional(2, { column throws(StoreError) in try row.identifier(column, UserKind.self) }),
                action: try row.text(3), severity: severity, outcome: outcome,
                target: try row.optional(6, row.text),
                origin: RequestOrigin(
                    address: Private(try row.text(7)), userAgent: try row.optional(8, row.text).map { Private($0) },
                    requestID: try row.optional(9, row.text)),
                details: details, sequence: try row.optional(11, row.integer), hash: try row.optional(12, row.blob))
        }
    }
}
