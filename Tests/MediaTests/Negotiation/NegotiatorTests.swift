import Base
import TestKit
import Testing
import Wire

@testable import Media

/// The state machine: sequences of offers and answers, glare, restarts, what we send.
struct NegotiatorTests {
    private typealias Vectors = NegotiationVectors

    /// Accepts a recorded offer, and checks the answer with the checker of its own.
    @discardableResult
    private func accept(
        _ name: String, _ negotiator: inout Negotiator, fresh: Int = 2
    ) throws -> SessionDescription {
        let answer = try negotiator.accept(
            offer: Vectors.description(name), freshCredentials: Vectors.credentials(fresh))
        let checker = AnswerChecker(offer: Vectors.bytes(name), answer: answer.encoded, isOurs: true)
        #expect(checker.problems.isEmpty, "\(name): \(checker.problems)")
        return answer
    }

    // MARK: Preferences

    private static func codecs(of description: SessionDescription, _ kind: SDPMediaKind) throws -> [Codec] {
        let media = try #require(description.media.first { $0.kind == kind })
        return DescribedCodec.all(of: media).map(\.codec)
    }

    @Test func `codecs that a call prefers come first in answers and offers, the others keep their order`() throws {
        let policy = CodecPolicy.standard.preferring([.av1, .pcmu, .vp9, .av1])
        #expect(policy.video.map(\.codec).prefix(4) == [.av1, .vp9, .vp9, .vp8])
        #expect(policy.video.count == CodecPolicy.standard.video.count)
        #expect(policy.audio.map(\.codec).prefix(2) == [.pcmu, .opus])
        let name = "chromium156-local-inactive-offer"
        var plain = Vectors.negotiator()
        #expect(try Self.codecs(of: accept(name, &plain), .video).first == .vp8)
        var negotiator = Vectors.negotiator { $0.policy = policy }
        let answered = try Self.codecs(of: accept(name, &negotiator), .video).filter { !$0.isCompanion }
        #expect(answered.first == .av1 && answered.dropFirst().first == .vp9 && answered.contains(.vp8))
        var host = Vectors.negotiator { $0.policy = policy }
        host.invite(.video)
        #expect(try Self.codecs(of: host.makeOffer(), .video).first == .av1)
    }

    @Test func `names of codecs are read in any case, and companions are none`() {
        #expect(
            Codec(preferred: "vp8") == .vp8 && Codec(preferred: "OPUS") == .opus && Codec(preferred: "H264") == .h264)
        for name in ["", "rtx", "red", "ulpfec", "flexfec-03", "vp10", "CN"] { #expect(Codec(preferred: name) == nil) }
    }

    // MARK: Recorded pairs

    /// The sections of an offer as if we had written it.
    private func slots(of offer: SessionDescription) -> [Slot] {
        offer.media.map { media in
            var slot = Slot(
                mid: media.mid, mediaKind: media.kind, protocolName: media.protocolName, formats: media.formats)
            slot.isRejected = media.port == 0 && !media.bundleOnly
            slot.direction = offer.direction(of: media)
            slot.extensions.lines = offer.extensions + media.extensions
            let preferences = DescribedCodec.all(of: media).map { CodecPreference($0.codec, $0.parameters) }
            if let kind = slot.kind { slot.codecs = CodecSelection(media, kind, .standard).agreed(preferences) }
            return slot
        }
    }

    @Test func `recorded answers are taken by who made the offer`() throws {
        for (offerName, answerName) in Vectors.pairs {
            let offer = try Vectors.description(offerName)
            var negotiator = Vectors.negotiator()
            negotiator.adopt(slots: slots(of: offer))
            do {
                let answer = try Vectors.description(answerName)
                try negotiator.accept(answer: answer)
                #expect(negotiator.state == .stable)
                let used = answer.media.count { $0.port != 0 }
                #expect(negotiator.transceivers.count == used, "\(answerName)")
                for (slot, media) in zip(negotiator.slots, answer.media) where media.port != 0 && slot.kind != .data {
                    // G.722 is all that one pair speaks, and nothing to us.
                    #expect(slot.codecs.isEmpty == answerName.contains("g722"), "\(answerName)")
                    #expect(slot.direction.receives == slot.peerSends, "\(answerName)")
                }
            } catch {
                // One peer has no BUNDLE and so no single transport; it is told so.
                let isUnbundled = answerName.contains("bundle-none")
                #expect(isUnbundled, "\(answerName) to \(offerName): \(error)")
            }
        }
    }

    @Test func `an answer of ours that is damaged is found out`() throws {
        let offer = Vectors.bytes("chromium156-local-simulcast3-rid-vp8-offer")
        var negotiator = Vectors.negotiator()
        let answer = try negotiator.accept(
            offer: SessionDescription(parsing: offer), freshCredentials: Vectors.credentials(2))
        let text = String(decoding: answer.encoded, as: UTF8.self)
        let damages = [
            ("a=mid:0", "a=mid:1"), ("SAVPF 96 97", "SAVPF 96 98"), ("a=recvonly", "a=sendonly"),
            ("a=setup:passive", "a=setup:actpass"), ("a=extmap:9 ", "a=extmap:12 "), ("recv q;h;f", "recv q;x"),
            ("rtpmap:96 VP8", "rtpmap:96 VP9"), ("a=rid:f recv", "a=rid:f send"), ("apt=96", "apt=99"),
            ("BUNDLE 0", "BUNDLE 0 7"), ("m=video 9", "m=audio 9"), ("a=rtcp-mux\r\n", ""),
            ("nack pli", "nack sli"),
        ]
        for (old, new) in damages {
            let damaged = text.split(separator: old, maxSplits: 1, omittingEmptySubsequences: false)
            try #require(damaged.count == 2, "\(old) is in the answer")
            let checker = AnswerChecker(
                offer: offer, answer: Bytes((damaged[0] + new + damaged[1]).utf8), isOurs: true)
            #expect(!checker.problems.isEmpty, "\(old) became \(new) and nobody saw it")
        }
    }

    // MARK: Sequences

    @Test(arguments: [
        [
            "chromium156-local-hold-0-offer", "chromium156-local-hold-1-hold-offer",
            "chromium156-local-hold-2-unhold-offer",
        ],
        ["firefox153esr-local-hold-0-offer", "firefox153esr-local-hold-2-unhold-offer"],
    ]) func `hold takes the streams away and gives them back`(names: [String]) throws {
        var negotiator = Vectors.negotiator()
        for name in names {
            try accept(name, &negotiator)
            let receives = negotiator.transceivers.allSatisfy { $0.receiving != nil }
            let isHold = try Vectors.description(name).media.allSatisfy { !($0.direction?.sends ?? true) }
            #expect(receives == !isHold, "\(name)")
            #expect(negotiator.transport?.generation == 0, "holding restarts nothing")
        }
    }

    @Test(arguments: ["chromium156-local", "firefox153esr-local"])
    func `a stopped section is rejected in its place and used again`(browser: String) throws {
        var negotiator = Vectors.negotiator()
        if browser == "firefox153esr-local" { try accept("\(browser)-stopped-0-offer", &negotiator) }
        let rejected = try accept("\(browser)-stopped-1-rejected-mline-offer", &negotiator)
        #expect(rejected.media.contains { $0.port == 0 })
        #expect(negotiator.transceivers.count == rejected.media.count { $0.port != 0 })
        let recycled = try accept("\(browser)-stopped-2-recycled-mline-offer", &negotiator)
        #expect(recycled.media.count == rejected.media.count)
        #expect(recycled.media.allSatisfy { $0.port != 0 })
        #expect(recycled.media.map(\.mid) != rejected.media.map(\.mid))
    }

    @Test func `a renegotiation keeps order and version goes up`() throws {
        var negotiator = Vectors.negotiator()
        let first = try accept("chromium156-local-renegotiate-0-offer", &negotiator)
        let second = try accept("chromium156-local-renegotiate-2-camera-removed-offer", &negotiator)
        #expect(Array(second.media.map(\.mid).prefix(first.media.count)) == first.media.map(\.mid))
        #expect(first.origin.sessionVersion == "1" && second.origin.sessionVersion == "2")
        #expect(negotiator.transport?.generation == 0)
    }

    @Test(arguments: [
        ("mutated-mline-order-swapped", "janus1.1.2-local-echotest-icelite-answer-to-chrome-av-datachannel"),
        ("mutated-mline-removed", "janus1.1.2-local-echotest-icelite-answer-to-chrome-whip-sendonly-maxbundle"),
    ]) func `sections that move or vanish are refused, and nothing has changed`(name: String, first: String) throws {
        var negotiator = Vectors.negotiator()
        _ = try negotiator.accept(offer: Vectors.description(first), freshCredentials: Vectors.credentials(2))
        let before = negotiator.transceivers
        #expect(throws: NegotiationError.self) {
            try negotiator.accept(
                offer: Vectors.description("malformed/" + name), freshCredentials: Vectors.credentials(2))
        }
        #expect(negotiator.transceivers == before)
    }

    @Test func `an offer that was never answered leaves nothing behind`() throws {
        var negotiator = Vectors.negotiator()
        // The peer takes its offer back after we have answered in vain: to us it was an offer like any other, and the
        // next one has to keep its sections.
        for browser in ["chromium156-local", "firefox153esr-local"] {
            let offer = try Vectors.description("\(browser)-rollback-1-offer-to-be-rolled-back-offer")
            let next = try Vectors.description("\(browser)-rollback-2-peer-offer-after-offer")
            var first = Vectors.negotiator()
            _ = try first.accept(offer: offer, freshCredentials: Vectors.credentials(2))
            var second = Vectors.negotiator()
            _ = try second.accept(offer: next, freshCredentials: Vectors.credentials(2))
            #expect(!first.transceivers.isEmpty && !second.transceivers.isEmpty)
        }
        #expect(throws: NegotiationError.self) { try negotiator.rollback() }
        #expect(negotiator.state == .stable)
    }

    // MARK: ICE restarts

    @Test func `new credentials of the peer are a restart, and get new ones`() throws {
        var negotiator = Vectors.negotiator()
        try accept("chromium156-local-icerestart-0-offer", &negotiator)
        #expect(negotiator.transport?.local == Vectors.credentials(1))
        var restarted = try Vectors.description("chromium156-local-icerestart-0-offer")
        for index in restarted.media.indices {
            restarted.media[index].transport.ufrag = "anew"
            restarted.media[index].transport.password = "anewanewanewanewanewanew"
        }
        let answer = try negotiator.accept(offer: restarted, freshCredentials: Vectors.credentials(3))
        #expect(negotiator.transport?.generation == 1)
        #expect(negotiator.transport?.local == Vectors.credentials(3))
        #expect(negotiator.transport?.remote.ufrag == "anew")
        #expect(answer.media.first?.transport.ufrag == Vectors.credentials(3).ufrag)
        _ = try negotiator.accept(offer: restarted, freshCredentials: Vectors.credentials(4))
        #expect(negotiator.transport?.generation == 1 && negotiator.transport?.local == Vectors.credentials(3))
    }

    @Test func `a recorded answer to our restart brings the peer's new credentials`() throws {
        var negotiator = Vectors.negotiator()
        try accept("chromium156-local-icerestart-0-offer", &negotiator)
        negotiator.restartICE(Vectors.credentials(9))
        #expect(negotiator.needsOffer)
        let offer = try negotiator.makeOffer()
        #expect(offer.media.first?.transport.ufrag == Vectors.credentials(9).ufrag)
        #expect(negotiator.transport?.local == Vectors.credentials(1), "until the answer, the old ones hold")
        try negotiator.accept(answer: Vectors.description("chromium156-local-icerestart-2-peer-answer"))
        #expect(negotiator.transport?.generation == 1)
        #expect(negotiator.transport?.local == Vectors.credentials(9))
        #expect(negotiator.transport?.remote.ufrag == "jNcV")
        #expect(!negotiator.needsOffer)
    }

    @Test func `an answer does not restart ICE`() throws {
        var negotiator = Vectors.negotiator()
        try accept("chromium156-local-audio-offer", &negotiator)
        negotiator.restartICE(Vectors.credentials(9))
        let answer = try accept("chromium156-local-audio-offer", &negotiator)
        #expect(answer.media.first?.transport.ufrag == Vectors.credentials(1).ufrag)
        #expect(negotiator.needsOffer, "the restart still waits for an offer of ours")
    }

    // MARK: Fragments

    private func fragment(_ lines: [String]) throws -> TrickleFragment {
        try TrickleFragment(parsing: Bytes((lines.joined(separator: "\r\n") + "\r\n").utf8))
    }

    @Test func `a fragment brings candidates, and with new credentials a restart`() throws {
        var negotiator = Vectors.negotiator()
        let candidate = "a=candidate:1 1 udp 2122260223 192.0.2.7 61764 typ host"
        let plain = try fragment(["m=audio 9 RTP/AVP 0", "a=mid:0", candidate, "a=end-of-candidates"])
        #expect(throws: NegotiationError.self) {
            try negotiator.accept(fragment: plain, freshCredentials: Vectors.credentials(3))
        }
        try accept("chromium156-local-whip-sendonly-maxbundle-offer", &negotiator)
        let more = try negotiator.accept(fragment: plain, freshCredentials: Vectors.credentials(3))
        #expect(more == .candidates([String(candidate.dropFirst(12))], endOfCandidates: true))
        #expect(negotiator.transport?.generation == 0)
        let restart = try fragment([
            "a=ice-ufrag:anew", "a=ice-pwd:anewanewanewanewanewanew", "m=audio 9 RTP/AVP 0", "a=mid:0", candidate,
        ])
        let outcome = try negotiator.accept(fragment: restart, freshCredentials: Vectors.credentials(3))
        guard case .restarted(let answer, let candidates) = outcome else {
            Issue.record("no restart")
            return
        }
        #expect(answer.ufrag == Vectors.credentials(3).ufrag && candidates.count == 1)
        #expect(answer.sections.first?.candidates == [Vectors.candidate])
        #expect(negotiator.transport?.generation == 1 && negotiator.transport?.remote.ufrag == "anew")
        let bad = [
            ["a=ice-ufrag:x", "a=ice-pwd:anewanewanewanewanewanew"], ["a=ice-ufrag:again"],
            ["m=audio 9 RTP/AVP 0", "a=mid:17", candidate],
        ]
        for lines in bad {
            #expect(throws: NegotiationError.self) {
                try negotiator.accept(fragment: fragment(lines), freshCredentials: Vectors.credentials(4))
            }
        }
        #expect(negotiator.transport?.generation == 1)
    }
}
