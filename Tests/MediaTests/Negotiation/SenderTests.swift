import Base
import TestKit
import Testing
import Wire

@testable import Media

/// What we send: into sections that are offered to us, and into our own.
struct SenderTests {
    private typealias Vectors = NegotiationVectors

    private var random = SplitMix(seed: 5)

    private func description(_ written: SessionDescription) throws -> SessionDescription {
        try SessionDescription(parsing: written.encoded)
    }

    /// Hands our offer to a peer that is a negotiator too, and its answer back.
    private func exchange(_ ours: inout Negotiator, _ peer: inout Negotiator) throws {
        let offer = try ours.makeOffer()
        let answer = try peer.accept(offer: description(offer), freshCredentials: Vectors.credentials(8))
        let checker = AnswerChecker(
            offer: offer.encoded, answer: answer.encoded, isOurs: true, isFirst: ours.transport == nil)
        #expect(checker.problems.isEmpty, "\(checker.problems)")
        try ours.accept(answer: description(answer))
    }

    private mutating func video(_ negotiator: inout Negotiator, _ name: String = "v") -> SenderID {
        negotiator.addSender(.video, codecs: [Vectors.vp8], streamID: "s-\(name)", trackID: name, using: &random)
    }

    private mutating func audio(_ negotiator: inout Negotiator, _ name: String = "a") -> SenderID {
        negotiator.addSender(.audio, codecs: [Vectors.opus], streamID: "s-\(name)", trackID: name, using: &random)
    }

    // MARK: WHEP and WHIP

    @Test(arguments: [
        "chromium156-local-legacy-offertoreceive-offer", "firefox153esr-local-whep-recvonly-offer",
        "firefox153esr-local-whep-recvonly-offer-trickle", "firefox153esr-local-legacy-offertoreceive-offer",
    ]) mutating func `senders go into the sections that are offered for them`(name: String) throws {
        var negotiator = Vectors.negotiator()
        let sender = (audio(&negotiator), video(&negotiator))
        #expect(negotiator.needsOffer)
        let answer = try negotiator.accept(
            offer: Vectors.description(name), freshCredentials: Vectors.credentials(2))
        let checker = AnswerChecker(offer: Vectors.bytes(name), answer: answer.encoded, isOurs: true)
        #expect(checker.problems.isEmpty, "\(name): \(checker.problems)")
        let sending = negotiator.transceivers.compactMap(\.sending)
        #expect(Set(sending.map(\.sender)) == [sender.0, sender.1], "\(name)")
        #expect(!negotiator.needsOffer)
        let picture = try #require(sending.first { $0.sender == sender.1 })
        #expect(picture.codecs.map(\.codec) == [.vp8])
        #expect(picture.rtxSSRC != nil && picture.codecs.first?.rtxPayloadType != nil)
        #expect(picture.extensions.id(for: .mid) != nil && picture.extensions.id(for: .rid) == nil)
        let media = try #require(answer.media.first { $0.kind == .video })
        #expect(media.direction == .sendOnly && media.streams.first?.track == "v")
        #expect(media.sourceGroups == [SDPSourceGroup(semantics: "FID", ssrcs: [picture.ssrc, picture.rtxSSRC ?? 0])])
    }

    @Test mutating func `what a publisher sends besides receiving is left alone unless asked`() throws {
        for isAllowed in [false, true] {
            var negotiator = Vectors.negotiator { $0.sendsBesidesReceiving = isAllowed }
            _ = video(&negotiator)
            let answer = try negotiator.accept(
                offer: Vectors.description("chromium156-local-av-sendrecv-offer"),
                freshCredentials: Vectors.credentials(2))
            #expect(answer.media[1].direction == (isAllowed ? .sendReceive : .receiveOnly))
            #expect(negotiator.needsOffer == !isAllowed)
        }
    }

    // MARK: Our own offers

    @Test mutating func `our offer has a section for each sender, in one group`() throws {
        var ours = Vectors.negotiator()
        var peer = Vectors.negotiator()
        let senders = [audio(&ours), video(&ours), video(&ours, "screen")]
        ours.requestData()
        let offer = try ours.makeOffer()
        #expect(offer.media.map(\.kind) == [.audio, .video, .video, .application])
        #expect(offer.bundle?.mids == offer.media.compactMap(\.mid))
        #expect(offer.isICELite && offer.media.allSatisfy { $0.transport.setup == .activePassive })
        #expect(offer.media.map { $0.candidates.count } == [1, 0, 0, 0])
        #expect(throws: NegotiationError.self) { try ours.makeOffer() }
        let answer = try peer.accept(offer: description(offer), freshCredentials: Vectors.credentials(8))
        try ours.accept(answer: description(answer))
        #expect(ours.transceivers.compactMap { $0.sending?.sender } == senders)
        #expect(peer.transceivers.count { $0.receiving != nil } == 3)
        #expect(ours.transceivers.last?.data?.remoteMaxMessageSize == 262_144)
        #expect(ours.transport?.role == .client, "the peer answered passive")
        #expect(!ours.needsOffer)
        // The numbers are the same in a later offer, and those of a codec in all sections.
        _ = video(&ours, "third")
        let next = try ours.makeOffer()
        #expect(Array(next.media.prefix(4)).map(\.formats) == offer.media.map(\.formats))
        #expect(next.media[4].formats == offer.media[1].formats)
        #expect(next.media[4].extensions == offer.media[1].extensions)
    }

    @Test mutating func `our offer speaks with the peer's numbers`() throws {
        var negotiator = Vectors.negotiator()
        let remote = try Vectors.description("firefox153esr-local-av-sendrecv-offer")
        _ = try negotiator.accept(offer: remote, freshCredentials: Vectors.credentials(2))
        _ = video(&negotiator)
        let offer = try negotiator.makeOffer()
        let theirs = try #require(remote.media.first { $0.kind == .video })
        let ours = try #require(offer.media.last)
        #expect(ours.mid == "s0" && ours.formats == ["120", "124"], "VP8 is 120 to Firefox, and its repairs 124")
        for mapping in theirs.extensions {
            let same = ours.extensions.first { $0.uri == mapping.uri }
            #expect(same == nil || same?.id == mapping.id)
        }
        let numbers = ours.extensions.map(\.id)
        #expect(Set(numbers).count == numbers.count)
    }

    @Test mutating func `a section whose sender went is idle, and used again`() throws {
        var ours = Vectors.negotiator()
        var peer = Vectors.negotiator()
        let first = video(&ours)
        try exchange(&ours, &peer)
        ours.removeSender(first)
        #expect(ours.needsOffer && ours.transceivers.first?.sending == nil)
        try exchange(&ours, &peer)
        #expect(peer.transceivers.first?.receiving == nil && !ours.needsOffer)
        let second = video(&ours, "other")
        try exchange(&ours, &peer)
        #expect(ours.slots.count == 1 && ours.transceivers.first?.sending?.sender == second)
        #expect(peer.transceivers.first?.receiving?.trackID == "other")
    }

    @Test mutating func `a sender that goes while its offer is out is not sent`() throws {
        var ours = Vectors.negotiator()
        var peer = Vectors.negotiator()
        let sender = video(&ours)
        let offer = try ours.makeOffer()
        ours.removeSender(sender)
        let answer = try peer.accept(offer: description(offer), freshCredentials: Vectors.credentials(8))
        try ours.accept(answer: description(answer))
        #expect(ours.transceivers.allSatisfy { $0.sending == nil } && ours.needsOffer)
    }

    @Test mutating func `a section that the peer rejects is not offered again, and its place is used`() throws {
        var ours = Vectors.negotiator()
        var peer = Vectors.negotiator { $0.policy.video = [CodecPreference(.av1)] }
        let kept = audio(&ours)
        let refused = video(&ours)
        try exchange(&ours, &peer)
        #expect(ours.isRefused(refused) && !ours.isRefused(kept) && !ours.needsOffer)
        #expect(ours.transceivers.compactMap { $0.sending?.sender } == [kept])
        let next = audio(&ours, "next")
        try exchange(&ours, &peer)
        #expect(ours.slots.count == 2 && ours.slots[1].mediaKind == .audio)
        #expect(ours.transceivers.compactMap { $0.sending?.sender } == [kept, next])
    }

    @Test mutating func `senders beyond the bound wait, and do not ask for offers`() throws {
        var ours = Vectors.negotiator { $0.maximumSections = 3 }
        var peer = Vectors.negotiator()
        for index in 0..<5 { _ = audio(&ours, "\(index)") }
        try exchange(&ours, &peer)
        #expect(ours.transceivers.count == 3 && !ours.needsOffer)
    }

    @Test mutating func `our offer asks for the layers again, and the answer brings them`() throws {
        var negotiator = Vectors.negotiator()
        let published = try Vectors.description("chromium156-local-simulcast3-rid-vp8-offer")
        let answer = try negotiator.accept(offer: published, freshCredentials: Vectors.credentials(2))
        let before = negotiator.transceivers
        _ = audio(&negotiator)
        let offer = try negotiator.makeOffer()
        #expect(offer.media[0].simulcast == answer.media[0].simulcast && offer.media[0].rids == answer.media[0].rids)
        #expect(offer.media[0].formats == answer.media[0].formats && offer.media[0].direction == .receiveOnly)
        #expect(offer.media[0].extensions == answer.media[0].extensions)
        // The peer sends on as before, and refuses what we add.
        var reply = published
        reply.media[0].transport.setup = .active
        reply.media.append(offer.media[1])
        reply.media[1].port = 0
        try negotiator.accept(answer: reply)
        #expect(negotiator.transceivers == before)
    }

    @Test mutating func `data channels that are refused are not asked for again`() throws {
        var ours = Vectors.negotiator()
        var peer = Vectors.negotiator { $0.acceptsData = false }
        _ = audio(&ours)
        ours.requestData()
        try exchange(&ours, &peer)
        #expect(ours.transceivers.map(\.kind) == [.audio] && !ours.needsOffer)
    }

    @Test mutating func `roles of DTLS stay while the certificate does`() throws {
        var ours = Vectors.negotiator()
        var peer = Vectors.negotiator()
        _ = audio(&ours)
        try exchange(&ours, &peer)
        #expect(ours.transport?.role == .client && peer.transport?.role == .server)
        _ = audio(&peer)
        try exchange(&peer, &ours)
        #expect(ours.transport?.role == .client && peer.transport?.role == .server)
        // Another certificate is another association, and we are its server again.
        var offer = try peer.makeOffer()
        for index in offer.media.indices {
            offer.media[index].transport.fingerprints = [SDPFingerprint(hash: .sha256, bytes: Bytes(1...32))]
        }
        _ = try ours.accept(offer: offer, freshCredentials: Vectors.credentials(3))
        #expect(ours.transport?.role == .server)
    }

    // MARK: Glare and rollback

    @Test mutating func `an offer that meets ours takes it back, and ours is made again`() throws {
        var negotiator = Vectors.negotiator()
        let name = "chromium156-local-audio-offer"
        _ = try negotiator.accept(offer: Vectors.description(name), freshCredentials: Vectors.credentials(2))
        let sender = video(&negotiator)
        let lost = try negotiator.makeOffer()
        #expect(lost.media.count == 2 && negotiator.state == .haveLocalOffer)
        // The peer, who has not seen ours, offers a second section of its own.
        var remote = try Vectors.description(name)
        var added = remote.media[0]
        added.mid = "9"
        remote.media.append(added)
        remote.groups[0].mids.append("9")
        let answer = try negotiator.accept(offer: remote, freshCredentials: Vectors.credentials(2))
        #expect(answer.media.compactMap(\.mid) == ["0", "9"])
        #expect(negotiator.state == .stable && negotiator.needsOffer)
        let again = try negotiator.makeOffer()
        #expect(again.media.compactMap(\.mid) == ["0", "9", "s0"])
        #expect(again.media[2].sources.first?.ssrc == lost.media[1].sources.first?.ssrc)
        #expect(throws: Never.self) { try negotiator.rollback() }
        #expect(negotiator.needsOffer && !negotiator.isRefused(sender))
    }

    @Test func `what comes out of turn changes nothing`() throws {
        var negotiator = Vectors.negotiator()
        let answer = try Vectors.description("chromium156-local-audio-answer")
        let error = #expect(throws: NegotiationError.self) { try negotiator.accept(answer: answer) }
        #expect(error?.kind == .wrongState)
        _ = try negotiator.makeOffer()
        let wrong = #expect(throws: NegotiationError.self) { try negotiator.accept(answer: answer) }
        #expect(wrong?.kind == .refused && negotiator.state == .haveLocalOffer)
    }

    /// Two sides that add, remove, offer and roll back at random: they always agree on what is sent.
    @Test(arguments: 0..<8) func `both sides end with the same picture`(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        var sides = [
            Vectors.negotiator { $0.sendsBesidesReceiving = seed % 2 == 0 },
            Vectors.negotiator { $0.sendsBesidesReceiving = seed % 3 == 0 },
        ]
        var senders: [[SenderID]] = [[], []]
        for step in 0..<60 {
            let side = Int.random(in: 0...1, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0, 1:
                let isVideo = Bool.random(using: &random)
                senders[side].append(
                    sides[side].addSender(
                        isVideo ? .video : .audio, codecs: [isVideo ? Vectors.vp8 : Vectors.opus], streamID: "s",
                        trackID: "t\(step)", using: &random))
            case 2 where !senders[side].isEmpty:
                sides[side].removeSender(
                    senders[side].remove(at: Int.random(in: 0..<senders[side].count, using: &random)))
            case 3:
                _ = try? sides[side].makeOffer()
            case 4:
                sides[side].restartICE(Vectors.credentials(100 + step))
            default: try settle(&sides, first: side)
            }
        }
        try settle(&sides, first: 0)
        for side in 0...1 {
            let sent = sides[side].transceivers.compactMap { $0.sending?.trackID }
            let received = sides[1 - side].transceivers.compactMap { $0.receiving?.trackID }
            #expect(sent.sorted() == received.sorted(), "seed \(seed)")
            #expect(sent.count == min(senders[side].count, 128))
            #expect(sides[side].transport?.local == sides[1 - side].transport?.remote)
        }
        #expect(sides[0].transport?.role != sides[1].transport?.role)
    }

    /// Offers to and fro until nobody needs another.
    private func settle(_ sides: inout [Negotiator], first: Int) throws {
        for side in sides.indices where sides[side].state == .haveLocalOffer { try sides[side].rollback() }
        var side = first
        for _ in 0..<8 {
            if sides[side].needsOffer {
                let offer = try description(sides[side].makeOffer())
                let fresh = Vectors.credentials(Int(sides[side].generation) + 500 + side)
                let answer = try sides[1 - side].accept(offer: offer, freshCredentials: fresh)
                let checker = AnswerChecker(offer: offer.encoded, answer: answer.encoded, isOurs: true, isFirst: false)
                #expect(checker.problems.isEmpty, "\(checker.problems)")
                try sides[side].accept(answer: description(answer))
            }
            side = 1 - side
        }
        #expect(!sides[0].needsOffer && !sides[1].needsOffer)
    }
}
