import Base
import Testing
import Wire

@testable import Media

/// What becomes of descriptions that are malformed, hostile or at the edge of what is allowed.
struct HostileOfferTests {
    private enum Verdict: Equatable {
        /// The parser names this line.
        case unreadable(Int)
        /// It can be read and makes no sense.
        case refused
        /// An answer that takes so many sections.
        case answered(Int)
    }

    /// `SOURCE.txt` beside the files says what their collector expects of each. Where we differ:
    /// `lib-tests-l446`, `l474`, `l502` and `l515` are errors to their authors and are read here: the kind of a section
    /// that has port 0, a `bundle-only` of the session and a host name in `o=` change nothing.
    private static let verdicts: [(String, Verdict)] = [
        ("mozilla-webrtc-sdp-08", .unreadable(1)),
        ("mozilla-webrtc-sdp-11", .unreadable(1)),
        ("mozilla-webrtc-sdp-lib-tests-l446", .answered(0)),
        ("mozilla-webrtc-sdp-lib-tests-l474", .answered(0)),
        ("mozilla-webrtc-sdp-lib-tests-l488", .unreadable(6)),
        ("mozilla-webrtc-sdp-lib-tests-l502", .answered(0)),
        ("mozilla-webrtc-sdp-lib-tests-l515", .answered(0)),
        ("mozilla-webrtc-sdp-lib-tests-l529", .unreadable(6)),
        ("mutated-apt-cycle", .answered(3)),
        ("mutated-b-negative", .answered(1)),
        ("mutated-bom-first", .unreadable(1)),
        ("mutated-bundle-duplicate-member", .answered(1)),
        ("mutated-bundle-names-unknown-mid", .refused),
        ("mutated-candidate-dns-name", .answered(2)),
        ("mutated-cr-only", .unreadable(1)),
        ("mutated-crlf-injection-in-msid", .unreadable(32)),
        ("mutated-deep-simulcast-list", .unreadable(46)),
        ("mutated-empty", .unreadable(1)),
        ("mutated-extmap-dup-id", .unreadable(23)),
        ("mutated-extmap-id-0", .unreadable(22)),
        ("mutated-extmap-id-15", .answered(2)),
        ("mutated-extmap-id-99999", .unreadable(17)),
        ("mutated-fingerprint-md5", .refused),
        ("mutated-ice-lite-both", .answered(3)),
        ("mutated-lf-only", .answered(3)),
        ("mutated-max-message-size-negative", .unreadable(171)),
        ("mutated-max-message-size-zero", .answered(3)),
        ("mutated-missing-mid-but-bundled", .refused),
        ("mutated-missing-o", .unreadable(2)),
        ("mutated-missing-t", .answered(3)),
        ("mutated-mixed-eol", .answered(2)),
        ("mutated-mline-order-swapped", .answered(3)),
        ("mutated-mline-removed", .refused),
        ("mutated-no-final-eol", .answered(3)),
        ("mutated-no-fingerprint", .refused),
        ("mutated-no-ice", .refused),
        ("mutated-no-rtcp-mux", .refused),
        ("mutated-non-utf8", .unreadable(3)),
        ("mutated-nul-byte-in-ufrag", .unreadable(15)),
        ("mutated-port-65536", .unreadable(11)),
        ("mutated-port-count", .answered(2)),
        ("mutated-proto-avp", .refused),
        ("mutated-pt-dup", .answered(3)),
        ("mutated-pt-negative", .unreadable(11)),
        ("mutated-pwd-too-short", .refused),
        ("mutated-rid-256-chars", .unreadable(43)),
        ("mutated-rid-bad-syntax", .unreadable(43)),
        ("mutated-rid-without-simulcast", .answered(1)),
        ("mutated-rtpmap-clock-overflow", .unreadable(39)),
        ("mutated-rtpmap-missing-clock", .answered(0)),
        ("mutated-sctp-port-0", .unreadable(60)),
        ("mutated-setup-bogus", .unreadable(15)),
        ("mutated-short-fingerprint", .unreadable(18)),
        ("mutated-simulcast-both-dirs-same-rid", .answered(1)),
        ("mutated-ssrc-group-unknown", .answered(1)),
        ("mutated-truncated-midline", .answered(1)),
        ("mutated-ufrag-256", .answered(2)),
        ("mutated-ufrag-300", .unreadable(16)),
        ("mutated-ufrag-illegal-chars", .refused),
        ("mutated-ufrag-too-short", .refused),
        ("mutated-unknown-type-letter", .unreadable(5)),
        ("mutated-v-1", .unreadable(1)),
        ("pion-sdp-unmarshal-test-l541", .unreadable(2)),
        ("pion-sdp-unmarshal-test-l569", .unreadable(2)),
        ("pion-sdp-unmarshal-test-l574", .unreadable(2)),
        ("sdp-transform-invalid", .unreadable(10)),
    ]

    private func verdict(_ bytes: Bytes) -> Verdict {
        var negotiator = NegotiationVectors.negotiator()
        let before = negotiator.transceivers
        let description: SessionDescription
        do { description = try SessionDescription(parsing: bytes) } catch { return .unreadable(error.line) }
        do {
            _ = try negotiator.accept(offer: description, freshCredentials: NegotiationVectors.credentials(2))
            return .answered(negotiator.transceivers.count)
        } catch {
            #expect(negotiator.transceivers == before && negotiator.transport == nil, "nothing has changed")
            return .refused
        }
    }

    @Test func `every hostile description has its verdict`() {
        for (name, expected) in Self.verdicts {
            #expect(verdict(NegotiationVectors.bytes("malformed/" + name)) == expected, "\(name)")
        }
    }

    @Test func `plain RTP is refused, and sections alone are no description`() throws {
        let names = NegotiationVectors.malformed.filter { $0.hasPrefix("webrtc-fuzz") }
        try #require(names.count > 20)
        for name in names {
            let bytes = NegotiationVectors.bytes("malformed/" + name)
            let expected: Verdict = name.contains("unittest") ? .unreadable(1) : .refused
            let isEmpty = !String(decoding: bytes, as: UTF8.self).contains("m=")
            #expect(verdict(bytes) == (isEmpty ? .answered(0) : expected), "\(name)")
        }
        #expect(Self.verdicts.count + names.count == NegotiationVectors.malformed.count, "no file is left out")
    }

    // MARK: Bombs

    private func offer(_ name: String = "chromium156-local-av-sendrecv-offer") -> [String] {
        String(decoding: NegotiationVectors.bytes(name), as: UTF8.self)
            .split(whereSeparator: \.isNewline).map(String.init)
    }

    private func text(_ lines: [String]) -> Bytes { Bytes((lines.joined(separator: "\r\n") + "\r\n").utf8) }

    @Test func `a bomb costs what lies before the bound it breaks`() {
        // More bytes than are taken: not a line is looked at.
        let flood = offer() + (0..<100_000).map { "a=x-flood:\($0)" }
        #expect(verdict(text(flood)) == .unreadable(0))
        // Within the bytes, the line of the error is the number of lines that were read.
        let short = offer() + Array(repeating: "a=x", count: 50_000)
        #expect(verdict(text(short)) == .unreadable(offer().count + SDPLimits.attributes - sectionLines + 1))
        let sections = Array(offer()[..<7]) + Array(repeating: "m=audio 9 RTP/SAVPF 0", count: 1_000)
        #expect(verdict(text(sections)) == .unreadable(7 + SDPLimits.media + 1))
        let formats = "m=audio 9 UDP/TLS/RTP/SAVPF " + (0..<1_000).map { "\($0 % 128)" }.joined(separator: " ")
        #expect(verdict(text(Array(offer()[..<7]) + [formats])) == .unreadable(8))
        let rids = (0..<100).map { "a=rid:r\($0) send" }
        #expect(verdict(text(offer() + rids)) == .unreadable(offer().count + SDPLimits.rids + 1))
        let long = "a=x:" + String(repeating: "y", count: SDPLimits.lineBytes)
        #expect(verdict(text(offer() + [long])) == .unreadable(offer().count + 1))
    }

    /// Attributes of the last section of the offer above; candidates are not counted.
    private var sectionLines: Int {
        let lines = offer()
        let start = lines.lastIndex { $0.hasPrefix("m=") } ?? 0
        return lines[start...].count { $0.hasPrefix("a=") && !$0.hasPrefix("a=candidate:") }
    }

    @Test func `ten thousand codecs of one section are cut at the first that is too many`() {
        let codecs = (0..<10_000).map { "a=rtpmap:\($0 % 128) VP8/90000" }
        let start = offer().count
        #expect(verdict(text(offer() + codecs)) == .unreadable(start + SDPLimits.attributes - sectionLines + 1))
    }

    @Test func `more sections than a connection may have are refused at the line`() throws {
        var lines = Array(offer()[..<4])
        for index in 0..<200 { lines += ["m=audio 0 UDP/TLS/RTP/SAVPF 0", "a=mid:\(index)"] }
        let description = try SessionDescription(parsing: text(lines))
        var negotiator = NegotiationVectors.negotiator()
        let error = #expect(throws: NegotiationError.self) {
            try negotiator.accept(offer: description, freshCredentials: NegotiationVectors.credentials(2))
        }
        #expect(error?.line == 4 + 2 * 128 + 1)
    }

    @Test func `candidates beyond the bound are dropped`() throws {
        let flood = (0..<2_000).map { "a=candidate:\($0) 1 udp 1 192.0.2.9 \($0 + 1_024) typ host" }
        var lines = offer()
        lines += flood
        let description = try SessionDescription(parsing: text(lines))
        #expect(description.media.last?.candidates.count == SDPLimits.candidates)
    }
}
