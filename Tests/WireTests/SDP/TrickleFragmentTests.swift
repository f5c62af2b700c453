import Base
import TestKit
import Testing

@testable import Wire

/// Fragments of PATCH requests (RFC 8840 §9).
struct TrickleFragmentTests {
    private static let text = [
        "a=group:BUNDLE 0 1", "a=ice-ufrag:EsAw", "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1", "a=ice-options:trickle",
        "m=audio 9 RTP/AVP 0", "a=mid:0", "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host",
        "a=candidate:3471623853 1 udp 2122194687 198.51.100.1 61765 typ host", "m=video 9 RTP/AVP 0", "a=mid:1",
        "a=end-of-candidates",
    ]

    private func bytes(_ lines: [String]) -> Bytes { Bytes((lines.joined(separator: "\r\n") + "\r\n").utf8) }

    @Test func `candidates come with their section, credentials for all`() throws {
        let fragment = try TrickleFragment(parsing: bytes(Self.text))
        #expect(fragment.effectiveUfrag == "EsAw" && fragment.effectivePassword == "P2uYro0UCOQ4zxjKXaWCBui1")
        #expect(fragment.sections.map(\.mid) == ["0", "1"] && fragment.groups.first?.mids == ["0", "1"])
        #expect(fragment.sections[0].candidates.count == 2 && !fragment.sections[0].endOfCandidates)
        #expect(fragment.sections[0].candidates[0].hasPrefix("1387637174 1 udp"))
        #expect(fragment.sections[1].endOfCandidates)
        #expect(try TrickleFragment(parsing: fragment.encoded) == fragment)
    }

    @Test func `credentials of a section come before those of the fragment`() throws {
        var lines = Self.text
        lines.insert("a=ice-ufrag:other", at: 6)
        let fragment = try TrickleFragment(parsing: bytes(lines))
        #expect(fragment.effectiveUfrag == "other")
        #expect(try TrickleFragment(parsing: fragment.encoded) == fragment)
    }

    @Test func `an empty fragment is one, a description is none`() throws {
        #expect(try TrickleFragment(parsing: []) == TrickleFragment())
        let error = #expect(throws: SDPError.self) { try TrickleFragment(parsing: bytes(["v=0"] + Self.text)) }
        #expect(error?.line == 1)
        #expect(throws: SDPError.self) { try TrickleFragment(parsing: bytes(Self.text + ["a=ice-pwd:"])) }
    }
}
