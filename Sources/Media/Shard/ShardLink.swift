// What one engine has to do with one sibling: which of its tracks the sibling mirrors, which of the sibling's it
// mirrors itself, and the pipes between them.
//
// A room that has outgrown one core has participants on several shards. Each published track then has a mirror on every
// other shard of the room: a track with a ring and subscriptions of its own, fed by the pipe instead of a participant.
// Tracks come and go by messages to the sibling's loop, packets through the pipe; a packet that arrives before or
// after its track is nobody's and is dropped. Only requests for keyframes go back.

import Base
import Wire

/// A track of a sibling, as it is told to who mirrors it.
struct TrackDescription: Sendable {
    let room: String
    let publisher: ParticipantID
    let track: TrackID
    /// Its place in this link.
    let place: Int
    let mid: String
    let kind: MediaKind
    let receiving: Transceiver.Receiving
}

/// Runs with the sibling's engine on the sibling's thread, in order.
typealias SiblingPost = @Sendable (@escaping @Sendable (MediaEngine, Instant) -> Void) -> Void

final class ShardLink {
    /// Tracks of ours that one sibling may mirror. More are not seen there.
    static let trackLimit = 4_096

    /// The sibling's number.
    let sibling: Int
    /// Our own number, by which the sibling knows this link.
    let own: Int
    let outgoing: ShardPipe
    let incoming: ShardPipe
    let post: SiblingPost

    /// Ours, by place.
    private(set) var published: [PublishedTrack?] = []
    private var free: [Int] = []
    /// The sibling's, by place.
    var mirrors: [PublishedTrack?] = []

    init(
        own: Int, sibling: Int, outgoing: ShardPipe, incoming: ShardPipe, post: @escaping SiblingPost
    ) {
        self.own = own
        self.sibling = sibling
        self.outgoing = outgoing
        self.incoming = incoming
        self.post = post
    }

    // MARK: - Our tracks

    func publish(_ track: PublishedTrack, in room: String) {
        guard !track.mirrors.contains(where: { $0.link === self }) else { return }
        guard let place = freePlace() else { return }
        published[place] = track
        track.mirrors.append(TrackMirror(link: self, place: place))
        let description = TrackDescription(
            room: room, publisher: track.publisher.id, track: track.id, place: place, mid: track.mid,
            kind: track.kind, receiving: track.receiving)
        let own = own
        post { engine, now in engine.mirror(description, over: own, now: now) }
    }

    private func freePlace() -> Int? {
        if let place = free.popLast() { return place }
        guard published.count < Self.trackLimit else { return nil }
        published.append(nil)
        return published.count - 1
    }

    func withdraw(_ track: PublishedTrack) {
        guard let index = track.mirrors.firstIndex(where: { $0.link === self }) else { return }
        let place = track.mirrors[index].place
        track.mirrors.remove(at: index)
        published[place] = nil
        free.append(place)
        let (own, id) = (own, track.id)
        post { engine, now in engine.endMirror(place, of: id, over: own, now: now) }
    }

    func restart(_ track: PublishedTrack) {
        guard let mirror = track.mirrors.first(where: { $0.link === self }) else { return }
        let (own, id, place) = (own, track.id, mirror.place)
        post { engine, now in engine.restartMirror(place, of: id, over: own, now: now) }
    }

    /// Ours, if it still is the one that is meant.
    func published(_ item: PipeItem) -> PublishedTrack? {
        guard Int(item.place) < published.count, let track = published[Int(item.place)], track.id == item.track else {
            return nil
        }
        return track
    }

    // MARK: - The sibling's

    /// Packets that are still under way find nothing.
    func forget(_ mirror: PublishedTrack) {
        if let place = mirror.origin?.place, place < mirrors.count { mirrors[place] = nil }
    }

    func mirror(_ item: UnsafePointer<PipeItem>) -> PublishedTrack? {
        let place = Int(item.pointee.place)
        guard place < mirrors.count, let track = mirrors[place], track.origin?.track == item.pointee.track else {
            return nil
        }
        return track
    }
}

/// Where a track of ours is mirrored.
struct TrackMirror {
    let link: ShardLink
    let place: Int
}

/// What a mirror mirrors.
struct TrackOrigin {
    let track: TrackID
    let place: Int
}

/// Whose tracks a participant without a transport holds: one of a sibling's.
struct ParticipantOrigin {
    unowned let link: ShardLink
    let participant: ParticipantID
}

// MARK: - Packets, there

extension PublishedTrack {
    /// What the batch brought, to the siblings that mirror the track.
    func pushPending(_ engine: MediaEngine) {
        for mirror in mirrors {
            for index in 0..<pendingCount {
                let packet = pending[index]
                guard let layer = layer(packet.layer), let record = layer.ring.find(packet.sequence) else { continue }
                let end = Int(record.pointee.payloadStart) &+ record.pointee.input.payloadLength
                guard end <= PacketSlab.slotSize else { continue }
                let item = PipeItem(
                    kind: .packet, layer: packet.layer, place: UInt32(truncatingIfNeeded: mirror.place), track: id,
                    ssrc: layer.ssrc, clock: publisher.clock, stream: layer.reception.clock, record: record.pointee)
                let slot = engine.slab[record.pointee.slot]
                mirror.link.outgoing.push(
                    item, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(slot)[..<end]))
            }
        }
    }
}
