// Zones by their names: the files of the machine, and UTC without one. docs/formats/cron.md, "Zones".

import Base
import Glibc
package import Wire

/// The name of a zone, of a form that leads to nothing outside of the folder.
package struct ZoneName: Sendable, Hashable, CustomStringConvertible {
    private static let textMax = 64
    private static let partsMax = 4

    package static let utc = ZoneName(trusted: "UTC")

    package let text: String

    private init(trusted text: String) { self.text = text }

    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard text.utf8.count <= Self.textMax, parts.count <= Self.partsMax, parts.allSatisfy(Self.isPart) else {
            return nil
        }
        self.text = text
    }

    private static func isPart(_ part: Substring) -> Bool {
        guard let first = part.utf8.first, isLetter(first) else { return false }
        return part.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "-"): true
            default: isLetter(byte)
            }
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    package var description: String { text }
}

package struct ZoneFiles: Sendable {
    private static let usualFolder = "/usr/share/zoneinfo"

    /// Why a zone cannot be had; reads on from its name.
    package struct Refusal: Error, Equatable {
        package let reason: String
    }

    private let folder: String

    package init(folder: String) { self.folder = folder }

    /// As other programs of the machine find them.
    package static func ofMachine() -> ZoneFiles {
        let named = getenv("TZDIR").map { String(cString: $0) } ?? ""
        return ZoneFiles(folder: named.isEmpty ? usualFolder : named)
    }

    /// Reads it anew each time: the machine's rules change while a server runs.
    package func rules(of name: ZoneName) throws(Refusal) -> TimeZoneRules {
        if name == .utc { return .utc }
        let path = "\(folder)/\(name)"
        let bytes: Bytes
        do throws(BackupError) { bytes = try Self.read(path) } catch {
            throw Refusal(reason: "cannot be read: \(error)")
        }
        do throws(WireError) { return try TimeZoneRules(parsing: bytes) } catch {
            throw Refusal(reason: "is no zone (\(path): \(error.reason))")
        }
    }

    /// Follows links: the database calls one zone by several names.
    private static func read(_ path: String) throws(BackupError) -> Bytes {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR {
                throw .unavailable("there is no \(path); look at the name, and whether tzdata is installed")
            }
            throw Files.failure("open \(path)")
        }
        let file = OpenFile(owning: descriptor)
        guard try file.status(path).st_mode & S_IFMT == S_IFREG else { throw .unavailable("\(path) is not a file") }
        // One byte more than may be, so that a longer file is found out.
        return try file.read(at: 0, count: TimeZoneRules.fileMax + 1, path)
    }
}
