// Rooms that span shards, as one engine sees it: links to siblings, mirrors of their tracks, packets that come through
// a pipe. `MediaService` decides which rooms span; docs/media/shards.md has the rules.

import Base
import Crypto
import Wire

extension MediaEngine {
    func link(to sibling: Int) -> ShardLink? { links.first { $0.sibling == sibling } }

    func connect(_ link: ShardLink) { links.append(link) }

    // MARK: - Rooms

    /// From now on the room is on the sibling too. The room need not be here yet.
    func span(_ name: String, to sibling: Int, now: Instant) {
        guard let link = link(to: sibling) else { return }
        let room = rooms[name] ?? Room(name, engine: self)
        rooms[name] = room
        guard !room.links.contains(where: { $0 === link }) else { return }
        room.links.append(link)
        for participant in room.participants where participant.origin == nil {
            for track in participant.tracks { link.publish(track, in: name) }
        }
    }

    /// The room is no longer on the sibling.
    func unspan(_ name: String, from sibling: Int, now: Instant) {
        guard let room = rooms[name], let link = link(to: sibling) else { return }
        room.links.removeAll { $0 === link }
        for participant in room.participants {
            if participant.origin?.link === link {
                for track in participant.tracks { link.forget(track) }
                remove(participant, now: now)
            } else {
                for track in participant.tracks { link.withdraw(track) }
            }
        }
        if room.isEmpty, room.links.isEmpty { rooms[name] = nil }
    }

    // MARK: - Mirrors

    /// A sibling has a new track.
    func mirror(_ description: TrackDescription, over sibling: Int, now: Instant) {
        guard let link = link(to: sibling), let room = rooms[description.room],
            room.links.contains(where: { $0 === link }),
            let publisher = standIn(for: description.publisher, of: link, in: room, now: now)
        else { return }
        let track = PublishedTrack(
            id: TrackID(number: nextTrack), mid: description.mid, kind: description.kind,
            receiving: description.receiving, publisher: publisher)
        nextTrack += 1
        track.origin = TrackOrigin(track: description.track, place: description.place)
        while link.mirrors.count <= description.place { link.mirrors.append(nil) }
        link.mirrors[description.place] = track
        publisher.tracks.append(track)
        room.offer(track, now: now)
    }

    func endMirror(_ place: Int, of id: TrackID, over sibling: Int, now: Instant) {
        guard let link = link(to: sibling), place < link.mirrors.count, let track = link.mirrors[place],
            track.origin?.track == id
        else { return }
        link.forget(track)
        let publisher = track.publisher
        publisher.tracks.removeAll { $0 === track }
        publisher.withdraw(track, now: now, engine: self)
        if publisher.tracks.isEmpty { remove(publisher, now: now) }
    }

    /// What the track carries from now on follows nothing that was seen of it here.
    func restartMirror(_ place: Int, of id: TrackID, over sibling: Int, now: Instant) {
        guard let link = link(to: sibling), place < link.mirrors.count, let track = link.mirrors[place],
            track.origin?.track == id
        else { return }
        track.beginAnew(now: now)
    }

    /// Who holds the tracks of a sibling's participant here: a participant without transport.
    private func standIn(
        for id: ParticipantID, of link: ShardLink, in room: Room, now: Instant
    ) -> Participant? {
        for participant in room.participants {
            if let origin = participant.origin, origin.link === link, origin.participant == id { return participant }
        }
        var random = SystemRandomNumberGenerator()
        let local = ICECredentials(using: &random)
        let configuration = NegotiatorConfiguration(
            fingerprints: [], candidates: [], sessionID: random.next() >> 1, cname: "plexichat")
        let participant = Participant(
            id: participants.nextID(), room: room, ice: ICELiteSession(local: local, remoteUfrag: nil),
            handshake: Handshake(), negotiator: Negotiator(configuration, credentials: local),
            localSSRC: random.next(), now: now)
        participant.origin = ParticipantOrigin(link: link, participant: id)
        participants.insert(participant)
        room.add(participant)
        look(participant)
        return participant
    }

    // MARK: - Packets

    /// A sibling has written to its pipe. The engine's output is to be sent afterwards.
    func receiveFromSibling(_ sibling: Int, now: Instant) {
        guard let link = link(to: sibling) else { return }
        link.incoming.begin()
        var inBatch = 0
        while let item = link.incoming.next() {
            switch item.pointee.kind {
            case .packet: takeMirrored(item, link, now)
            case .keyframeRequest: passOn(item.pointee, link, now)
            }
            link.incoming.advance()
            inBatch &+= 1
            if inBatch % DatagramSocket.batchSize == 0 { endBatch(now: now) }
        }
        endBatch(now: now)
    }

    @inline(__always)
    private func takeMirrored(_ item: UnsafePointer<PipeItem>, _ link: ShardLink, _ now: Instant) {
        guard let track = link.mirror(item), var record = item.pointee.record, let slot = slab.allocate() else {
            return counters.unknown &+= 1
        }
        slab[slot].copyMemory(from: link.incoming.bytes)
        record.slot = slot
        let layer = mirrorLayer(item.pointee.layer, of: track, item.pointee.ssrc)
        track.publisher.clock = item.pointee.clock
        layer.reception.take(item.pointee.stream)
        if record.input.frame.isKeyframe { layer.keyframes.keyframeCame() }
        if record.input.frame.hasStructure || record.input.frame.hasActiveDecodeTargets {
            layer.learnStructure(of: record, RawSpan(_unsafeBytes: UnsafeRawBufferPointer(slab[slot])))
        }
        layer.meter.add(
            record.input.payloadLength, spatial: record.input.frame.spatial, temporal: record.input.frame.temporal)
        layer.counters.packets &+= 1
        layer.counters.bytes &+= UInt64(record.input.payloadLength)
        switch layer.ring.insert(record) {
        case .kept: break
        case .replaced(let old): slab.release(old)
        case .refused: return slab.release(slot)
        }
        pend(PendingPacket(layer: layer.index, sequence: record.sequence), of: track)
    }

    /// The layer of an index, made anew when the publisher sends it from another source.
    private func mirrorLayer(_ index: UInt8, of track: PublishedTrack, _ ssrc: SSRC) -> PublishedLayer {
        if let known = track.layer(index) {
            if known.ssrc == ssrc { return known }
            track.publisher.remove(known)
        }
        let layer = PublishedLayer(ssrc: ssrc, index: index, track: track)
        track.add(layer)
        return layer
    }

    /// Somebody on the sibling cannot decode: the publisher is asked, no sooner than its own limit allows.
    private func passOn(_ item: PipeItem, _ link: ShardLink, _ now: Instant) {
        guard let track = link.published(item), let layer = track.layer(item.layer) else { return }
        layer.keyframes.want(now: now)
        track.publisher.wake(at: layer.keyframes.deadline)
    }
}

// MARK: - Stand-ins

extension Participant {
    /// Of the pipe and two loops, at most: a request is repeated sooner than to a publisher.
    private static let pipeRoundTrip = Duration.milliseconds(100)

    /// How often it is looked at what the layers of a track from elsewhere cost, as `AllocationState.interval` is here.
    private static let standInTick = Duration.milliseconds(100)

    /// All that a stand-in does by itself: it passes wishes for keyframes on, and measures its layers.
    func tickStandIn(_ origin: ParticipantOrigin, _ now: Instant) {
        var next = now + (tracks.isEmpty ? Self.idleTick : Self.standInTick)
        for track in tracks where track.kind == .video {
            track.measure(now: now)
            guard let place = track.origin else { continue }
            for layer in track.layers {
                if case .request = layer.keyframes.poll(now: now, roundTrip: Self.pipeRoundTrip) {
                    let item = PipeItem(
                        kind: .keyframeRequest, layer: layer.index, place: UInt32(truncatingIfNeeded: place.place),
                        track: place.track)
                    origin.link.outgoing.push(item, UnsafeRawBufferPointer(start: nil, count: 0))
                }
                if let due = layer.keyframes.deadline { next = min(next, due) }
            }
        }
        origin.link.outgoing.publish()
        nextTick = max(next, now + .milliseconds(1))
    }
}
