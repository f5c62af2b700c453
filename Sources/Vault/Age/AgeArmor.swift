// age files as text: docs/formats/age.md, "Armour".

package import Base

package enum AgeArmor {
    static let firstLine = Bytes("-----BEGIN AGE ENCRYPTED FILE-----".utf8)
    static let lastLine = Bytes("-----END AGE ENCRYPTED FILE-----".utf8)
    static let columns = 64
    static let bytesPerLine = 48
    /// As much white space as `age` takes before, and after.
    package static let mostSpace = 1_024

    /// Whether this is the beginning of an armoured file rather than of a binary one.
    package static func begins(_ file: Bytes) -> Bool {
        file.first { !isSpace($0) } == UInt8(ascii: "-")
    }

    /// A whole file.
    package static func decode(_ text: Bytes) throws(AgeError) -> Bytes {
        var decoder = AgeArmorDecoder()
        var file = Bytes()
        file.reserveCapacity(text.count * 3 / 4)
        let bytes = text.span.bytes
        try bytes.withUnsafeBytes { bytes throws(AgeError) in try decoder.update(bytes, into: &file) }
        try decoder.finish(into: &file)
        return file
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}

package struct AgeArmorEncoder: Sendable {
    private var hasBegun = false
    private var pending = Bytes()

    package init() {}

    package mutating func update(_ bytes: UnsafeRawBufferPointer, into text: inout Bytes) {
        begin(&text)
        pending += bytes
        var start = 0
        while pending.count - start >= AgeArmor.bytesPerLine {
            line(Bytes(pending[start..<start + AgeArmor.bytesPerLine]), into: &text)
            start += AgeArmor.bytesPerLine
        }
        pending.removeFirst(start)
    }

    package mutating func finish(into text: inout Bytes) {
        begin(&text)
        if !pending.isEmpty { line(pending, into: &text) }
        pending = []
        text += AgeArmor.lastLine + [UInt8(ascii: "\n")]
    }

    private mutating func begin(_ text: inout Bytes) {
        if !hasBegun { text += AgeArmor.firstLine + [UInt8(ascii: "\n")] }
        hasBegun = true
    }

    private func line(_ bytes: Bytes, into text: inout Bytes) {
        text += Base64.encode(bytes).utf8
        text.append(UInt8(ascii: "\n"))
    }
}

package struct AgeArmorDecoder: Sendable {
    private enum Phase {
        case before
        case body
        /// A line shorter than 64 characters was the last one.
        case bodyEnded
        case after
    }

    private var phase = Phase.before
    /// The current line, without its end.
    private var line = Bytes()
    private var spaceCount = 0

    package init() {}

    package mutating func update(_ text: UnsafeRawBufferPointer, into file: inout Bytes) throws(AgeError) {
        for byte in text {
            if phase == .after {
                try countSpace(byte)
            } else if byte == UInt8(ascii: "\n") {
                try endLine(into: &file)
            } else {
                try add(byte)
            }
        }
    }

    /// The last line may have no end.
    package mutating func finish(into file: inout Bytes) throws(AgeError) {
        if phase != .after, !line.isEmpty { try endLine(into: &file) }
        guard phase == .after else { throw .truncated(.armor) }
    }

    private mutating func add(_ byte: UInt8) throws(AgeError) {
        line.append(byte)
        // The longest line has 64 characters and a carriage return; before the first, there may be spaces.
        guard line.count <= (phase == .before ? AgeArmor.mostSpace : AgeArmor.columns + 1) else {
            throw .malformedArmor("a line is too long")
        }
    }

    private mutating func countSpace(_ byte: UInt8) throws(AgeError) {
        guard AgeArmor.isSpace(byte) else { throw .malformedArmor("something follows the last line") }
        spaceCount += 1
        guard spaceCount < AgeArmor.mostSpace else { throw .malformedArmor("too much white space after the last line") }
    }

    private mutating func endLine(into file: inout Bytes) throws(AgeError) {
        let length = line.count + 1
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        defer { line.removeAll(keepingCapacity: true) }
        switch phase {
        case .before:
            if line == AgeArmor.firstLine {
                phase = .body
                spaceCount = 0
                return
            }
            spaceCount += length
            guard line.allSatisfy(AgeArmor.isSpace), spaceCount <= AgeArmor.mostSpace else {
                throw .malformedArmor("the first line is not `-----BEGIN AGE ENCRYPTED FILE-----`")
            }
        case .body where line != AgeArmor.lastLine: try decode(into: &file)
        case .body, .bodyEnded:
            guard line == AgeArmor.lastLine else {
                throw .malformedArmor("a line that is not the last one is shorter than 64 characters")
            }
            phase = .after
        case .after: break
        }
    }

    private mutating func decode(into file: inout Bytes) throws(AgeError) {
        guard !line.isEmpty, line.count <= AgeArmor.columns,
            let bytes = Base64.decode(String(decoding: line, as: UTF8.self))
        else { throw .malformedArmor("a line is not canonical Base64 of 1 to 64 characters") }
        file += bytes
        if bytes.count < AgeArmor.bytesPerLine { phase = .bodyEnded }
    }
}
