// QR codes (ISO/IEC 18004) for what a phone is to read from a screen, such as the secret of an authenticator app:
// byte mode, error correction level M (15 % of the code may be unreadable), versions 1 to 15.

package import Base

package struct QRCode: Sendable, Equatable {
    /// Modules per side, without the light border.
    package let size: Int
    /// Row by row, from the top left.
    private let modules: [Bool]

    /// More bytes than this do not fit into version 15. Larger codes are hard to read from a screen.
    package static let longest = 412
    /// The light border that readers need (§6.3.8), in modules.
    package static let border = 4

    /// `nil` when the text is longer than `longest`.
    package init?(_ text: String) { self.init(Bytes(text.utf8)) }

    package init?(_ bytes: Bytes) {
        guard let version = QRVersion.smallest(for: bytes.count) else { return nil }
        let codewords = version.codewords(bytes)
        let candidates = (0..<8).map { QRMatrix(version, codewords, mask: $0) }
        guard let best = candidates.min(by: { $0.penalty < $1.penalty }) else { return nil }
        self.init(best)
    }

    /// With a given mask, to compare with other makers of codes.
    init?(_ bytes: Bytes, mask: Int) {
        guard let version = QRVersion.smallest(for: bytes.count) else { return nil }
        self.init(QRMatrix(version, version.codewords(bytes), mask: mask))
    }

    private init(_ matrix: QRMatrix) {
        size = matrix.size
        modules = matrix.modules
    }

    /// True for a dark module. Outside everything is light.
    package subscript(row: Int, column: Int) -> Bool {
        guard (0..<size).contains(row), (0..<size).contains(column) else { return false }
        return modules[row * size + column]
    }

    /// A drawing with its border, one unit per module, that scales to any size.
    package var svg: String {
        let side = size + 2 * Self.border
        var path = ""
        for row in 0..<size {
            var column = 0
            while column < size {
                let start = column
                while self[row, column] { column += 1 }
                if column > start {
                    path += "M\(start + Self.border) \(row + Self.border)h\(column - start)v1H\(start + Self.border)z"
                }
                column += 1
            }
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(side) \(side)" shape-rendering="crispEdges">\
            <path fill="#fff" d="M0 0h\(side)v\(side)H0z"/><path fill="#000" d="\(path)"/></svg>
            """
    }
}

/// What a version determines at level M (§7.5.1, table 9, and annex E).
private struct QRVersion {
    let number: Int
    /// Error correction codewords of each block.
    private let checkCount: Int
    private let blockCount: Int
    /// The centres of the alignment patterns, in both directions.
    let centres: [Int]

    private init(_ number: Int, _ checkCount: Int, _ blockCount: Int, _ centres: [Int]) {
        self.number = number
        self.checkCount = checkCount
        self.blockCount = blockCount
        self.centres = centres
    }

    private static let all = [
        QRVersion(1, 10, 1, []), QRVersion(2, 16, 1, [6, 18]), QRVersion(3, 26, 1, [6, 22]),
        QRVersion(4, 18, 2, [6, 26]), QRVersion(5, 24, 2, [6, 30]), QRVersion(6, 16, 4, [6, 34]),
        QRVersion(7, 18, 4, [6, 22, 38]), QRVersion(8, 22, 4, [6, 24, 42]), QRVersion(9, 22, 5, [6, 26, 46]),
        QRVersion(10, 26, 5, [6, 28, 50]), QRVersion(11, 30, 5, [6, 30, 54]), QRVersion(12, 22, 8, [6, 32, 58]),
        QRVersion(13, 22, 9, [6, 34, 62]), QRVersion(14, 24, 9, [6, 26, 46, 66]),
        QRVersion(15, 24, 10, [6, 26, 48, 70]),
    ]

    static func smallest(for count: Int) -> QRVersion? {
        all.first { 4 + $0.lengthBits + count * 8 <= $0.dataCount * 8 }
    }

    var size: Int { number * 4 + 17 }

    /// Bits of the character count in byte mode (table 3).
    private var lengthBits: Int { number < 10 ? 8 : 16 }

    /// Modules that are left beside all patterns, in whole bytes.
    private var codewordCount: Int {
        let alignments = centres.isEmpty ? 0 : centres.count * centres.count - 3
        let onTiming = centres.isEmpty ? 0 : 2 * (centres.count - 2)
        let finders = 3 * 64
        let timing = 2 * (size - 16)
        let format = 31
        let versionInformation = number >= 7 ? 36 : 0
        let used = finders + timing + format + versionInformation + alignments * 25 - onTiming * 5
        return (size * size - used) / 8
    }

    private var dataCount: Int { codewordCount - checkCount * blockCount }

    /// Data and error correction in the order in which they are placed (§7.4, §7.5, §7.6).
    func codewords(_ bytes: Bytes) -> Bytes {
        let blocks = blocks(data(bytes))
        let code = ReedSolomon(checkCount: checkCount)
        return Self.interleaved(blocks) + Self.interleaved(blocks.map(code.remainder))
    }

    private func data(_ bytes: Bytes) -> Bytes {
        var bits = BitBuffer()
        bits.append(0b0100, count: 4)
        bits.append(bytes.count, count: lengthBits)
        for byte in bytes { bits.append(Int(byte), count: 8) }
        bits.append(0, count: min(4, dataCount * 8 - bits.count))
        var data = bits.bytes
        var pad: UInt8 = 0xEC
        while data.count < dataCount {
            data.append(pad)
            pad ^= 0xEC ^ 0x11
        }
        return data
    }

    /// The last blocks are one codeword longer when the division leaves a remainder.
    private func blocks(_ data: Bytes) -> [Bytes] {
        let shortCount = dataCount / blockCount
        let longFrom = blockCount - dataCount % blockCount
        var start = 0
        return (0..<blockCount).map { index in
            let end = start + shortCount + (index >= longFrom ? 1 : 0)
            defer { start = end }
            return Bytes(data[start..<end])
        }
    }

    private static func interleaved(_ blocks: [Bytes]) -> Bytes {
        let longest = blocks.map(\.count).max() ?? 0
        return (0..<longest).flatMap { index in blocks.compactMap { index < $0.count ? $0[index] : nil } }
    }
}

private struct BitBuffer {
    private var bits: [Bool] = []

    var count: Int { bits.count }

    mutating func append(_ value: Int, count: Int) {
        for index in (0..<count).reversed() { bits.append(value >> index & 1 == 1) }
    }

    /// Filled up with zeros to a whole byte.
    var bytes: Bytes {
        stride(from: 0, to: bits.count, by: 8).map { start in
            (0..<8).reduce(0) { $0 << 1 | (start + $1 < bits.count && bits[start + $1] ? 1 : 0) }
        }
    }
}

/// Over GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (§7.5.2).
private struct ReedSolomon {
    /// The generator polynomial without its leading 1, the highest power first.
    private let generator: Bytes

    init(checkCount: Int) {
        var generator = Bytes(repeating: 0, count: checkCount - 1) + [1]
        var root: UInt8 = 1
        for _ in 0..<checkCount {
            for index in generator.indices {
                let next = index + 1 < generator.count ? generator[index + 1] : 0
                generator[index] = Self.product(generator[index], root) ^ next
            }
            root = Self.product(root, 2)
        }
        self.generator = generator
    }

    func remainder(_ data: Bytes) -> Bytes {
        var remainder = Bytes(repeating: 0, count: generator.count)
        for byte in data {
            let factor = byte ^ remainder.removeFirst()
            remainder.append(0)
            for index in remainder.indices { remainder[index] ^= Self.product(generator[index], factor) }
        }
        return remainder
    }

    private static func product(_ left: UInt8, _ right: UInt8) -> UInt8 {
        var result: UInt8 = 0
        for bit in (0..<8).reversed() {
            result = result << 1 ^ (result >> 7) &* 0x1D
            if right >> UInt8(bit) & 1 == 1 { result ^= left }
        }
        return result
    }
}

/// The square while it is drawn (§7.7 to §7.10).
private struct QRMatrix {
    let size: Int
    private(set) var modules: [Bool]
    /// Patterns and information, where no data goes and no mask applies.
    private var isReserved: [Bool]

    init(_ version: QRVersion, _ codewords: Bytes, mask: Int) {
        size = version.size
        modules = Array(repeating: false, count: size * size)
        isReserved = modules
        drawTiming()
        drawFinders()
        drawAlignments(version.centres)
        drawFormat(mask)
        if version.number >= 7 { drawVersion(version.number) }
        place(codewords)
        apply(mask)
    }

    private mutating func reserve(_ row: Int, _ column: Int, _ isDark: Bool) {
        guard (0..<size).contains(row), (0..<size).contains(column) else { return }
        modules[row * size + column] = isDark
        isReserved[row * size + column] = true
    }

    private mutating func drawTiming() {
        for index in 0..<size {
            reserve(6, index, index % 2 == 0)
            reserve(index, 6, index % 2 == 0)
        }
    }

    /// With their light separators: distance 4 from the centre.
    private mutating func drawFinders() {
        for (row, column) in [(3, 3), (3, size - 4), (size - 4, 3)] {
            drawRings(row, column, radius: 4) { $0 != 2 && $0 != 4 }
        }
    }

    private mutating func drawAlignments(_ centres: [Int]) {
        guard let first = centres.first, let last = centres.last else { return }
        for row in centres {
            for column in centres {
                let isOnFinder = (row == first || row == last) && (column == first || column == last)
                if isOnFinder, (row, column) != (last, last) { continue }
                drawRings(row, column, radius: 2) { $0 != 1 }
            }
        }
    }

    private mutating func drawRings(_ row: Int, _ column: Int, radius: Int, isDark: (Int) -> Bool) {
        for down in -radius...radius {
            for right in -radius...radius { reserve(row + down, column + right, isDark(max(abs(down), abs(right)))) }
        }
    }

    /// Level M is 00; a BCH code and a mask of its own protect the five bits (annex C).
    private mutating func drawFormat(_ mask: Int) {
        var remainder = mask
        for _ in 0..<10 { remainder = remainder << 1 ^ (remainder >> 9) * 0x537 }
        let bits = (mask << 10 | remainder) ^ 0x5412
        func bit(_ index: Int) -> Bool { bits >> index & 1 == 1 }
        for index in 0..<15 {
            // Down column 8 and leftwards along row 8, around the first finder and over the timing patterns.
            switch index {
            case 0..<6: reserve(index, 8, bit(index))
            case 6, 7: reserve(index + 1, 8, bit(index))
            case 8: reserve(8, 7, bit(index))
            default: reserve(8, 14 - index, bit(index))
            }
            if index < 8 {
                reserve(8, size - 1 - index, bit(index))
            } else {
                reserve(size - 15 + index, 8, bit(index))
            }
        }
        reserve(size - 8, 8, true)
    }

    /// Twice, beside two of the finders (annex D).
    private mutating func drawVersion(_ number: Int) {
        var remainder = number
        for _ in 0..<12 { remainder = remainder << 1 ^ (remainder >> 11) * 0x1F25 }
        let bits = number << 12 | remainder
        for index in 0..<18 {
            let isDark = bits >> index & 1 == 1
            reserve(index / 3, size - 11 + index % 3, isDark)
            reserve(size - 11 + index % 3, index / 3, isDark)
        }
    }

    /// Two columns at a time from the right, upwards and downwards in turn, past the vertical timing pattern.
    private mutating func place(_ codewords: Bytes) {
        var index = 0
        var right = size - 1
        var goesUp = true
        while right > 0 {
            if right == 6 { right = 5 }
            for step in 0..<size {
                let row = goesUp ? size - 1 - step : step
                for column in [right, right - 1] where !isReserved[row * size + column] {
                    guard index < codewords.count * 8 else { break }
                    modules[row * size + column] = codewords[index / 8] >> UInt8(7 - index % 8) & 1 == 1
                    index += 1
                }
            }
            goesUp.toggle()
            right -= 2
        }
    }

    private mutating func apply(_ mask: Int) {
        for row in 0..<size {
            for column in 0..<size where !isReserved[row * size + column] {
                if Self.inverts(mask, row, column) { modules[row * size + column].toggle() }
            }
        }
    }

    /// Table 10.
    private static func inverts(_ mask: Int, _ row: Int, _ column: Int) -> Bool {
        switch mask {
        case 0: (row + column) % 2 == 0
        case 1: row % 2 == 0
        case 2: column % 3 == 0
        case 3: (row + column) % 3 == 0
        case 4: (row / 2 + column / 3) % 2 == 0
        case 5: row * column % 2 + row * column % 3 == 0
        case 6: (row * column % 2 + row * column % 3) % 2 == 0
        default: ((row + column) % 2 + row * column % 3) % 2 == 0
        }
    }

    // MARK: Which mask

    /// How much the picture looks like what a reader searches for, or tires it (§7.8.3).
    var penalty: Int {
        var sum = blockPenalty + balancePenalty
        for line in 0..<size {
            sum += Self.linePenalty((0..<size).map { modules[line * size + $0] })
            sum += Self.linePenalty((0..<size).map { modules[$0 * size + line] })
        }
        return sum
    }

    /// Runs of five or more, and what looks like a finder with light beside it.
    private static func linePenalty(_ line: [Bool]) -> Int {
        var sum = 0
        var run = 0
        var recent = 0
        for (index, isDark) in line.enumerated() {
            run = index > 0 && line[index - 1] == isDark ? run + 1 : 1
            if run == 5 { sum += 3 } else if run > 5 { sum += 1 }
            recent = (recent << 1 | (isDark ? 1 : 0)) & 0x7FF
            if index >= 10, recent == 0b101_1101_0000 || recent == 0b000_0101_1101 { sum += 40 }
        }
        return sum
    }

    private var blockPenalty: Int {
        var sum = 0
        for row in 0..<size - 1 {
            for column in 0..<size - 1 {
                let corner = modules[row * size + column]
                let isBlock =
                    modules[row * size + column + 1] == corner && modules[(row + 1) * size + column] == corner
                    && modules[(row + 1) * size + column + 1] == corner
                if isBlock { sum += 3 }
            }
        }
        return sum
    }

    private var balancePenalty: Int {
        let dark = modules.count { $0 }
        return abs(dark * 100 / modules.count - 50) / 5 * 10
    }
}
