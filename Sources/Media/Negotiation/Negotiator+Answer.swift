// Answering an offer (RFC 9429 §5.3).

import Wire

extension Negotiator {
    mutating func answer(
        _ offer: SessionDescription, _ fresh: ICECredentials
    ) throws(NegotiationError) -> SessionDescription {
        try checkSections(of: offer)
        let bundle = try BundleSelection(offer)
        numbers.learn(offer)
        slots.reserveCapacity(offer.media.count)
        var accepted: [Int] = []
        var remaining = Set(bundle.members)
        for (index, media) in offer.media.enumerated() {
            let previous = index < slots.count ? slots[index] : nil
            var slot = Slot(
                mid: media.mid, mediaKind: media.kind, protocolName: media.protocolName, formats: media.formats)
            slot.sender = previous?.isRejected == false ? previous?.sender : nil
            if index < slots.count { slots[index] = slot } else { slots.append(slot) }
            let isUsable = remaining.remove(index) != nil
            if isUsable, try answerSection(index, media, offer) { accepted.append(index) } else { reject(index) }
        }
        // The order of the group: its first member is where the transport is.
        let order = bundle.members.filter { accepted.contains($0) }
        if let first = order.first, let tagged = bundle.members.first {
            try agree(try DescribedTransport(offer, first, tagged: tagged), offer, fresh)
        }
        var answer = emptyDescription()
        answer.allowsMixedExtensions = offer.allowsMixedExtensions
        if bundle.isGroup, !order.isEmpty {
            answer.groups = [SDPGroup(semantics: "BUNDLE", mids: order.compactMap { slots[$0].mid })]
        }
        for index in slots.indices {
            answer.media.append(
                section(slots[index], index == order.first ? .full : .bundled, setup: setup(forAnswer: true)))
        }
        return answer
    }

    /// Sections are never taken away, and each keeps its place, its kind and its name until it is rejected.
    private func checkSections(of offer: SessionDescription) throws(NegotiationError) {
        guard offer.media.count <= configuration.maximumSections else {
            let line = offer.media[configuration.maximumSections].position.line
            throw NegotiationError(.refused, line: line, "more than \(configuration.maximumSections) sections")
        }
        guard offer.media.count >= slots.count else {
            throw NegotiationError(.refused, "a section is missing: there were \(slots.count)")
        }
        for (slot, media) in zip(slots, offer.media) where !slot.isRejected {
            guard slot.mid == media.mid, slot.mediaKind == media.kind else {
                throw NegotiationError(
                    .refused, line: media.position.line,
                    "this section was `\(slot.mediaKind.name)` with the `mid` \(slot.mid ?? "(none)")")
            }
        }
    }

    private mutating func reject(_ index: Int) {
        if let id = slots[index].sender { refuse(id) }
        slots[index].isRejected = true
        slots[index].sender = nil
        slots[index].transceiver = nil
        slots[index].direction = .inactive
    }

    /// A sender whose section the peer has stopped is not offered again.
    mutating func refuse(_ id: SenderID) {
        for index in senders.indices where senders[index].id == id { senders[index].isRefused = true }
    }

    // MARK: One section

    /// False: the section is to be rejected.
    private mutating func answerSection(
        _ index: Int, _ media: MediaDescription, _ offer: SessionDescription
    ) throws(NegotiationError) -> Bool {
        guard let kind = slots[index].kind else { return false }
        if kind == .data { return answerData(index, media) }
        // `RTP/SAVPF` is what browsers wrote before RFC 5764 had their name for it.
        guard media.hasDTLS || media.protocolName == "RTP/SAVPF" || media.protocolName == "RTP/SAVP" else {
            throw NegotiationError(
                .refused, line: media.position.line, "media must be under DTLS: UDP/TLS/RTP/SAVPF")
        }
        guard media.rtcpMux else {
            throw NegotiationError(.refused, line: media.position.line, "`rtcp-mux` is required")
        }
        let theirs = offer.direction(of: media)
        let selection = CodecSelection(media, kind, configuration.policy)
        let receivable = selection.agreed(configuration.policy.preferences(kind))
        attachSender(index, kind, theirs, selection)
        let sender = sender(slots[index].sender)
        var sendable = sender.map { selection.agreed($0.preferences) } ?? []
        if theirs.sends {
            // Both ways in one section: what we send has to stand in the answer too.
            sendable = sendable.filter { codec in receivable.contains { $0.payloadType == codec.payloadType } }
        }
        let sends = theirs.receives && !sendable.isEmpty
        let receives = theirs.sends && configuration.receivesMedia && !receivable.isEmpty && mayReceive(kind, index)
        slots[index].codecs = sends && !theirs.sends ? sendable : receivable.isEmpty ? sendable : receivable
        guard !slots[index].codecs.isEmpty, !theirs.sends || receives || sends || !configuration.receivesMedia else {
            return false
        }
        slots[index].direction = SDPDirection(sends: sends, receives: receives)
        slots[index].peerSends = theirs.sends
        slots[index].allowsMixed = media.allowsMixedExtensions || offer.allowsMixedExtensions
        slots[index].reducedSize = media.rtcpReducedSize
        slots[index].extensions = ExtensionAgreement(
            answering: offer.extensions + media.extensions, kind, allowsMixed: slots[index].allowsMixed)
        if receives { agreeLayers(index, media) }
        settle(index, media, sending: sends ? sendable : [])
        return true
    }

    /// Senders that are compared with one offered section. Of a room they have the same few codecs, so the first ones
    /// fit or none does; more would let an offer with many sections cost a room's worth of comparisons each.
    private static let sendersTried = 32

    /// What waits to be sent goes into a section the peer offers to receive it in.
    private mutating func attachSender(
        _ index: Int, _ kind: MediaKind, _ theirs: SDPDirection, _ selection: CodecSelection
    ) {
        guard slots[index].sender == nil, theirs.receives, !theirs.sends || configuration.sendsBesidesReceiving else {
            return
        }
        let placed = Set(slots.compactMap(\.sender))
        let waiting = senders.lazy.filter { $0.kind == kind && !$0.isRefused && !placed.contains($0.id) }
        slots[index].sender =
            waiting.prefix(Self.sendersTried).first { !selection.agreed($0.preferences).isEmpty }?.id
    }

    private func mayReceive(_ kind: MediaKind, _ index: Int) -> Bool {
        slots[..<index].count { $0.kind == kind && $0.direction.receives } < configuration.maximumReceiving
    }

    /// RFC 8853 §5.3.2: of each stream the first alternative, and no more streams than the policy allows.
    mutating func agreeLayers(_ index: Int, _ media: MediaDescription) {
        slots[index].layers = []
        slots[index].simulcast = []
        guard slots[index].kind == .video, let offered = media.simulcast?.send, offered.count > 1 else { return }
        let agreed = Set(slots[index].codecs.map(\.payloadType))
        for alternatives in offered.prefix(configuration.policy.layersPerSection) {
            guard let layer = alternatives.first,
                let rid = media.rids.first(where: { $0.id == layer.rid && $0.isSending }),
                !slots[index].layers.contains(where: { $0.id == rid.id })
            else { continue }
            let payloadTypes = rid.payloadTypes.filter { agreed.contains($0) }
            guard rid.payloadTypes.isEmpty || !payloadTypes.isEmpty else { continue }
            slots[index].layers.append(
                SDPRid(id: rid.id, isSending: false, payloadTypes: payloadTypes, restrictions: rid.restrictions))
            slots[index].simulcast.append([layer])
        }
    }

    private mutating func answerData(_ index: Int, _ media: MediaDescription) -> Bool {
        let isFirst = !slots[..<index].contains { $0.kind == .data && !$0.isRejected }
        guard configuration.acceptsData, isFirst, let remotePort = Slot.sctpPort(of: media) else { return false }
        // The older form names the port in the m-line (draft-ietf-mmusic-sctp-sdp-05).
        if media.sctpPort == nil {
            slots[index].sctpMap = "\(configuration.sctpPort) webrtc-datachannel 1024"
            slots[index].formats = ["\(configuration.sctpPort)"]
        }
        settleData(index, media, remotePort)
        return true
    }

    // MARK: Transport

    /// RFC 8842 §5.3: we are the server wherever the offer lets us, for then the peer chooses the faster suites. While
    /// the peer keeps its certificate the association lives on, and so do the roles (§5.5): browsers refuse an answer
    /// that turns them round.
    private func role(forOffer described: DescribedTransport) -> DTLSRole? {
        switch described.setup {
        case .activePassive:
            if let transport, transport.fingerprints == described.fingerprints { transport.role } else { .server }
        case .active, nil: .server
        case .passive: .client
        case .holdConnection: nil
        }
    }

    func setup(forAnswer isAnswer: Bool) -> SDPSetup {
        guard isAnswer else { return .activePassive }
        return transport?.role == .client ? .active : .passive
    }

    private mutating func agree(
        _ described: DescribedTransport, _ offer: SessionDescription, _ fresh: ICECredentials
    ) throws(NegotiationError) {
        guard let role = role(forOffer: described) else {
            throw NegotiationError(.refused, "`setup:holdconn` cannot be answered")
        }
        if let transport, transport.remote != described.credentials {
            credentials = fresh
            restart = nil
        }
        settle(described, offer, role)
    }

    /// Keeps what is agreed of the transport, and counts its restarts.
    mutating func settle(_ described: DescribedTransport, _ remote: SessionDescription, _ role: DTLSRole) {
        let isRestart = transport.map { $0.remote != described.credentials || $0.local != credentials } ?? false
        if isRestart { generation += 1 }
        transport = AgreedTransport(
            local: credentials, remote: described.credentials, remoteIsLite: remote.isICELite,
            remoteTrickles: described.trickles, fingerprints: described.fingerprints, role: role,
            candidates: described.candidates, endOfCandidates: described.endOfCandidates, generation: generation)
    }
}

extension Slot {
    /// Of either form; `nil` when the section is not for data channels.
    static func sctpPort(of media: MediaDescription) -> UInt16? {
        if let port = media.sctpPort { return media.formats.contains("webrtc-datachannel") ? port : nil }
        let words = (media.sctpMap ?? "").split(separator: " ")
        guard words.count > 1, words[1] == "webrtc-datachannel" else { return nil }
        return media.formats.first.flatMap { UInt16($0) }.flatMap { $0 == 0 ? nil : $0 }
    }
}
