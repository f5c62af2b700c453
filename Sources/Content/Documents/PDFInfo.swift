// How many pages a PDF has, its title and its author. Not one page is looked at.

package import Base

package enum PDFInfo {
    /// `nil` for what is no PDF. What cannot be found is left out.
    package static func read(_ input: Bytes) throws(ImageFailure) -> DocumentInfo? {
        guard var file = PDFFile(input) else { return nil }
        guard let root = file.resolve(file.trailer["Root"])?.dictionary else { throw .damaged }
        var info = DocumentInfo()
        let pages = file.resolve(root["Pages"])?.dictionary?["Count"]
        if let count = file.resolve(pages)?.number, (0...DocumentInfo.pagesMax).contains(count) { info.pages = count }
        info.isEncrypted = file.trailer["Encrypt"].map { $0 != .null } ?? false
        // Strings of an encrypted file are encrypted too.
        guard !info.isEncrypted, let about = file.resolve(file.trailer["Info"])?.dictionary else { return info }
        if case .string(let title)? = file.resolve(about["Title"]) { info.title = text(title) }
        if case .string(let author)? = file.resolve(about["Author"]) { info.author = text(author) }
        return info
    }

    /// UTF-16 or UTF-8 with their marks, else PDFDocEncoding. One line, without control characters.
    static func text(_ bytes: Bytes) -> String? {
        let text: String
        if bytes.starts(with: [0xFE, 0xFF]) {
            let units = stride(from: 2, to: bytes.count - 1, by: 2).map {
                UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
            }
            text = String(decoding: units, as: UTF16.self)
        } else if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            text = String(decoding: bytes.dropFirst(3), as: UTF8.self)
        } else {
            text = String(String.UnicodeScalarView(bytes.map(scalar)))
        }
        return tidy(text)
    }

    private static func tidy(_ text: String) -> String? {
        var kept = ""
        var count = 0
        var isGap = false
        for scalar in text.unicodeScalars {
            // Control characters, and those that turn the direction of what stands around.
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            let isTurning = (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
            if isTurning { continue }
            if isControl || scalar == " " {
                isGap = !kept.isEmpty
                continue
            }
            let width = UTF8.width(scalar) + (isGap ? 1 : 0)
            guard count + width <= DocumentInfo.textBytesMax else { break }
            if isGap { kept.unicodeScalars.append(" ") }
            kept.unicodeScalars.append(scalar)
            count += width
            isGap = false
        }
        return kept.isEmpty ? nil : kept
    }

    /// What differs from Latin-1, from 0x80 on (ISO 32000-1, D.2).
    private static let special: [UInt32] = [
        0x2022, 0x2020, 0x2021, 0x2026, 0x2014, 0x2013, 0x0192, 0x2044, 0x2039, 0x203A, 0x2212, 0x2030, 0x201E, 0x201C,
        0x201D, 0x2018, 0x2019, 0x201A, 0x2122, 0xFB01, 0xFB02, 0x0141, 0x0152, 0x0160, 0x0178, 0x017D, 0x0131, 0x0142,
        0x0153, 0x0161, 0x017E, 0xFFFD, 0x20AC,
    ]

    private static func scalar(_ byte: UInt8) -> Unicode.Scalar {
        guard byte >= 0x80, Int(byte) - 0x80 < special.count else { return Unicode.Scalar(byte) }
        return Unicode.Scalar(special[Int(byte) - 0x80]) ?? "?"
    }
}

extension UTF8 {
    fileprivate static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0..<0x80: 1
        case 0x80..<0x800: 2
        case 0x800..<0x1_0000: 3
        default: 4
        }
    }
}
