// The tap on one room, on one shard: whose media is heard, which of their tracks are tapped, and what else is said. All of
// it runs on the shard's thread, and none of it per packet.

package import Base
import Wire

final class RoomTap {
    let name: String
    let pipe: TapPipe
    /// Who agreed to be heard, here or not.
    private var owners: Set<UUID> = []
    private var nextTrack: UInt32 = 1

    init(_ name: String, pipe: TapPipe) {
        self.name = name
        self.pipe = pipe
    }

    // MARK: Who

    func hears(_ participant: Participant) -> Bool {
        guard participant.origin == nil, let holder = participant.holder else { return false }
        return owners.contains(holder.owner)
    }

    func add(_ owner: UUID, in room: Room?, now: Instant) {
        guard owners.insert(owner).inserted, let room else { return }
        for participant in room.participants where hears(participant) { begin(participant, now: now) }
    }

    func remove(_ owner: UUID, in room: Room?, now: Instant) {
        guard owners.remove(owner) != nil, let room else { return }
        for participant in room.participants where participant.holder?.owner == owner {
            for track in participant.tracks { end(track, .withdrawn, now: now) }
        }
    }

    // MARK: What

    func begin(_ participant: Participant, now: Instant) {
        for track in participant.tracks { begin(track, now: now) }
    }

    /// A track is there; whether its publisher is heard is asked here.
    func begin(_ track: PublishedTrack, now: Instant) {
        guard track.tap == nil, hears(track.publisher), let holder = track.publisher.holder else { return }
        let tap = TrackTap(number: nextTrack, pipe: pipe)
        nextTrack &+= 1
        pipe.push(
            .began(
                TapTrack(
                    number: tap.number, owner: holder.owner, session: holder.session, kind: track.kind, mid: track.mid,
                    streamID: track.receiving.streamID, trackID: track.receiving.trackID, codecs: track.codecs,
                    layerCount: Int(track.highestLayer) + 1, isHeld: track.isHeld, at: now)))
        track.tap = tap
        tap.begin(track, now: now)
    }

    func end(_ track: PublishedTrack, _ reason: TapTrackEnd, now: Instant) {
        guard let tap = track.tap else { return }
        track.tap = nil
        pipe.push(.trackEnded(track: tap.number, reason, unsaid: tap.unsaid, at: now))
    }

    func hold(_ track: PublishedTrack, now: Instant) {
        guard let tap = track.tap else { return }
        pipe.push(.held(track: tap.number, track.isHeld, at: now))
        if !track.isHeld { tap.begin(track, now: now) }
    }

    /// There is another dominant speaker. Who has not agreed is nobody.
    func speaks(_ participant: Participant, now: Instant) {
        let holder = hears(participant) ? participant.holder : nil
        pipe.push(.speaks(owner: holder?.owner, session: holder?.session, at: now))
    }

    func close(_ room: Room?, now: Instant) {
        for participant in room?.participants ?? [] {
            for track in participant.tracks { end(track, .stopped, now: now) }
        }
        pipe.close(.stopped)
    }
}

/// Whose a participant is: what its session was made with.
package struct SessionHolder: Sendable {
    package let session: UUID
    package let owner: UUID

    package init(session: UUID, owner: UUID) {
        self.session = session
        self.owner = owner
    }
}

extension MediaEngine {
    /// Rooms may come later than their taps, and go sooner.
    func tap(on room: String) -> RoomTap? { taps.first { $0.name == room } }

    package func startTap(ofRoom name: String, into pipe: TapPipe, now: Instant) {
        precondition(tap(on: name) == nil, "a room has one tap at most")
        let tap = RoomTap(name, pipe: pipe)
        taps.append(tap)
        rooms[name]?.tap = tap
    }

    package func setTapped(_ owner: UUID, _ isTapped: Bool, inRoom name: String, now: Instant) {
        guard let tap = tap(on: name) else { return }
        if isTapped { tap.add(owner, in: rooms[name], now: now) } else { tap.remove(owner, in: rooms[name], now: now) }
    }

    package func stopTap(ofRoom name: String, now: Instant) {
        guard let tap = tap(on: name) else { return }
        tap.close(rooms[name], now: now)
        rooms[name]?.tap = nil
        taps.removeAll { $0 === tap }
    }

    func stopTaps(now: Instant) {
        for tap in taps { stopTap(ofRoom: tap.name, now: now) }
    }

    /// Whose the participant is, for who listens; before anything of it came.
    package func setHolder(_ holder: SessionHolder, of id: ParticipantID, now: Instant) {
        guard let participant = participants[id] else { return }
        participant.holder = holder
        participant.room.tap?.begin(participant, now: now)
    }

    /// At the end of a batch: what the taps took can be read.
    @inline(__always)
    func publishTaps() {
        for index in taps.indices { taps[index].pipe.publish() }
    }
}
