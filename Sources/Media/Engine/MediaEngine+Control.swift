// Who joins, what is agreed with them, and how they go.

package import Base
import Crypto
import Wire

extension MediaEngine {
    package struct Joined: Sendable {
        package let participant: ParticipantID
        package let sdp: String
        package let iceGeneration: String
    }

    /// Answers the offer of somebody new.
    package func join(
        _ roomName: String, as role: MediaService.Role, offer: String, preferring codecs: [Codec] = [], now: Instant
    ) throws(MediaError) -> Joined {
        let description = try Self.parse(offer)
        var random = SystemRandomNumberGenerator()
        let local = ICECredentials(using: &random)
        var negotiator = Negotiator(negotiatorConfiguration(role, codecs, &random), credentials: local)
        addSenders(for: description, to: &negotiator, &random)
        let answer = try Self.negotiate { () throws(NegotiationError) in
            try negotiator.accept(offer: description, freshCredentials: ICECredentials(using: &random))
        }
        guard let transport = negotiator.transport else {
            throw .notAcceptable("no section of the offer can be accepted")
        }
        let handshake = try makeHandshake(transport)
        let participant = try admit(
            to: roomName, ICELiteSession(local: local, remoteUfrag: transport.remote.ufrag), handshake, negotiator,
            now: now)
        participant.dropIdleSenders()
        participant.applyAgreement(now: now, engine: self)
        look(participant)
        return Joined(
            participant: participant.id, sdp: String(decoding: answer.encoded, as: UTF8.self),
            iceGeneration: local.ufrag)
    }

    /// Offers to somebody new: sections of the given kinds to send in, and one for each track of the others. Its
    /// certificate comes with the answer; until then checks are answered and a handshake goes no further than that.
    package func invite(
        _ roomName: String, toSend kinds: [MediaKind], preferring codecs: [Codec] = [], now: Instant
    ) throws(MediaError) -> Joined {
        precondition(!kinds.isEmpty, "an offer has a section at least")
        var random = SystemRandomNumberGenerator()
        let local = ICECredentials(using: &random)
        var negotiator = Negotiator(negotiatorConfiguration(.participant, codecs, &random), credentials: local)
        for kind in kinds { negotiator.invite(kind) }
        let handshake = try makeHandshake(.server, [], identity)
        let participant = try admit(
            to: roomName, ICELiteSession(local: local, remoteUfrag: nil), handshake, negotiator, now: now)
        // The offer follows at once: nobody needs to be told that there is something to offer.
        participant.hasAskedToOffer = true
        participant.room.offerRest(to: participant, now: now)
        look(participant)
        guard let sdp = try offer(to: participant.id, now: now) else {
            preconditionFailure("an invitation is something to offer")
        }
        return Joined(participant: participant.id, sdp: sdp, iceGeneration: local.ufrag)
    }

    private func admit(
        to roomName: String, _ ice: ICELiteSession, _ handshake: consuming Handshake, _ negotiator: Negotiator,
        now: Instant
    ) throws(MediaError) -> Participant {
        let room = rooms[roomName] ?? Room(roomName, engine: self)
        let participant = Participant(
            id: participants.nextID(), room: room, ice: ice, handshake: handshake, negotiator: negotiator,
            localSSRC: UInt32.random(in: 1...(.max)), now: now)
        participants.insert(participant)
        guard register(participant.ice.localUfrag, of: participant) else {
            participants.remove(participant.id)
            throw .serverFull(limit: settings.limits.sessions)
        }
        rooms[roomName] = room
        room.add(participant)
        return participant
    }

    package func leave(_ id: ParticipantID, now: Instant) {
        guard let participant = participants[id] else { return }
        participant.sayGoodbye(now: now, engine: self)
        history.count(.left)
        remove(participant, now: now)
    }

    /// Takes everything away that the participant had; its tracks end for everybody.
    func remove(_ participant: Participant, now: Instant) {
        history.retire(participant)
        // What a sibling still sends of a stand-in's tracks, or says of their end, finds nothing.
        if let link = participant.origin?.link { for track in participant.tracks { link.forget(track) } }
        participants.remove(participant.id)
        forgetDeadline(participant)
        unregister(participant.ice.localUfrag)
        if let pending = participant.ice.pendingUfrag { unregister(pending) }
        while let path = participant.ice.removeAnyPath() { forget(path) }
        let room = participant.room
        room.log.note(.left, participant.id, now: now)
        room.remove(participant)
        participant.dismantle(now: now, engine: self)
        if room.isEmpty, room.links.isEmpty { rooms[room.name] = nil }
    }

    // MARK: - Negotiation

    static func parse(_ text: String) throws(MediaError) -> SessionDescription {
        do throws(SDPError) {
            return try SessionDescription(parsing: Bytes(text.utf8))
        } catch {
            throw .sdpInvalid(line: error.line, reason: error.reason)
        }
    }

    static func negotiate<Result>(
        _ body: () throws(NegotiationError) -> Result
    ) throws(MediaError) -> Result {
        do throws(NegotiationError) {
            return try body()
        } catch {
            throw .sdpInvalid(line: error.line, reason: error.reason)
        }
    }

    private func negotiatorConfiguration(
        _ role: MediaService.Role, _ preferred: [Codec], _ random: inout SystemRandomNumberGenerator
    ) -> NegotiatorConfiguration {
        var configuration = NegotiatorConfiguration(
            fingerprints: identity.fingerprints.compactMap { SDPFingerprint($0) }, candidates: candidates,
            sessionID: random.next() >> 1, cname: "plexichat")
        configuration.policy = configuration.policy.preferring(preferred)
        configuration.receivesMedia = role != .viewer
        configuration.sendsBesidesReceiving = true
        configuration.maximumVideoBitrate = UInt64(settings.publisherBitrateMax)
        return configuration
    }

    /// A stream of ours for each section in which the peer would receive; what it shows is decided later.
    private func addSenders(
        for offer: SessionDescription, to negotiator: inout Negotiator, _ random: inout SystemRandomNumberGenerator
    ) {
        for media in offer.media where offer.direction(of: media).receives {
            guard let kind: MediaKind = media.kind == .audio ? .audio : media.kind == .video ? .video : nil else {
                continue
            }
            let policy = negotiator.configuration.policy
            let name = "\(kind == .audio ? "audio" : "video")-\(media.mid ?? "0")"
            _ = negotiator.addSender(
                kind, codecs: policy.everything(kind), streamID: "plexichat", trackID: name, using: &random)
        }
    }

    /// `told` is the identity of a description that is out already: a newer one would not be what it says.
    func makeHandshake(
        _ transport: AgreedTransport, told: DTLSIdentity? = nil
    ) throws(MediaError) -> Handshake {
        try makeHandshake(
            transport.role == .server ? .server : .client, transport.fingerprints.compactMap { DTLSFingerprint($0) },
            told ?? identity)
    }

    private func makeHandshake(
        _ role: DTLSSession.Role, _ peer: [DTLSFingerprint], _ identity: DTLSIdentity
    ) throws(MediaError) -> Handshake {
        do throws(CryptoError) {
            return try Handshake(role, identity: identity, peer: peer)
        } catch {
            throw .unavailable("\(error)")
        }
    }
}

extension ICECredentials {
    /// Of our own.
    init(using random: inout some RandomNumberGenerator) {
        self.init(randomBytes: (0..<Self.randomByteCount).map { _ in random.next() })
    }
}

extension CodecPolicy {
    /// Everything that can be forwarded: what a stream of ours may carry before it is known what it will show.
    func everything(_ kind: MediaKind) -> [NegotiatedCodec] {
        let all = kind == .audio ? audio : video
        return all.map { preference in
            NegotiatedCodec(
                payloadType: 0, codec: preference.codec, clockRate: kind == .audio ? 48_000 : 90_000,
                channels: 0, parameters: preference.parameters.text)
        }
    }
}
