// What tasks of backups tell: how far they are, and what came of them. docs/protocol/backups.md has the members.

import Base
import Tasks
import Wire

extension BackupProgress {
    func task(at now: Instant = .now()) -> TaskProgress {
        TaskProgress(
            percentage: percentage, bytes: bytes, bytesExpected: bytesExpected, remaining: remaining(at: now),
            phase: phase.rawValue,
            details: JSONObject([
                ("items", .integer(Int64(clamping: items))), ("bytes_stored", .integer(Int64(clamping: bytesStored))),
                ("shards", .array(shards.map { .object($0.json) })),
            ]))
    }
}

extension BackupProgress.Shard {
    fileprivate var json: JSONObject {
        JSONObject([
            ("place", .string(place)), ("pieces", .integer(Int64(pieces))),
            ("bytes", .integer(Int64(clamping: bytes))), ("problem", problem.map { .string($0) } ?? .null),
        ])
    }
}

extension BackupResult {
    var json: JSONObject {
        let manifest = backup.manifest
        return JSONObject([
            ("backup_id", .string("\(manifest.id)")), ("items", .integer(Int64(clamping: manifest.items))),
            ("bytes", .integer(Int64(clamping: manifest.bytes))),
            ("new_bytes", .integer(Int64(clamping: manifest.newBytes))),
            ("protection", .string("\(manifest.protection)")),
            ("warnings", .texts(findings)),
        ])
    }
}

extension RestoreReport {
    func json(_ backup: UUID, _ folder: String) -> JSONObject {
        JSONObject([
            ("backup_id", .string("\(backup)")), ("folder", .string(folder)),
            ("items", .integer(Int64(clamping: items))), ("kept", .integer(Int64(clamping: kept))),
            ("bytes", .integer(Int64(clamping: bytes))),
        ])
    }
}

extension RemovalReport {
    func json(_ backup: UUID) -> JSONObject {
        JSONObject([
            ("backup_id", .string("\(backup)")), ("packs", .integer(Int64(packs))),
            ("bytes", .integer(Int64(clamping: bytes))),
        ])
    }
}

extension VerificationReport {
    var verdict: BackupCheck.Verdict { !isRestorable ? .damaged : warnings.isEmpty ? .whole : .degraded }

    func json(_ backup: UUID) -> JSONObject {
        JSONObject([
            ("backup_id", .string("\(backup)")), ("verdict", .string(verdict.rawValue)),
            ("depth", .string(depth.name)), ("is_restorable", .bool(isRestorable)),
            // Unknown where not every byte was read.
            ("checksums_match", depth == .everyByte ? .bool(isRestorable && shards.allSatisfy { $0.bad == 0 }) : .null),
            ("items", .integer(Int64(clamping: items))), ("packs", .integer(Int64(packs))),
            ("bytes", .integer(Int64(clamping: bytes))),
            (
                "shards",
                .array(
                    shards.map {
                        .object(
                            JSONObject([
                                ("place", .string($0.place)), ("good", .integer(Int64($0.good))),
                                ("bad", .integer(Int64($0.bad))),
                            ]))
                    })
            ),
            ("failures", .texts(failures)), ("warnings", .texts(warnings)),
        ])
    }
}

extension VerificationReport.Depth {
    /// As the API has it.
    package var name: String {
        switch self {
        case .structure: "structure"
        case .everyByte: "every_byte"
        }
    }

    package init?(name: String) {
        guard let depth = [Self.structure, .everyByte].first(where: { $0.name == name }) else { return nil }
        self = depth
    }
}

extension JSONValue {
    /// Of each list in a result: what more there is, `plexichat backup verify` says.
    private static let findingsMax = 100
    /// Bytes of one text; a lost piece names every place.
    private static let textBytesMax = 500

    fileprivate static func texts(_ errors: [BackupError]) -> JSONValue {
        .array(
            errors.prefix(findingsMax).map { error in
                .string(String(decoding: error.description.utf8.prefix(textBytesMax), as: UTF8.self))
            })
    }
}
