// Making an offer, and taking the answer to it (RFC 9429 §5.2 and §5.10).

import Wire

extension Negotiator {
    /// The offer, and what the sections will be when it is accepted.
    mutating func offer(withData wantsData: Bool) -> (SessionDescription, [Slot]) {
        var placed = slots
        // First, so that a client finds its own sections before those of others.
        for kind in invitations where placed.count < configuration.maximumSections {
            placed.append(invitation(kind, in: placed))
        }
        for sender in senders where !sender.isRefused && !placed.contains(where: { $0.sender == sender.id }) {
            if let index = reusableSlot(for: sender, in: placed) {
                place(sender, in: &placed, at: index)
            } else if placed.count < configuration.maximumSections {
                placed.append(newSlot(sender.kind, in: placed))
                place(sender, in: &placed, at: placed.count - 1)
            }
        }
        if wantsData, !placed.contains(where: { $0.kind == .data && !$0.isRejected }),
            placed.count < configuration.maximumSections
        {
            placed.append(newSlot(.data, in: placed))
        }
        var offer = emptyDescription()
        offer.allowsMixedExtensions = true
        for index in placed.indices where !placed[index].isRejected {
            let slot = placed[index]
            placed[index].direction = SDPDirection(
                sends: slot.sender != nil,
                receives: (slot.peerSends || slot.isInvitation) && configuration.receivesMedia)
        }
        let members = placed.indices.filter { !placed[$0].isRejected }
        if !members.isEmpty {
            offer.groups = [SDPGroup(semantics: "BUNDLE", mids: members.compactMap { placed[$0].mid })]
        }
        for (index, slot) in placed.enumerated() {
            offer.media.append(
                section(slot, index == members.first ? .full : .bundled, setup: setup(forAnswer: false)))
        }
        return (offer, placed)
    }

    /// A section of ours that is idle, with the same kind; or a rejected one, which may become anything (§5.2.2).
    func reusableSlot(for sender: Sender, in slots: [Slot]) -> Int? {
        slots.firstIndex { slot in
            !slot.isRejected && slot.kind == sender.kind && slot.sender == nil && !slot.peerSends
                && !slot.isInvitation && slot.mid != nil
        } ?? slots.firstIndex(where: \.isRejected)
    }

    private mutating func place(_ sender: Sender, in slots: inout [Slot], at index: Int) {
        if slots[index].isRejected { slots[index] = newSlot(sender.kind, in: slots) }
        slots[index].sender = sender.id
        describe(sender.codecs, sender.kind, in: &slots[index])
    }

    /// All that we can take, in a section of its own. Layers are not asked for: who sends several offers them.
    private mutating func invitation(_ kind: MediaKind, in slots: [Slot]) -> Slot {
        var slot = newSlot(kind, in: slots)
        slot.isInvitation = true
        let codecs = configuration.policy.preferences(kind).filter { !$0.codec.isCompanion }.map { preference in
            NegotiatedCodec(
                payloadType: 0, codec: preference.codec, clockRate: preference.codec.clockRate,
                channels: preference.codec == .opus ? 2 : kind == .audio ? 1 : 0,
                parameters: preference.parameters.text,
                rtxPayloadType: kind == .video && configuration.policy.usesRTX ? 0 : nil)
        }
        describe(codecs, kind, in: &slot)
        return slot
    }

    private mutating func describe(_ codecs: [NegotiatedCodec], _ kind: MediaKind, in slot: inout Slot) {
        slot.codecs = codecs.compactMap { numbers.offered($0, among: codecs) }
        slot.formats = slot.codecs.map { "\($0.payloadType)" }
        slot.allowsMixed = true
        slot.reducedSize = true
        slot.extensions = ExtensionAgreement()
        for extended in RTPExtensionKind.allCases where extended.belongs(to: kind) && extended.isForSending {
            guard let number = numbers.number(of: extended) else { continue }
            slot.extensions.agree(extended, number, .sendReceive)
        }
    }

    private func newSlot(_ kind: MediaKind, in slots: [Slot]) -> Slot {
        // Names that browsers do not use: they count from 0 (RFC 9429 §5.2.1 asks for short ones).
        let taken = Set(slots.compactMap(\.mid))
        var number = 0
        while taken.contains("s\(number)") { number += 1 }
        var slot = Slot(
            mid: "s\(number)", mediaKind: kind == .audio ? .audio : kind == .video ? .video : .application,
            protocolName: kind == .data ? "UDP/DTLS/SCTP" : "UDP/TLS/RTP/SAVPF",
            formats: kind == .data ? ["webrtc-datachannel"] : [])
        slot.direction = .inactive
        return slot
    }

    // MARK: The answer

    mutating func conclude(_ answer: SessionDescription) throws(NegotiationError) {
        guard answer.media.count == slots.count else {
            throw NegotiationError(
                .refused, "the answer has \(answer.media.count) sections, the offer \(slots.count)")
        }
        let bundle = try BundleSelection(answer)
        let used = answer.media.indices.filter { answer.media[$0].port != 0 && !slots[$0].isRejected }
        let members = Set(bundle.members)
        for index in used where !members.contains(index) {
            throw NegotiationError(
                .refused, line: answer.media[index].position.line, "the section is not in the BUNDLE group")
        }
        for index in slots.indices {
            let media = answer.media[index]
            guard slots[index].isRejected || slots[index].mediaKind == media.kind,
                media.mid == nil || media.port == 0 || media.mid == slots[index].mid
            else {
                throw NegotiationError(
                    .refused, line: media.position.line, "the section is not the one that was offered here")
            }
            if used.contains(index) {
                try concludeSection(index, media, answer)
            } else if !slots[index].isRejected {
                if let id = slots[index].sender { refuse(id) }
                slots[index].sender = nil
                slots[index].isRejected = true
                slots[index].transceiver = nil
            }
        }
        guard let first = bundle.members.first(where: { used.contains($0) }) else { return }
        let described = try DescribedTransport(answer, first, tagged: first)
        // RFC 8842 §5.4: the answer to `actpass` is one of the two.
        guard described.setup == .active || described.setup == .passive else {
            throw NegotiationError(
                .refused, line: answer.media[first].position.line, "`setup` must be active or passive")
        }
        settle(described, answer, described.setup == .active ? .server : .client)
    }

    private mutating func concludeSection(
        _ index: Int, _ media: MediaDescription, _ answer: SessionDescription
    ) throws(NegotiationError) {
        if slots[index].kind == .data {
            guard let port = Slot.sctpPort(of: media) else {
                throw NegotiationError(.refused, line: media.position.line, "`sctp-port` is missing")
            }
            settleData(index, media, port)
            return
        }
        guard media.rtcpMux else {
            throw NegotiationError(.refused, line: media.position.line, "`rtcp-mux` is required")
        }
        let theirs = answer.direction(of: media)
        let codecs = concluded(slots[index].codecs, media)
        let sends = slots[index].direction.sends && theirs.receives && !codecs.isEmpty
        let receives = slots[index].direction.receives && theirs.sends && !codecs.isEmpty
        slots[index].peerSends = receives
        slots[index].isInvitation = false
        slots[index].direction = SDPDirection(sends: sends, receives: receives)
        if !codecs.isEmpty { slots[index].codecs = codecs }
        slots[index].reducedSize = media.rtcpReducedSize
        slots[index].extensions = ExtensionAgreement(
            offered: slots[index].extensions.lines, answered: answer.extensions + media.extensions)
        if receives { agreeLayers(index, media) }
        settle(index, media, sending: sends ? codecs : [])
    }

    /// Of what we offered, what the answer has with the same number and meaning.
    private func concluded(_ offered: [NegotiatedCodec], _ media: MediaDescription) -> [NegotiatedCodec] {
        let answered = DescribedCodec.all(of: media)
        return answered.compactMap { described in
            guard
                var codec = offered.first(where: {
                    $0.payloadType == described.payloadType && $0.codec == described.codec
                        && $0.clockRate == described.clockRate
                })
            else { return nil }
            codec.remoteParameters = described.parameters
            codec.feedback.formIntersection(described.feedback)
            let repairs = answered.contains {
                $0.codec == .rtx && $0.payloadType == codec.rtxPayloadType && $0.associated == codec.payloadType
            }
            if !repairs { codec.rtxPayloadType = nil }
            return codec
        }
    }
}
