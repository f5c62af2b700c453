// `plexichat backup …`: what the commands say and ask. The work is Backup's.

import Backup
import Base
import Configuration
import Glibc
import Net
import Store
import Vault

enum BackupCommand {
    @Sendable static func create(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (session) async throws(CommandFailure) in
            let protection = try session.protection()
            let repository = try await session.open(orMake: invocation.has("new"))
            var options = BackupOptions(holder: session.holder("backup"))
            options.isIncremental = invocation.has("incremental")
            options.protection = protection
            options.bytesPerSecond = try session.count("limit") ?? session.configuration.backup.bandwidth
            options.bytesMax = session.configuration.backup.maxSize.map { UInt64($0) }
            options.note = invocation.value("note") ?? ""
            options.program = "plexichat \(ProductVersion.text)"
            options.guardFolder = session.guardFolder
            options.known = session.memory(of: repository).witness
            let meter = BackupMeter(repository)
            let sources = try session.sources()
            let result = try await session.showing(meter) { [options] () async throws(BackupError) in
                try await BackupWriter.write(sources, to: repository, options, clock: .system, meter: meter)
            }
            session.memory(of: repository).keep(result.witness)
            let manifest = result.backup.manifest
            for finding in result.findings { invocation.output.complain("! \(finding)") }
            for shard in meter.current.shards where shard.problem != nil {
                invocation.output.complain("\(shard.place): \(shard.problem ?? "")")
            }
            invocation.output.line(
                "backup \(manifest.id): \(manifest.items) items, \(Sizes.text(manifest.bytes)), "
                    + "\(Sizes.text(manifest.newBytes)) of it new; \(manifest.protection)")
        }
    }

    @Sendable static func list(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (session) async throws(CommandFailure) in
            let repository = try await session.open(orMake: false)
            let state = try await session.asking { () async throws(BackupError) in
                try await repository.state(adopting: false)
            }
            for backup in state.backups {
                let manifest = backup.manifest
                let note = manifest.note.isEmpty ? "" : "  \(manifest.note)"
                invocation.output.line(
                    "\(manifest.id)  \(manifest.taken.rfc3339)  \(manifest.isIncremental ? "incremental" : "full")  "
                        + "\(manifest.items) items  \(Sizes.text(manifest.bytes))  "
                        + "+\(Sizes.text(manifest.newBytes))  \(manifest.protection)\(note)")
            }
            if state.backups.isEmpty { invocation.output.line("There are no backups yet.") }
            for finding in state.findings { invocation.output.complain("!! \(finding)") }
        }
    }

    @Sendable static func verify(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (session) async throws(CommandFailure) in
            let repository = try await session.open(orMake: false)
            let backup = try await session.backup(invocation.argument("ID"), repository)
            let depth: VerificationReport.Depth = invocation.has("structure") ? .structure : .everyByte
            let meter = BackupMeter(repository)
            let known = session.memory(of: repository).witness
            let report = try await session.showing(meter) { () async throws(BackupError) in
                try await Verifier.verify(repository, backup: backup, depth, known: known, meter: meter)
            }
            for warning in report.warnings { invocation.output.complain("! \(warning)") }
            for failure in report.failures { invocation.output.complain("!! \(failure)") }
            for shard in report.shards where shard.good + shard.bad > 0 {
                invocation.output.line("\(shard.place): \(shard.good) pieces good, \(shard.bad) bad")
            }
            let what = "\(report.backups) backups, \(report.items) items, \(report.packs) packs"
            guard report.isRestorable else { throw .failed("\(what): something is lost") }
            let how = depth == .everyByte ? ", every byte read" : ""
            invocation.output.line("\(what)\(how): all can be restored")
        }
    }

    @Sendable static func restore(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (session) async throws(CommandFailure) in
            let repository = try await session.open(orMake: false)
            guard let backup = try await session.backup(invocation.argument("ID"), repository) else {
                throw .usage("the backup's id is missing")
            }
            let target = try session.target(of: backup)
            var options = RestoreOptions(target: target)
            options.overwrites = invocation.has("overwrite")
            options.merges = invocation.has("merge")
            options.known = session.memory(of: repository).witness
            for text in invocation.values("only") {
                guard let path = ItemPath(text) else { throw .usage("\(text) is not the path of an item") }
                options.selection.append(path)
            }
            let meter = BackupMeter(repository)
            let report = try await session.showing(meter) { [options] () async throws(BackupError) in
                try await Restorer.restore(backup, of: repository, options, meter: meter)
            }
            let kept = report.kept == 0 ? "" : "; \(report.kept) were there already, and stay as they are"
            invocation.output.line("\(report.items) items, \(Sizes.text(report.bytes)), restored to \(target)\(kept)")
        }
    }

    @Sendable static func remove(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (session) async throws(CommandFailure) in
            let repository = try await session.open(orMake: false)
            var ids: Set<UUID> = []
            if let id = try await session.backup(invocation.argument("ID"), repository) { ids.insert(id) }
            if let retention = try session.retention() {
                let state = try await session.asking { () async throws(BackupError) in
                    try await repository.state(adopting: false)
                }
                ids.formUnion(retention.removable(state.backups))
            }
            let known = session.memory(of: repository).witness
            let (report, witness) = try await session.asking { [ids] () async throws(BackupError) in
                try await BackupRemoval.remove(
                    ids, from: repository, holder: session.holder("removal"), guardFolder: session.guardFolder,
                    known: known, clock: .system)
            }
            if let witness { session.memory(of: repository).keep(witness) }
            invocation.output.line(
                "\(report.backups) backups removed, \(Sizes.text(report.bytes)) in \(report.packs) packs freed"
                    + (report.rewritten > 0
                        ? "; \(report.rewritten) of these were rewritten, to \(Sizes.text(report.bytesRewritten))" : "")
            )
        }
    }

    static func run(
        _ invocation: Invocation, _ body: (BackupSession) async throws(CommandFailure) -> Void
    ) async -> ExitCode {
        await invocation.run(complain: { $0.complain(of: "backup", invocation.output) }) {
            (configuration) async throws(CommandFailure) in
            let shards = try startShards()
            defer { shards.stop() }
            try await body(try await BackupSession(invocation, configuration, on: shards))
        }
    }
}

extension BackupCommand {
    private static func startShards() throws(CommandFailure) -> ShardGroup {
        do { return try ShardGroup(count: 1) } catch { throw .failed("a thread could not be started: \(error)") }
    }
}

/// Why a command ends, in words for a person.
enum CommandFailure: Error, CustomStringConvertible {
    case usage(String)
    case failed(String)

    var description: String {
        switch self {
        case .usage(let text), .failed(let text): text
        }
    }

    /// Says it, and with which code the command ends.
    func complain(of command: String, _ output: Output) -> ExitCode {
        output.complain("plexichat \(command): \(self)")
        switch self {
        case .usage: return .usage
        case .failed: return .failure
        }
    }
}

enum Sizes {
    static func text(_ bytes: UInt64) -> String {
        var (value, unit) = (Double(bytes), 0)
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        while value >= 1_024, unit < units.count - 1 {
            value /= 1_024
            unit += 1
        }
        if unit == 0 { return "\(bytes) B" }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }
}
