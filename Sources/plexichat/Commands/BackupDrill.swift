// `plexichat backup drill`: a backup is restored beside the server's own data, looked at, and served from.

import API
import Accounts
import Backup
import Base
import Configuration
import Glibc
import Net
import Store
import Wire

extension BackupCommand {
    @Sendable static func drill(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (session) async throws(CommandFailure) in
            let repository = try await session.open(orMake: false)
            let named = invocation.argument("ID") ?? "latest"
            guard let backup = try await session.backup(named, repository) else {
                throw .usage("the backup's id is missing")
            }
            let began = Instant.now()
            let drill = try BackupDrill(session.configuration, invocation, backup)
            do throws(CommandFailure) {
                try await drill.restore(session, repository)
                try await drill.inspect()
                try await drill.serve()
            } catch {
                drill.cleanUp()
                throw .failed("the drill of backup \(backup) has failed: \(error)")
            }
            drill.cleanUp()
            let seconds = Int((Instant.now() - began).inSeconds.rounded(.up))
            invocation.output.line("drill of backup \(backup): a server comes back from it, in \(seconds) s")
        }
    }
}

private struct BackupDrill {
    private let backup: UUID
    private let output: Output
    private let folder: String
    private let rootKey: String
    private let keyVariables: Set<String>
    private let keeps: Bool
    /// Of the restored data.
    private let configuration: Configuration

    init(_ own: Configuration, _ invocation: Invocation, _ backup: UUID) throws(CommandFailure) {
        self.backup = backup
        output = invocation.output
        keeps = invocation.has("keep")
        let parent = invocation.value("scratch") ?? own.backupRestoreFolder
        guard mkdir(parent, 0o700) == 0 || errno == EEXIST else { throw .failed("\(SystemError("make \(parent)"))") }
        folder = "\(parent)/drill-\(UUID.random())"
        var source = own.vault.rootKey
        if source == .file(nil) { source = .file(own.data.folder + "/root.key") }
        rootKey = source.text
        keyVariables = source.variables
        var configuration = Configuration()
        configuration.data.folder = folder + "/data"
        configuration.vault.rootKey = source
        self.configuration = configuration
    }

    func restore(_ session: BackupSession, _ repository: Repository) async throws(CommandFailure) {
        let meter = BackupMeter(repository)
        let options = RestoreOptions(target: folder)
        let report = try await session.showing(meter) { [backup] () async throws(BackupError) in
            try await Restorer.restore(backup, of: repository, options, meter: meter)
        }
        well("restored", "\(report.items) items, \(Sizes.text(report.bytes)), every byte verified")
        guard access(configuration.data.folder + "/plexichat.db", F_OK) == 0 else {
            throw .failed(
                "it holds a PostgreSQL database, which a drill does not restore; do so by hand with pg_restore into an "
                    + "empty one (docs/operate/backup.md)")
        }
    }

    // MARK: What was restored

    /// The root key fits, the keys fit their seal, the audit log's chain is whole, what the rows speak of is there.
    func inspect() async throws(CommandFailure) {
        let storage: Storage
        do throws(StartFailure) { storage = try await Storage.open(configuration, shards: 1) } catch {
            throw .failed("\(error)")
        }
        do throws(CommandFailure) {
            try await inspect(storage)
            await storage.close()
        } catch {
            await storage.close()
            throw error
        }
    }

    private func inspect(_ storage: Storage) async throws(CommandFailure) {
        well("root key", "fits the data")
        let accounts: AccountService
        do throws(StartFailure) { accounts = try await RunningServer.makeAccounts(configuration, storage) } catch {
            throw .failed("\(error)")
        }
        let audit: Result<AuditVerdict, any Error>
        do { audit = .success(try await accounts.audit.verify()) } catch { audit = .failure(error) }
        await accounts.stop()
        switch audit {
        case .success(.intact(let count)): well("audit log", "\(count) events, the chain is whole")
        case .success(.broken(let place)):
            throw .failed("event \(place) of the audit log does not follow from the one before it")
        case .failure(let error): throw .failed("the audit log cannot be read: \(error)")
        }
        do {
            let verdict = try await storage.database.query("PRAGMA integrity_check").first?.text(0) ?? "nothing"
            guard verdict == "ok" else { throw CommandFailure.failed("the database is damaged: \(verdict)") }
            try await count(storage.database)
            try await lookForBlobs(storage.database)
        } catch let error as CommandFailure { throw error } catch { throw .failed("the database: \(error)") }
    }

    private func count(_ database: any Database) async throws {
        let statements: [(String, Statement)] = [
            ("users", "SELECT COUNT(*) FROM users"), ("conversations", "SELECT COUNT(*) FROM conversations"),
            ("messages", "SELECT COUNT(*) FROM messages"), ("files", "SELECT COUNT(*) FROM files"),
            ("keys", "SELECT COUNT(*) FROM vault_keys"),
        ]
        var counts: [String] = []
        for (name, statement) in statements {
            let count = try await database.query(statement).first?.integer(0) ?? 0
            counts.append("\(count) \(name)")
            // The first start of a server makes an administrator.
            if name == "users", count == 0 { throw CommandFailure.failed("there is no user in it") }
        }
        well("rows", counts.joined(separator: ", "))
    }

    /// In pages: there may be millions.
    private func lookForBlobs(_ database: any Database) async throws {
        let page = 1_000
        var (last, count, bytes) = (Bytes(), 0, UInt64(0))
        while true {
            let rows = try await database.query(
                """
                SELECT hash, size FROM blobs WHERE holds > 0 AND hash > \(last) ORDER BY hash LIMIT \(page)
                """)
            for row in rows {
                let (hash, size) = (try row.blob(0), try row.integer(1))
                let name = Hex.encode(hash)
                var status = stat()
                let file = "\(configuration.data.folder)/blobs/\(name.prefix(2))/\(name.dropFirst(2).prefix(2))/\(name)"
                guard stat(file, &status) == 0, Int64(status.st_size) == size else {
                    throw CommandFailure.failed("the file \(name), which somebody has, is not in the backup")
                }
                (last, count, bytes) = (hash, count + 1, bytes + UInt64(clamping: size))
            }
            if rows.count < page { break }
        }
        well("blobs", "\(count), \(Sizes.text(bytes)), all there")
    }

    // MARK: A server

    func serve() async throws(CommandFailure) {
        let log = folder + "/server.log"
        let began = Instant.now()
        do throws(DrillServer.Failure) {
            let server = try DrillServer(
                data: configuration.data.folder, rootKey: rootKey, keeping: keyVariables, log: log)
            let problem = await problem(of: server)
            let seconds = (Instant.now() - began).inSeconds
            try await server.end()
            if let problem { throw DrillServer.Failure(description: problem) }
            let tenths = Int((seconds * 10).rounded())
            well("server", "ready after \(tenths / 10).\(tenths % 10) s at \(server.url), and stopped")
        } catch {
            throw .failed("\(error)\(Self.end(of: log))")
        }
    }

    private static let readyWithin = Duration.seconds(60)

    private func problem(of server: DrillServer) async -> String? {
        guard let shards = try? ShardGroup(count: 1) else { return "a thread could not be started" }
        defer { shards.stop() }
        let client = CurlClient(loop: shards.first)
        let end = Instant.now() + Self.readyWithin
        var last = "it does not answer"
        while Instant.now() < end {
            let request = OutgoingRequest(url: server.url + "/readyz", timeout: .seconds(5))
            if let response = try? await client.send(request) {
                if response.status == 200 { return nil }
                last = "/readyz answers \(response.status)"
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
        return "the server is not ready after \(Self.readyWithin): \(last)"
    }

    /// The last lines of what a server said that did not come up.
    private static func end(of log: String) -> String {
        let most = 2_000
        let descriptor = open(log, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        lseek(descriptor, max(0, lseek(descriptor, 0, SEEK_END) - off_t(most)), SEEK_SET)
        var bytes = Bytes(repeating: 0, count: most)
        let count = read(descriptor, &bytes, most)
        return count > 0 ? "\n" + String(decoding: bytes.prefix(count), as: UTF8.self) : ""
    }

    // MARK: Telling

    private func well(_ part: String, _ text: String) {
        output.line("ok  \(part)" + String(repeating: " ", count: max(1, 12 - part.count)) + text)
    }

    func cleanUp() {
        if keeps {
            output.line("what was restored is in \(folder)")
        } else {
            do throws(BackupError) { try Restorer.discard(folder) } catch { output.complain("! \(error)") }
        }
    }
}

extension RootKeySource {
    /// What of the environment it is read from.
    fileprivate var variables: Set<String> {
        switch self {
        case .file: []
        case .environment(let name): [name]
        case .credential: ["CREDENTIALS_DIRECTORY"]
        case .passphrase(let source): source.variables
        }
    }
}
