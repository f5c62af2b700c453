// The path of an item: docs/formats/backup.md, "Catalogue". What is not allowed cannot be made.

import Base

package struct ItemPath: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let description: String

    /// `nil` for what the format does not allow: empty, absolute, with `.` or `..`, too long, too deep.
    package init?(_ text: some StringProtocol) {
        let names = Substring(text).split(
            separator: "/", maxSplits: BackupLimits.pathDepth, omittingEmptySubsequences: false)
        guard (1...BackupLimits.path).contains(text.utf8.count), names.count <= BackupLimits.pathDepth,
            names.allSatisfy(Self.isName)
        else { return nil }
        description = String(text)
    }

    private static func isName(_ name: Substring) -> Bool {
        (1...BackupLimits.nameInPath).contains(name.utf8.count) && name != "." && name != ".."
            && !name.utf8.contains(0)
    }

    package func appending(_ name: String) -> ItemPath? { ItemPath("\(description)/\(name)") }

    var names: [Substring] { description.split(separator: "/") }

    /// Itself, or below it.
    package func isWithin(_ other: ItemPath) -> Bool {
        let (own, prefix) = (description.utf8, other.description.utf8)
        guard own.count > prefix.count else { return self == other }
        return own.starts(with: prefix) && own.dropFirst(prefix.count).first == UInt8(ascii: "/")
    }

    /// By bytes, with `/` before every other one: the order of a walk through sorted folders. Names hold no zero byte.
    package static func < (left: ItemPath, right: ItemPath) -> Bool {
        left.description.utf8.lexicographicallyPrecedes(right.description.utf8) { rank($0) < rank($1) }
    }

    private static func rank(_ byte: UInt8) -> UInt8 { byte == UInt8(ascii: "/") ? 0 : byte }

    /// By bytes, not by what Unicode calls equal.
    package static func == (left: ItemPath, right: ItemPath) -> Bool {
        left.description.utf8.elementsEqual(right.description.utf8)
    }

    package func hash(into hasher: inout Hasher) { for byte in description.utf8 { hasher.combine(byte) } }
}
