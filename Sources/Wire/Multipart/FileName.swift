// Names that clients give to files.

import Base

package enum FileName {
    /// What file systems take for one name.
    private static let maximumBytes = 255

    /// A name that can be shown, stored and sent back: what follows the last `/` or `\`, without control characters and
    /// characters that turn the direction of text (`photo\u{202E}gnp.exe`), without dots and spaces at the ends, cut to
    /// 255 bytes before its extension. `nil` when nothing is left.
    package static func sanitised(_ name: String) -> String? {
        let scalars = name.unicodeScalars
        let last = scalars.lastIndex { $0 == "/" || $0 == "\\" }.map { scalars.index(after: $0) }
        var kept = String.UnicodeScalarView(scalars[(last ?? scalars.startIndex)...].filter(isAllowed))[...]
        while let first = kept.first, first == " " { kept.removeFirst() }
        guard let name = trimmed(kept) else { return nil }
        // A cut may leave a space or a dot at the end.
        return trimmed(shortened(name).unicodeScalars[...])
    }

    private static func trimmed(_ name: Substring.UnicodeScalarView) -> String? {
        var kept = name
        while let last = kept.last, last == " " || last == "." { kept.removeLast() }
        return kept.isEmpty ? nil : String(kept)
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: false
        default: true
        }
    }

    private static func shortened(_ name: String) -> String {
        guard name.utf8.count > maximumBytes else { return name }
        let dot = name.unicodeScalars.lastIndex(of: ".")
        // An extension longer than this is not one.
        let ending = dot.map { String(name[$0...]) }.flatMap { $0.utf8.count <= 16 ? $0 : nil } ?? ""
        var stem = ""
        var room = maximumBytes - ending.utf8.count
        for scalar in name.unicodeScalars.dropLast(ending.unicodeScalars.count) {
            room -= UTF8.width(scalar)
            guard room >= 0 else { break }
            stem.unicodeScalars.append(scalar)
        }
        return stem + ending
    }
}
