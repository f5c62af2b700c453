import Base
import Testing

@testable import Wire

struct UTF8Tests {
    private static let cases: [Bytes] = [
        [], [0x61], [0x7F], [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2, 0x80], [0xDF, 0xBF], [0xC2],
        [0xE0, 0x9F, 0xBF], [0xE0, 0xA0, 0x80], [0xED, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xEE, 0x80, 0x80],
        [0xEF, 0xBF, 0xBF], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x90, 0x80, 0x80], [0xF4, 0x8F, 0xBF, 0xBF],
        [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF], [0xE2, 0x82], [0xE2, 0x28, 0xA1],
        [0xF0, 0x9F, 0x98], [0xC2, 0xC2], [0x61, 0xE2, 0x82, 0xAC, 0x62],
    ]

    @Test func `the verdict is the standard library's, at every distance from a word boundary`() {
        for padding in 0..<18 {
            for bytes in Self.cases {
                let text = Bytes(repeating: 0x61, count: padding) + bytes + Bytes(repeating: 0x62, count: 17 - padding)
                let expected = String(validating: text, as: UTF8.self) != nil
                #expect(UTF8Validator.isValid(text) == expected, "\(text)")
            }
        }
    }

    @Test func `every pair of bytes gets the standard library's verdict`() {
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max {
                let pair = [first, second]
                guard UTF8Validator.isValid(pair) != (String(validating: pair, as: UTF8.self) != nil) else { continue }
                Issue.record("\(pair)")
            }
        }
    }

    /// The verdict on each piece, and whether the text may end after the last.
    private func verdicts(_ pieces: [Bytes]) -> (pieces: [Bool], isComplete: Bool) {
        var validator = UTF8Validator()
        return (pieces.map { validator.accept($0.span) }, validator.isComplete)
    }

    @Test func `a character may be cut anywhere`() {
        let text = Bytes("aé€😀".utf8)
        for cut in 0...text.count {
            let (pieces, isComplete) = verdicts([Bytes(text[..<cut]), Bytes(text[cut...])])
            #expect(pieces == [true, true])
            #expect(isComplete)
        }
    }

    @Test func `text that cannot become valid is refused at once`() {
        #expect(verdicts([[0xF4]]).isComplete == false)
        #expect(verdicts([[0xF4], [0x90]]).pieces == [true, false])
    }
}
