// Who speaks in a room: fed with the audio levels of packets, it says whose audio is heard, who the dominant speaker is,
// and in which order people spoke last.

import Base

struct RoomSpeakers {
    /// Room on the board at first; it doubles when more people send audio.
    private static let firstCapacity = 8

    /// Made with the first audio level.
    private var board: SpeakerBoard?
    /// Who has which number on the board.
    private var owners: [ParticipantID?] = []
    private(set) var count = 0
    /// People came, went or spoke since the order was made.
    var ranksAreStale = true
    /// 0: everybody is heard.
    private let places: Int

    init(places: Int) { self.places = max(places, 0) }

    var dominant: ParticipantID? { board?.dominant.flatMap { owners[$0] } }

    /// Whether a packet of this level is to be heard.
    @inline(__always)
    mutating func note(_ slot: Int, level: UInt8, now: Instant) -> Bool {
        let isHeard = board?.note(slot, level: level, now: now) ?? true
        return isHeard || places == 0 || count <= places
    }

    @inline(__always)
    func isDue(_ now: Instant) -> Bool { board.map { $0.deadline <= now } ?? false }

    /// The new dominant speaker, when there is another.
    mutating func look(now: Instant) -> ParticipantID? {
        guard let slot = board?.look(now: now) else { return nil }
        return owners[slot]
    }

    mutating func enter(_ participant: Participant) {
        if board == nil {
            board = SpeakerBoard(capacity: Self.firstCapacity, places: max(places, 1))
            owners = Array(repeating: nil, count: Self.firstCapacity)
        }
        if count == owners.count {
            owners += Array(repeating: nil, count: count)
            board?.grow(to: owners.count)
        }
        guard let slot = owners.firstIndex(where: { $0 == nil }) else { return }
        owners[slot] = participant.id
        board?.add(slot)
        count += 1
        participant.speakerSlot = slot
    }

    mutating func remove(_ participant: Participant) {
        ranksAreStale = true
        guard participant.speakerSlot >= 0 else { return }
        board?.remove(participant.speakerSlot)
        owners[participant.speakerSlot] = nil
        participant.speakerSlot = -1
        count -= 1
    }
}

extension Room {
    /// Once per packet with an audio level. False: the room is large, and others are louder. Packets without a level are
    /// heard: their senders cannot be compared.
    @inline(__always)
    func hears(_ participant: Participant, level: UInt8, now: Instant) -> Bool {
        if participant.speakerSlot < 0 { speakers.enter(participant) }
        let isHeard = speakers.note(participant.speakerSlot, level: level, now: now)
        if speakers.isDue(now) { lookForSpeaker(now) }
        return isHeard
    }

    private func lookForSpeaker(_ now: Instant) {
        guard let id = speakers.look(now: now), let participant = engine.participants[id] else { return }
        participant.lastDominant = now.nanoseconds
        speakers.ranksAreStale = true
        log.note(.dominantSpeaker, id, now: now)
        tap?.speaks(participant, now: now)
        engine.onEvent(.dominantSpeaker(room: name, id))
    }

    /// Orders those who send video by when they were the dominant speaker last; those who never were follow in the order
    /// of their coming.
    func rankSpeakers() {
        guard speakers.ranksAreStale else { return }
        speakers.ranksAreStale = false
        var order: [Participant] = []
        for participant in participants {
            participant.speakerRank = .max
            if participant.tracks.contains(where: { $0.kind == .video }) { order.append(participant) }
        }
        let sorted = order.enumerated().sorted { left, right in
            if left.element.lastDominant != right.element.lastDominant {
                return left.element.lastDominant > right.element.lastDominant
            }
            return left.offset < right.offset
        }
        for (rank, entry) in sorted.enumerated() { entry.element.speakerRank = rank }
    }
}

extension Participant {
    /// Whether last-N lets this subscriber see that publisher: one's own place among the speakers is of no use to
    /// oneself.
    func isAmongLast(_ count: Int, _ publisher: Participant) -> Bool {
        guard count > 0 else { return true }
        room.rankSpeakers()
        let isBehindUs = speakerRank < publisher.speakerRank
        return publisher.speakerRank - (isBehindUs ? 1 : 0) < count
    }
}
