import Base
import TestKit
import Testing

@testable import Wire

/// Session descriptions: every recorded one is read and read back, every hostile one has its verdict.
struct SDPTests {
    private static let good = VectorFolder("sdp")
    private static let bad = VectorFolder("sdp/malformed")

    /// A recorded description that asks for refusal: its payload type has eight bits.
    private static let refused = ["str0m-sdp-negotiation-l663.sdp": 11]

    @Test func `every recorded description is read, written and read back as the same`() throws {
        let files = Self.good.files.filter { $0.hasSuffix(".sdp") }
        try #require(files.count > 400)
        for file in files {
            do throws(SDPError) {
                let description = try SessionDescription(parsing: Self.good.bytes(of: file))
                let again = try SessionDescription(parsing: description.encoded)
                #expect(again == description, "\(file) is read back as the same")
                #expect(again.encoded == description.encoded, "\(file) is written again as the same bytes")
                #expect(Self.refused[file] == nil, "\(file) has to be refused")
            } catch {
                #expect(Self.refused[file] == error.line, "\(file): \(error)")
            }
        }
    }

    @Test func `a source whose attribute has no name is written as it was read`() throws {
        let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 109\r\n"
        let description = try SessionDescription(parsing: Bytes((text + "a=ssrc:38 :value\r\na=ssrc:39\r\n").utf8))
        #expect(description.media.first?.sources.map(\.attribute) == ["", ""])
        #expect(try SessionDescription(parsing: description.encoded) == description)
    }

    @Test func `options of several lines are bounded together, since they are written as one`() throws {
        let line = "a=ice-options:" + [String](repeating: "a", count: 128).joined(separator: " ") + "\r\n"
        let head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
        let description = try SessionDescription(parsing: Bytes((head + line + line).utf8))
        #expect(try SessionDescription(parsing: description.encoded) == description)
        do throws(SDPError) {
            _ = try SessionDescription(parsing: Bytes((head + line + line + "a=ice-options:b\r\n").utf8))
            Issue.record("taken")
        } catch {
            #expect(error == SDPError(line: 7, reason: "more than 256 ice-options"))
        }
    }

    /// Lines that are in the one and not in the other. Compared as a set of lines, without the parser.
    private func lines(_ bytes: Bytes) -> Set<String> {
        Set(
            bytes.split(separator: 0x0A).map { line in
                var line = line
                if line.last == 0x0D { line.removeLast() }
                return String(decoding: line, as: UTF8.self)
            })
    }

    @Test func `what a browser wrote is written back line for line`() throws {
        for file in Self.good.files where file.hasPrefix("chromium156") || file.hasPrefix("firefox153") {
            let bytes = Self.good.bytes(of: file)
            let written = try SessionDescription(parsing: bytes).encoded
            var original = lines(bytes)
            // An attribute that both say per session and per section, and blanks at its end, are the same to us.
            original.remove("a=msid-semantic: WMS ")
            var back = lines(written)
            back.remove("a=msid-semantic: WMS ")
            #expect(original == back, "\(file): \(original.symmetricDifference(back).sorted().prefix(4))")
        }
    }
}
