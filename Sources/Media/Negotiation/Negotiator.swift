// Offer and answer (RFC 9429) of one participant's one peer connection, as values: descriptions in, descriptions and
// the agreed picture out. It owns no transport and no stream; the engine applies what changed.
//
// Every call works on a copy and keeps it only when it succeeds: a refused description leaves everything as it was.
// `have-remote-offer` has no duration, for an offer is answered in the call that brings it; provisional answers are
// not made and not taken. Glare is resolved politely: an offer that arrives while ours is out takes ours back.

package import Wire

package struct Negotiator: Sendable {
    package enum State: Equatable, Sendable { case stable, haveLocalOffer }

    package private(set) var configuration: NegotiatorConfiguration
    package private(set) var state = State.stable
    /// What is agreed. Transceivers are in the order of the sections; sections not in use are not among them.
    package internal(set) var transport: AgreedTransport?
    package var transceivers: [Transceiver] { slots.compactMap(\.transceiver) }
    /// Something waits for an offer of ours.
    package var needsOffer: Bool {
        state == .stable
            && (hasChanged || restart != nil || !invitations.isEmpty || senders.contains { canPlace($0) }
                || wantsData && !hasDataSection && slots.count < configuration.maximumSections)
    }

    var slots: [Slot] = []
    var senders: [Sender] = []
    /// What stands in our descriptions.
    var credentials: ICECredentials
    /// What our next offer restarts ICE with. An answer never does (RFC 8839 §4.4.1.1.1).
    var restart: ICECredentials?
    var numbers = NumberTable()
    var generation = 0
    /// A sender was removed from a section whose direction the peer has not been told.
    private var hasChanged = false
    private var wantsData = false
    /// Sections for the peer to send in, with our next offer.
    private(set) var invitations: [MediaKind] = []
    /// What becomes ours when the peer answers; `nil` while stable.
    private var pending: Pending?
    private var nextSender: UInt32 = 1
    private var sessionVersion: UInt64 = 0

    struct Pending: Sendable {
        var slots: [Slot]
        var credentials: ICECredentials
    }

    package init(_ configuration: NegotiatorConfiguration, credentials: ICECredentials) {
        self.configuration = configuration
        self.credentials = credentials
    }

    // MARK: What we send

    /// Something more to send. `codecs` are those that the publisher sends, and so all that we can offer. The sources
    /// are drawn here: random, and no two of one connection alike (RFC 3550 §8).
    /// How many there are is bounded by the room.
    package mutating func addSender(
        _ kind: MediaKind, codecs: [NegotiatedCodec], streamID: String, trackID: String,
        using generator: inout some RandomNumberGenerator
    ) -> SenderID {
        var sources: [UInt32] = []
        while sources.count < 2 {
            let source = UInt32.random(in: 1...(.max), using: &generator)
            let isTaken = sources.contains(source) || senders.contains { $0.ssrc == source || $0.rtxSSRC == source }
            if !isTaken { sources.append(source) }
        }
        let id = SenderID(number: nextSender)
        nextSender &+= 1
        senders.append(
            Sender(
                id: id, kind: kind, codecs: codecs, streamID: streamID, trackID: trackID, ssrc: sources[0],
                rtxSSRC: sources[1]))
        return id
    }

    package mutating func removeSender(_ id: SenderID) {
        senders.removeAll { $0.id == id }
        for index in slots.indices where slots[index].sender == id {
            slots[index].sender = nil
            slots[index].transceiver?.sending = nil
            hasChanged = true
        }
        guard var waiting = pending else { return }
        for index in waiting.slots.indices where waiting.slots[index].sender == id {
            waiting.slots[index].sender = nil
            hasChanged = true
        }
        pending = waiting
    }

    /// Whether the peer has refused the section of this sender; it is not offered again.
    package func isRefused(_ id: SenderID) -> Bool { senders.contains { $0.id == id && $0.isRefused } }

    /// Asks for data channels in our next offer.
    package mutating func requestData() { wantsData = true }

    /// Offers the peer a section to send in. It may use it, now or later, or leave it idle. One that offers by itself
    /// needs no invitation, so an offer of the peer ends those that wait.
    package mutating func invite(_ kind: MediaKind) { invitations.append(kind) }

    /// From now on a new section for data channels is rejected: the transport could not carry it any more.
    package mutating func refuseData() { configuration.acceptsData = false }

    /// New credentials for our next offer (RFC 8445 §9).
    package mutating func restartICE(_ fresh: ICECredentials) {
        restart = fresh
    }

    // MARK: Offer and answer

    /// Answers. When the offer restarts ICE, `freshCredentials` become ours; otherwise they are not used.
    package mutating func accept(
        offer: SessionDescription, freshCredentials: ICECredentials
    ) throws(NegotiationError) -> SessionDescription {
        var draft = self
        draft.discardPending()
        let answer = try draft.answer(offer, freshCredentials)
        draft.hasChanged = false
        draft.invitations = []
        self = draft
        return answer
    }

    package mutating func makeOffer() throws(NegotiationError) -> SessionDescription {
        guard state == .stable else { throw NegotiationError(.wrongState, "our last offer has no answer yet") }
        var draft = self
        draft.credentials = restart ?? credentials
        let (offer, placed) = draft.offer(withData: wantsData)
        draft.pending = Pending(slots: placed, credentials: draft.credentials)
        draft.credentials = credentials
        draft.state = .haveLocalOffer
        draft.hasChanged = false
        self = draft
        return offer
    }

    package mutating func accept(answer: SessionDescription) throws(NegotiationError) {
        guard let pending else { throw NegotiationError(.wrongState, "an answer, and no offer of ours") }
        var draft = self
        draft.pending = nil
        draft.state = .stable
        draft.slots = pending.slots
        draft.credentials = pending.credentials
        // Refused or not, we have asked.
        draft.wantsData = false
        draft.invitations = []
        if restart == pending.credentials { draft.restart = nil }
        try draft.conclude(answer)
        self = draft
    }

    /// Takes our offer back; what it would have changed waits for the next one.
    package mutating func rollback() throws(NegotiationError) {
        guard state == .haveLocalOffer else { throw NegotiationError(.wrongState, "no offer to take back") }
        discardPending()
        hasChanged = true
    }

    private mutating func discardPending() {
        guard pending != nil else { return }
        pending = nil
        state = .stable
    }

    /// Begins an exchange with an offer that somebody else has written, to play its author.
    mutating func adopt(slots: [Slot]) {
        pending = Pending(slots: slots, credentials: credentials)
        state = .haveLocalOffer
    }

    // MARK: Shared

    var hasDataSection: Bool { slots.contains { $0.kind == .data && !$0.isRejected } }

    func sender(_ id: SenderID?) -> Sender? { id.flatMap { id in senders.first { $0.id == id } } }

    /// Not in a section, not refused, and there is one for it.
    func canPlace(_ sender: Sender) -> Bool {
        !sender.isRefused && !slots.contains { $0.sender == sender.id }
            && (slots.count < configuration.maximumSections || reusableSlot(for: sender, in: slots) != nil)
    }

    mutating func emptyDescription() -> SessionDescription {
        sessionVersion &+= 1
        var description = SessionDescription(
            origin: SDPOrigin(sessionID: "\(configuration.sessionID)", sessionVersion: "\(sessionVersion)"))
        description.isICELite = configuration.isLite
        return description
    }
}

package struct NegotiatorConfiguration: Sendable {
    package var policy = CodecPolicy.standard
    /// Of our certificate, one line for each hash.
    package var fingerprints: [SDPFingerprint]
    /// What follows `a=candidate:`; all we have, for we gather none later.
    package var candidates: [String]
    /// For `o=`: a number below 2^63 that no other session of this server has.
    package var sessionID: UInt64
    /// One name for all that this connection sends (RFC 8834 §4.9).
    package var cname: String
    package var isLite = true
    package var receivesMedia = true
    package var acceptsData = true
    /// Whether a section in which the peer sends (or could) may also carry what we send it. Without, what we send goes
    /// into sections that the peer only receives, and into ours: then a publisher's stopping takes nothing else away.
    package var sendsBesidesReceiving = false
    /// Sections of the connection, rejected ones among them, for they are never taken away. An offer with more is
    /// refused; senders without a section wait. Higher costs the browser memory and every description bytes.
    package var maximumSections = 128
    /// Sections in which the peer sends, per kind; further ones are rejected with port 0.
    package var maximumReceiving = 16
    /// Written as `b=` into sections that receive video; `nil` for none.
    package var maximumVideoBitrate: UInt64?
    package var sctpPort: UInt16 = 5_000
    /// What we take in one message.
    package var maxMessageSize: UInt64 = 262_144

    package init(fingerprints: [SDPFingerprint], candidates: [String], sessionID: UInt64, cname: String) {
        self.fingerprints = fingerprints
        self.candidates = candidates
        self.sessionID = sessionID
        self.cname = cname
    }
}

struct Sender: Equatable, Sendable {
    let id: SenderID
    let kind: MediaKind
    let codecs: [NegotiatedCodec]
    let streamID: String
    let trackID: String
    let ssrc: UInt32
    let rtxSSRC: UInt32
    var isRefused = false

    var preferences: [CodecPreference] { codecs.map { CodecPreference($0.codec, $0.parameters) } }
}

/// One section, in its place for good (RFC 9429 §5.2.2): the sections of all later descriptions are in this order.
struct Slot: Sendable {
    var mid: String?
    var mediaKind: SDPMediaKind
    var protocolName: String
    /// As offered last; a rejected section repeats them.
    var formats: [String]
    var isRejected = false
    var sender: SenderID?
    var transceiver: Transceiver?

    /// What our description says of the section, for the next one and for the answer to it.
    var codecs: [NegotiatedCodec] = []
    var extensions = ExtensionAgreement()
    var direction = SDPDirection.inactive
    /// Whether the peer wants to send when we let it: it did in its last description.
    var peerSends = false
    /// Offered for the peer to send in, and not answered yet.
    var isInvitation = false
    var layers: [SDPRid] = []
    var simulcast: [[SDPSimulcast.Layer]] = []
    var allowsMixed = false
    var reducedSize = false
    var sctpMap: String?

    var kind: MediaKind? {
        switch mediaKind {
        case .audio: .audio
        case .video: .video
        case .application: protocolName.hasSuffix("DTLS/SCTP") ? .data : nil
        case .other: nil
        }
    }

    init(mid: String?, mediaKind: SDPMediaKind, protocolName: String, formats: [String]) {
        self.mid = mid
        self.mediaKind = mediaKind
        self.protocolName = protocolName
        self.formats = formats
    }
}
