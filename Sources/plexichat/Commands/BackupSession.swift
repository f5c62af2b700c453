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

    func sources() throws(CommandFailure) -> [any BackupSource] {
        let file = invocation.value("config") ?? invocation.environment["PLEXICHAT_CONFIG"] ?? ""
        do throws(BackupError) {
            return try BackupSources.make(configuration, configurationFile: file.isEmpty ? nil : file, on: loop)
        } catch { throw .failed("\(error)") }
    }

    // MARK: This machine

    func holder(_ purpose: String) -> LockHolder { LockHolder(name: BackupSources.holderName, purpose: purpose) }

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
