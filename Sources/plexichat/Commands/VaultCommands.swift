// `plexichat vault …`: keys, by who has the machine. Works on the data itself, with the server running or not.

import Accounts
import Backup
import Base
import CShims
import Configuration
import Glibc
import Net
import Store
import Vault

enum VaultCommands {
    @Sendable static func status(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (accounts) async throws(VaultFailure) in
            let book = try await key { () async throws(KeyFault) in try await accounts.keyBook(by: .console) }
            let output = invocation.output
            output.line("root key     \(accounts.keys.rootSource), replaced \(book.root.epoch) times")
            for named in book.keys.values.sorted(by: { $0.name < $1.name }) {
                let next = named.rotatesAt.map { ", next \($0.rfc3339)" } ?? ""
                output.line("\(named.name)  (\(named.kind.rawValue), \(named.schedule ?? "policy")\(next))")
                for version in named.versions.reversed() { output.line(line(version)) }
            }
        }
    }

    private static func line(_ version: KeyVersion) -> String {
        var text = "  \(version.number)  \(version.state.rawValue), since \(version.changedAt.rfc3339)"
        text += ", fingerprint \(version.fingerprint)"
        if let until = version.opensUntil, version.state != .destroyed { text += ", opens until \(until.rfc3339)" }
        if let time = version.destroyAt { text += ", to be destroyed \(time.rfc3339)" }
        return text
    }

    @Sendable static func rotate(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (accounts) async throws(VaultFailure) in
            guard let name = invocation.argument("KEY") else { throw .usage("a key's name is missing") }
            if let schedule = invocation.value("schedule") {
                try await key { () async throws(KeyFault) in
                    try await accounts.scheduleKey(
                        name, schedule == "policy" ? nil : schedule, first: nil, by: .console, origin: .console)
                }
                let book = try await key { () async throws(KeyFault) in try await accounts.keyBook(by: .console) }
                invocation.output.line("next rotation: \(book.keys[name]?.rotatesAt?.rfc3339 ?? "never")")
                return
            }
            let number = try await key { () async throws(KeyFault) in
                try await accounts.rotateKey(name, by: .console, origin: .console)
            }
            invocation.output.line("\(name):\(number) is the active version")
        }
    }

    @Sendable static func rewrap(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (accounts) async throws(VaultFailure) in
            guard let name = invocation.argument("KEY") else { throw .usage("a key's name is missing") }
            let output = invocation.output
            let count = try await key { () async throws(KeyFault) in
                try await accounts.rewrapKey(name, by: .console, origin: .console) { done, total in
                    output.line("\(done) of \(total)")
                }
            }
            output.line(count == 0 ? "nothing was sealed by an older version" : "\(count) values sealed anew")
        }
    }

    @Sendable static func disable(_ invocation: Invocation) async -> ExitCode {
        await change(invocation, "disabled") { (accounts, name, version) async throws(KeyFault) in
            try await accounts.disableKey(name, version, by: .console, origin: .console)
        }
    }

    @Sendable static func enable(_ invocation: Invocation) async -> ExitCode {
        await change(invocation, "enabled: it opens again") { (accounts, name, version) async throws(KeyFault) in
            try await accounts.enableKey(name, version, by: .console, origin: .console)
        }
    }

    @Sendable static func keep(_ invocation: Invocation) async -> ExitCode {
        await change(invocation, "kept: disabled until it is enabled") {
            (accounts, name, version) async throws(KeyFault) in
            try await accounts.cancelKeyDestruction(name, version, by: .console, origin: .console)
        }
    }

    @Sendable static func destroy(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (accounts) async throws(VaultFailure) in
            let (name, version) = try reference(invocation)
            let wait = try invocation.value("wait").map { text throws(VaultFailure) in
                guard let wait = DurationText.parse(text) else {
                    throw VaultFailure.usage("\(text) is not a duration such as 30d")
                }
                return wait
            }
            let time = try await key { () async throws(KeyFault) in
                try await accounts.destroyKey(
                    name, version, force: invocation.has("force"), after: wait, by: .console, origin: .console)
            }
            invocation.output.line("\(name):\(version) opens nothing any more and is destroyed at \(time.rfc3339)")
        }
    }

    @Sendable static func shares(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (accounts) async throws(VaultFailure) in
            guard let count = invocation.value("of").flatMap({ Int($0) }),
                let needed = invocation.value("needed").flatMap({ Int($0) })
            else { throw .usage("say how many shares with --of, and how many of them are needed with --needed") }
            let shares = try await key { () async throws(KeyFault) in
                try await accounts.recoveryShares(needed: needed, of: count, by: .console, origin: .console)
            }
            for share in shares { invocation.output.line(share.text.exposedText) }
            invocation.output.complain("\(needed) of these \(count) bring the root key back; fewer tell nothing.")
        }
    }

    @Sendable static func rekeyRoot(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (accounts) async throws(VaultFailure) in
            var next = VaultKeys.NextRoot.sameFile
            if let text = invocation.value("to") {
                guard let configured = RootKeySource(text), configured != .file(nil) else {
                    throw .usage("\(text) names no source; file:PATH is one, others are in the help")
                }
                next = .source(try loaded(invocation).source(configured))
            }
            let wanted = next
            let source = try await key { () async throws(KeyFault) in
                try await accounts.replaceRootKey(by: wanted, actor: .console, origin: .console)
            }
            invocation.output.line("the root key comes from \(source) now; all keys are wrapped under it")
            if case .file(let path) = source, next == .sameFile {
                invocation.output.line("the one before is \(path).old: keep it as long as backups from before")
            } else {
                invocation.output.line("set vault.root_key to \(invocation.value("to") ?? "") before the next start")
            }
        }
    }

    @Sendable static func recover(_ invocation: Invocation) async -> ExitCode {
        do throws(VaultFailure) {
            try await recover(invocation, try loaded(invocation))
            return .success
        } catch {
            return complain(error, invocation.output)
        }
    }

    private static func recover(
        _ invocation: Invocation, _ configuration: Configuration
    ) async throws(VaultFailure) {
        let path = try output(invocation, configuration)
        let shares = try readShares()
        if !invocation.values("place").isEmpty {
            try await recover(shares, besides: invocation.values("place"), configuration, to: path)
            invocation.output.line("the root key is in \(path)")
            return
        }
        let opened: (ShardGroup, any Database)
        do throws(StartFailure) {
            opened = try await Storage.openUnsealed(configuration, shards: 1)
        } catch { throw .start(error) }
        let repository = SQLKeyRepository(database: opened.1)
        var failure: VaultFailure?
        do {
            guard let record = try await repository.load()?.root else {
                throw VaultFailure.usage("this data has had no root key yet; there is nothing to recover")
            }
            _ = try Vault.recover(shares, record: record, to: path)
        } catch let error as VaultFailure {
            failure = error
        } catch let error as VaultError {
            failure = .key(.key(.vault(error)))
        } catch let error as KeyError {
            failure = .key(.key(error))
        } catch {
            failure = .usage("\(error)")
        }
        await opened.1.close()
        opened.0.stop()
        if let failure { throw failure }
        invocation.output.line("the root key is in \(path)")
    }

    /// Where only backups are left.
    private static func recover(
        _ shares: [RecoveryShare], besides names: [String], _ configuration: Configuration, to path: String
    ) async throws(VaultFailure) {
        guard let shards = try? ShardGroup(count: 1) else { throw .usage("a thread could not be started") }
        defer { shards.stop() }
        do throws(BackupError) {
            let made = try BackupPlaces.make(configuration, named: names, on: shards.first, making: false)
            try await RootRecovery.recover(shares, places: made.places, to: path)
        } catch { throw .usage("\(error)") }
    }

    private static func output(
        _ invocation: Invocation, _ configuration: Configuration
    ) throws(VaultFailure) -> String {
        if let path = invocation.value("output") { return path }
        guard case .file(let path) = configuration.rootKeySource else {
            throw .usage("vault.root_key names no file; say with --output where the root key is to be written")
        }
        return path
    }

    /// Far more than all shares there can be.
    private static let sharesMax = 64
    private static let lineMax = 1_024

    private static func readShares() throws(VaultFailure) -> [RecoveryShare] {
        var shares: [RecoveryShare] = []
        var line = Bytes()
        defer { line.withUnsafeMutableBytes { plexi_zeroise($0.baseAddress, UInt($0.count)) } }
        func take() throws(VaultFailure) {
            defer { line.removeAll(keepingCapacity: true) }
            guard line.contains(where: { $0 > 0x20 }) else { return }
            guard shares.count < sharesMax else { throw .usage("at most \(sharesMax) shares are read") }
            do throws(VaultError) {
                shares.append(try RecoveryShare(parsing: Secret(line)))
            } catch { throw .key(.key(.vault(error))) }
        }
        var byte: UInt8 = 0
        while read(STDIN_FILENO, &byte, 1) == 1 {
            if byte == 0x0A {
                try take()
            } else {
                guard line.count < lineMax else { throw .usage("a line is too long for a share") }
                line.append(byte)
            }
        }
        try take()
        return shares
    }

    // MARK: Parts

    private enum VaultFailure: Error {
        case usage(String)
        case configuration(ConfigurationProblems)
        case start(StartFailure)
        case key(KeyFault)
    }

    private static func change(
        _ invocation: Invocation, _ words: String,
        _ body: @escaping @Sendable (AccountService, String, UInt32) async throws(KeyFault) -> Void
    ) async -> ExitCode {
        await run(invocation) { (accounts) async throws(VaultFailure) in
            let (name, version) = try reference(invocation)
            try await key { () async throws(KeyFault) in try await body(accounts, name, version) }
            invocation.output.line("\(name):\(version) is \(words)")
        }
    }

    private static func reference(_ invocation: Invocation) throws(VaultFailure) -> (String, UInt32) {
        let parts = (invocation.argument("KEY:VERSION") ?? "").split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let version = UInt32(parts[1]) else {
            throw .usage("a version of a key is named as `backup:1`; `plexichat vault status` shows them")
        }
        return (String(parts[0]), version)
    }

    private static func loaded(_ invocation: Invocation) throws(VaultFailure) -> Configuration {
        do throws(ConfigurationProblems) {
            return try invocation.loadConfiguration().values
        } catch { throw .configuration(error) }
    }

    private static func key<Value>(
        _ body: () async throws(KeyFault) -> Value
    ) async throws(VaultFailure) -> Value {
        do { return try await body() } catch { throw .key(error) }
    }

    private static func run(
        _ invocation: Invocation, _ body: (AccountService) async throws(VaultFailure) -> Void
    ) async -> ExitCode {
        await invocation.run(complain: { complain($0, invocation.output) }) {
            (configuration) async throws(VaultFailure) in
            try await configuration.withAccounts(orFail: VaultFailure.start) {
                (_, accounts) async throws(VaultFailure) in try await body(accounts)
            }
        }
    }

    private static func complain(_ failure: VaultFailure, _ output: Output) -> ExitCode {
        switch failure {
        case .usage(let text):
            output.complain("plexichat vault: \(text)")
            return .usage
        case .configuration(let problems):
            output.complain("plexichat vault: \(problems)")
            return .usage
        case .start(let failure): output.complain("plexichat vault: \(failure)")
        case .key(.key(let error)): output.complain("plexichat vault: \(error)")
        case .key(.account(let error)): output.complain("plexichat vault: \(error)")
        }
        return .failure
    }
}
