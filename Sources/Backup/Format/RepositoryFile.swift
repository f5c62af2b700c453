// The names that files have in a place: docs/formats/backup.md, "Names in a place".

import Base

enum RepositoryFile: Hashable, Sendable {
    case configuration(Digest)
    case record(UInt64, Digest)
    case index(Digest)
    case pack(Digest)
    case piece(PieceName)
    case lock(UUID)
    case keys(Digest)

    struct PieceName: Hashable, Sendable {
        let object: Digest
        let index: Int
        let protection: Protection
    }

    var name: String {
        switch self {
        case .configuration(let id): "config/\(id)"
        case .record(let sequence, let id): "records/\(Self.sixteen(sequence))-\(id)"
        case .index(let id): "indexes/\(id)"
        case .pack(let id): "packs/\(id.description.prefix(2))/\(id)"
        case .piece(let piece):
            "packs/\(piece.object.description.prefix(2))/\(piece.object).\(piece.index)-\(piece.protection.data)"
                + "-\(piece.protection.parity)"
        case .lock(let id): "locks/\(id)"
        case .keys(let id): "keys/\(id)"
        }
    }

    /// `nil` for a name that this format does not write.
    init?(_ name: String) {
        guard let slash = name.firstIndex(of: "/") else { return nil }
        let rest = name[name.index(after: slash)...]
        switch name[..<slash] {
        case "config":
            guard let id = Digest(hex: rest) else { return nil }
            self = .configuration(id)
        case "indexes":
            guard let id = Digest(hex: rest) else { return nil }
            self = .index(id)
        case "keys":
            guard let id = Digest(hex: rest) else { return nil }
            self = .keys(id)
        case "locks":
            guard let id = UUID(rest), id.description == rest else { return nil }
            self = .lock(id)
        case "records":
            guard let hex = Hex.decode(rest.prefix(16)), hex.count == 8, rest.dropFirst(16).first == "-",
                let id = Digest(hex: rest.dropFirst(17))
            else { return nil }
            self = .record(hex.reduce(0) { $0 << 8 | UInt64($1) }, id)
        case "packs":
            guard let file = Self.pack(rest) else { return nil }
            self = file
        default: return nil
        }
        // One name for one file, and no other spelling.
        guard self.name == name else { return nil }
    }

    private static func pack(_ rest: Substring) -> RepositoryFile? {
        let parts = rest.dropFirst(3).split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let hex = parts.first, let id = Digest(hex: hex) else { return nil }
        if parts.count == 1 { return .pack(id) }
        let numbers = parts[1].split(separator: "-", omittingEmptySubsequences: false).map { UInt8($0) }
        guard numbers.count == 3, let index = numbers[0], let data = numbers[1], let parity = numbers[2], data > 1,
            let protection = Protection(data: Int(data), parity: Int(parity)), index < data + parity
        else { return nil }
        return .piece(PieceName(object: id, index: Int(index), protection: protection))
    }

    private static func sixteen(_ value: UInt64) -> String {
        var bytes = Bytes()
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
        }
        return Hex.encode(bytes)
    }
}
