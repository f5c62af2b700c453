// What all backup commands need: the places, the keys, what the machine remembers, and a bar that moves.

import Backup
import Base
import Configuration
import Glibc
import Net
import Store
import Vault

struct BackupSession: Sendable {
    private static let barEvery = Duration.milliseconds(200)

    private let invocation: Invocation
    let configuration: Configuration
    private let keys: any BackupKeys
    private let places: [any Place]
    private let loop: any EventLoop

    /// `shards` carry what goes to buckets and databases.
    init(
        _ invocation: Invocation, _ configuration: Configuration, on shards: ShardGroup
    ) async throws(CommandFailure) {
        self.invocation = invocation
        self.configuration = configuration
        loop = shards.first
        do throws(BackupError) {
            let made = try BackupPlaces.make(
                configuration, named: invocation.values("place"), on: shards.first, making: invocation.has("new"))
            // Others may be enough; what is missed in a place is said where it matters.
            for problem in made.problems { invocation.output.complain("! \(problem)") }
            places = made.places
            let keyring = BackupKeyring(configuration: configuration, shards: shards, places: made.places)
            keys = try await keyring.keys(forNew: invocation.has("new")) { invocation.output.complain($0) }
        } catch {
            if case .refused(let words) = error { throw .usage(words) }
            throw .failed("\(error)")
        }
    }

    // MARK: Repository

    func open(orMake mayMake: Bool) async throws(CommandFailure) -> Repository {
        try await asking { () async throws(BackupError) in
            do throws(BackupError) {
                let repository = try await Repository.open(in: places, keys: keys)
                if mayMake { try await repository.completeCopies() }
                return repository
            } catch {
                guard mayMake, error == .noRepository else { throw error }
                return try await Repository.create(in: places, keys: keys, at: .now())
            }
        }
    }

    func backup(_ text: String?, _ repository: Repository) async throws(CommandFailure) -> UUID? {
        guard let text else { return nil }
        if let id = UUID(text) { return id }
        guard text == "latest" else { throw .usage("\(text) is not the id of a backup; see `plexichat backup list`") }
        let state = try await asking { () async throws(BackupError) in try await repository.state(adopting: false) }
        guard let latest = state.backups.last else { throw .failed("there are no backups yet") }
        return latest.manifest.id
    }

    func asking<Value>(
        _ body: () async throws(BackupError) -> Value
    ) async throws(CommandFailure) -> Value {
        do { return try await body() } catch {
            var text = "\(error)"
            if error == .noRepository { text += " (`plexichat backup create --new`)" }
            throw .failed(text)
        }
    }

    // MARK: Options

    func protection() throws(CommandFailure) -> Protection {
        guard let text = invocation.value("protection") else {
            return configuration.backupProtection ?? Protection.copies(places.count) ?? .single
        }
        guard let protection = Protection(parsing: text) else {
            throw .usage("\(text) is neither a number of copies nor K+M, such as 4+2")
        }
        return protection
    }

    func count(_ option: String) throws(CommandFailure) -> Int? {
        guard let text = invocation.value(option) else { return nil }
        guard let count = Int(text), count > 0 else { throw .usage("--\(option) takes a number above 0, not \(text)") }
        return count
    }

    /// `nil` when no rule was given.
    func retention() throws(CommandFailure) -> Retention? {
        let counts = [
            try count("keep-last"), try count("keep-daily"), try count("keep-weekly"), try count("keep-monthly"),
        ]
        guard counts.contains(where: { $0 != nil }) else { return nil }
        return Retention(
            last: counts[0] ?? 0, daily: counts[1] ?? 0, weekly: counts[2] ?? 0, monthly: counts[3] ?? 0)
    }

    /// Where to restore to: `--to`, or a folder of its own.
    func target(of backup: UUID) throws(CommandFailure) -> String {
        if let target = invocation.value("to") { return target }
        let folder = configuration.backupRestoreFolder
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw .failed("\(SystemError("make \(folder)"))") }
        return "\(folder)/\(backup)"
    }

    // MARK: What is backed up

    /// In the order of their paths.
    func sources() throws(CommandFailure) -> [any BackupSource] {
        var sources: [any BackupSource] = []
        if let file = invocation.value("config") ?? invocation.environment["PLEXICHAT_CONFIG"], !file.isEmpty {
            sources.append(FilesSource([(file, Self.path("configuration/plexichat.yaml"))]))
        }
        let data = configuration.data.folder
        if let blobs = try blobs() { sources.append(blobs) }
        switch configuration.store.url {
        case .sqlite:
            sources.append(
                SQLiteSource(
                    data + "/plexichat.db", as: Self.path("data/plexichat.db"), scratch: data + "/backup"))
        case .postgresql(let url):
            sources.append(PostgreSQLSource(url, as: Self.path("data/plexichat.pgdump")))
        }
        return sources
    }

    private func blobs() throws(CommandFailure) -> (any BackupSource)? {
        let path = Self.path("data/blobs")
        guard configuration.files.store == .s3 else {
            let folder = configuration.files.folder ?? configuration.data.folder + "/blobs"
            guard access(folder, F_OK) == 0 else { return nil }
            return FolderSource(folder, as: path, leavingOut: [folder + "/incoming"])
        }
        // A spool of its own: that of a server that runs is not to be swept.
        let spool = configuration.data.folder + "/backup/spool"
        do {
            let store = try S3BlobStore(
                try FileAssembly.s3(configuration, spoolingIn: spool),
                transport: CurlClient(loop: loop, options: configuration.outgoingOptions))
            return BlobsSource(store, as: path)
        } catch { throw .failed("files in S3: \(error)") }
    }

    private static func path(_ literal: StaticString) -> ItemPath {
        guard let path = ItemPath("\(literal)") else { preconditionFailure("\(literal) is the path of an item") }
        return path
    }

    // MARK: This machine

    func holder(_ purpose: String) -> LockHolder {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return LockHolder(name: "\(host), process \(getpid())", purpose: purpose)
    }

    /// On a machine without the data there is nothing to lock with.
    var guardFolder: String? {
        guard access(configuration.data.folder, W_OK) == 0 else { return nil }
        let folder = configuration.data.folder + "/backup"
        mkdir(folder, 0o700)
        return folder + "/locks"
    }

    func memory(of repository: Repository) -> BackupMemory {
        BackupMemory(configuration.data.folder + "/backup", repository)
    }

    // MARK: Progress

    /// Shows how far it is while `body` runs, where somebody looks at a terminal.
    func showing<Value: Sendable>(
        _ meter: BackupMeter, _ body: @escaping @Sendable () async throws(BackupError) -> Value
    ) async throws(CommandFailure) -> Value {
        guard isatty(STDERR_FILENO) == 1 else { return try await asking(body) }
        let output = invocation.output
        let bar = Task {
            while !Task.isCancelled {
                output.status("\r\u{1B}[K" + ProgressBar.text(meter.current, at: .now()))
                try? await Task.sleep(for: Self.barEvery)
            }
        }
        defer {
            bar.cancel()
            output.status("\r\u{1B}[K")
        }
        return try await asking(body)
    }
}

enum ProgressBar {
    private static let width = 30

    static func text(_ progress: BackupProgress, at now: Instant) -> String {
        let items = "\(progress.items) items, \(Sizes.text(progress.bytes))"
        guard let percentage = progress.percentage else { return "\(progress.phase.rawValue): \(items)" }
        let filled = Int(percentage / 100 * Double(width))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
        let rest = progress.remaining(at: now).map { ", \(Int($0.inSeconds.rounded(.up))) s left" } ?? ""
        let bad = progress.shards.count { $0.problem != nil }
        let places = bad == 0 ? "" : ", \(bad) of \(progress.shards.count) places fail"
        return "[\(bar)] \(Int(percentage)) % \(items)\(rest)\(places)"
    }
}

/// The newest record that this machine has seen of a repository, so that an older state of it is noticed.
struct BackupMemory {
    private let folder: String
    private let file: String

    init(_ folder: String, _ repository: Repository) {
        self.folder = folder
        file = "\(folder)/\(repository.id).seen"
    }

    var witness: RepositoryWitness? {
        let descriptor = Glibc.open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = Bytes(repeating: 0, count: 128)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        let words = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let sequence = UInt64(words[0]) else { return nil }
        return RepositoryWitness(sequence: sequence, hash: String(words[1]))
    }

    /// On a machine without the data folder nothing is remembered.
    func keep(_ witness: RepositoryWitness) {
        mkdir(folder, 0o700)
        let new = file + ".new"
        let descriptor = Glibc.open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        let text = Bytes("\(witness.sequence) \(witness.hash)\n".utf8)
        let count = text.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        let isDurable = fsync(descriptor) == 0
        close(descriptor)
        if count == text.count, isDurable { rename(new, file) } else { unlink(new) }
    }
}
