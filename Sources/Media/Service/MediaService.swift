// The way into the engine for who speaks HTTP or WebSocket: sessions by id, on whichever shard their room lives.
//
// A room lives on one shard, the one with the fewest participants when it began, until that has as many of its
// participants as `MediaSettings.roomSpanThreshold`; then the next shard takes part (docs/media/shards.md).
// Everything here may be called from any thread; the work itself happens on the shard's.

package import Base
import Synchronization
import Wire

/// What can go wrong for who negotiates. Media itself never fails that way: it stops, and statistics say so.
package enum MediaError: Error, Equatable, Sendable {
    /// With the line (from 1; 0 for the whole) and the reason, in words for who wrote the SDP.
    case sdpInvalid(line: Int, reason: String)
    /// Well-formed, but nothing that we can agree to.
    case notAcceptable(String)
    case noSuchSession
    /// Out of turn.
    case conflict(String)
    /// The fragment is for another generation of ICE credentials than the session's.
    case otherGeneration
    /// A restart must say for which generation it is.
    case conditionMissing
    case roomFull(limit: Int)
    case serverFull(limit: Int)
    case unavailable(String)
}

package final class MediaService: Sendable {
    package enum Role: Sendable, Equatable {
        /// Sends to the room, and receives from it where the offer asks for it.
        case publisher
        /// Only receives.
        case viewer
        /// Of a call: sends, receives and renegotiates (`MediaService+Calls`).
        case participant
    }

    package struct Answer: Sendable {
        package let session: UUID
        package let sdp: String
        /// Names the generation of ICE credentials, as RFC 9725 §4.3.1 wants it in an ETag.
        package let iceGeneration: String
    }

    private struct Room {
        /// On each shard that takes part.
        var sessions: [Int: Int] = [:]
        var total: Int { sessions.values.reduce(0, +) }
    }

    /// Who may change a session is for the caller to decide: the service only remembers whose it is.
    package struct Session: Sendable {
        package let room: String
        package let role: Role
        package let owner: UUID
        let shard: Int
        let participant: ParticipantID
    }

    struct Place: Hashable {
        let shard: Int
        let participant: ParticipantID
    }

    private struct Directory {
        var rooms: [String: Room] = [:]
        var sessions: [UUID: Session] = [:]
        /// The other way round, for shards that report an end.
        var places: [Place: UUID] = [:]
        var sessionsOnShard: [Int]
        var isOpen = true

        mutating func remove(_ id: UUID) -> Session? {
            guard let session = sessions.removeValue(forKey: id) else { return nil }
            places[Place(shard: session.shard, participant: session.participant)] = nil
            return session
        }
    }

    let shards: [MediaShard]
    private let limits: MediaLimits
    private let roomSpanThreshold: Int
    private let directory: Mutex<Directory>
    /// Of recorders (`MediaService+Tap`).
    let taps = Mutex(TapTable())
    /// Who is told of what happens in calls.
    private let listener = Mutex<(any MediaListener)?>(nil)

    package init(shards: [MediaShard], settings: MediaSettings) {
        precondition(!shards.isEmpty, "media needs a shard")
        self.shards = shards
        limits = settings.limits
        roomSpanThreshold = settings.roomSpanThreshold
        MediaShard.connect(shards)
        directory = Mutex(Directory(sessionsOnShard: [Int](repeating: 0, count: shards.count)))
    }

    /// From its return on the shards serve.
    package func start() async throws(SystemError) {
        for (number, shard) in shards.enumerated() {
            await listen(to: shard, number)
            try await shard.start { [weak self] participant, end in
                self?.participantEnded(participant, end, onShard: number)
            }
        }
    }

    /// From now on. Sessions of WHIP and WHEP are not told of.
    package func setListener(_ listener: any MediaListener) { self.listener.withLock { $0 = listener } }
    var currentListener: (any MediaListener)? { listener.withLock { $0 } }

    /// Nobody comes any more, and who is there is told goodbye. From its return on no shard is served.
    package func stop() async {
        directory.withLock { $0.isOpen = false }
        closeTaps()
        for shard in shards {
            await shard.stop { engine, now in
                engine.leaveEverybody(now: now)
                engine.stopTaps(now: now)
            }
        }
        directory.withLock { directory in
            directory.sessions.removeAll()
            directory.places.removeAll()
            directory.rooms.removeAll()
        }
    }

    /// Answers an offer: from then on the session's candidates are checked for. `owner` is remembered with it.
    package func join(
        _ room: String, as role: Role, owner: UUID, offer: String
    ) async throws(MediaError) -> Answer {
        try await admit(to: room, as: role, owner: owner) { engine, now throws(MediaError) in
            try engine.join(room, as: role, offer: offer, now: now)
        }
    }

    /// A place in a room for whom `body` makes in the engine.
    func admit(
        to room: String, as role: Role, owner: UUID, id: UUID = .random(),
        _ body: @escaping @Sendable (MediaEngine, Instant) throws(MediaError) -> MediaEngine.Joined
    ) async throws(MediaError) -> Answer {
        let number = try reserve(room)
        let result = await shards[number].perform { [self] engine, now in
            Result { () throws(MediaError) in
                let joined = try body(engine, now)
                // On the shard's thread, so that it cannot report the end of somebody who is not known yet.
                let session = Session(
                    room: room, role: role, owner: owner, shard: number, participant: joined.participant)
                guard note(session, id) else {
                    engine.leave(joined.participant, now: now)
                    throw .unavailable(Self.stopping)
                }
                engine.setHolder(SessionHolder(session: id, owner: owner), of: joined.participant, now: now)
                tellStanding(of: joined.participant, engine, shard: number)
                return joined
            }
        }
        do throws(MediaError) {
            let joined = try result.get()
            return Answer(session: id, sdp: joined.sdp, iceGeneration: joined.iceGeneration)
        } catch {
            release(room, on: number)
            throw error
        }
    }

    static let stopping = "the server is stopping"

    /// False when the server has begun to stop meanwhile.
    private func note(_ session: Session, _ id: UUID) -> Bool {
        directory.withLock { directory in
            guard directory.isOpen else { return false }
            directory.sessions[id] = session
            directory.places[Place(shard: session.shard, participant: session.participant)] = id
            return true
        }
    }

    /// Candidates of the peer, or new credentials of an ICE restart; what comes back is our side of a restart.
    package func patch(
        _ id: UUID, fragment: Bytes, if condition: FragmentCondition
    ) async throws(MediaError) -> MediaEngine.Patched {
        guard let session = session(id) else { throw .noSuchSession }
        let result = await shards[session.shard].perform { engine, now in
            Result { () throws(MediaError) in
                try engine.apply(fragment: fragment, if: condition, to: session.participant, now: now)
            }
        }
        return try result.get()
    }

    package func leave(_ id: UUID) async throws(MediaError) {
        guard let session = directory.withLock({ $0.remove(id) }) else { throw .noSuchSession }
        await shards[session.shard].perform { engine, now in engine.leave(session.participant, now: now) }
        release(session.room, on: session.shard)
    }

    /// `nil` for one that has ended: a peer that fell silent is removed by its shard.
    package func session(_ id: UUID) -> Session? { directory.withLock { $0.sessions[id] } }

    package var sessionCount: Int { directory.withLock { $0.sessions.count } }

    /// Of each shard, as they were at most a second ago.
    package var statistics: [EngineStatistics] { shards.map(\.statistics) }

    /// From any thread.
    package func statistics(ofShard number: Int) -> EngineStatistics { shards[number].statistics }

    // MARK: Placement

    /// The shard that is to take one more session of the room, with it counted there.
    private func reserve(_ name: String) throws(MediaError) -> Int {
        let result = directory.withLock { directory -> Result<Int, MediaError> in
            guard directory.isOpen else { return .failure(.unavailable(Self.stopping)) }
            let total = directory.sessionsOnShard.reduce(0, +)
            guard total < limits.sessions else { return .failure(.serverFull(limit: limits.sessions)) }
            var room = directory.rooms[name] ?? Room()
            guard room.total < limits.sessionsPerRoom else {
                return .failure(.roomFull(limit: limits.sessionsPerRoom))
            }
            let shard = place(room, directory.sessionsOnShard)
            // In the lock, so that shards hear of it in the order in which it was decided.
            if room.sessions[shard] == nil { span(name, from: room.sessions.keys.sorted(), to: shard) }
            room.sessions[shard, default: 0] += 1
            directory.rooms[name] = room
            directory.sessionsOnShard[shard] += 1
            return .success(shard)
        }
        return try result.get()
    }

    /// A shard that has the room and is below the threshold, the fullest first, so that few take part; else one that
    /// has not got it; when all have, the one with the fewest of its sessions.
    private func place(_ room: Room, _ load: [Int]) -> Int {
        let below = room.sessions.filter { $0.value < roomSpanThreshold }
        if let best = below.max(by: { ($0.value, -$0.key) < ($1.value, -$1.key) }) { return best.key }
        let others = shards.indices.filter { room.sessions[$0] == nil }
        if let next = others.min(by: { load[$0] < load[$1] }) { return next }
        return room.sessions.min { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? 0
    }

    private func span(_ name: String, from present: [Int], to shard: Int) {
        for other in present {
            shards[shard].post { engine, now in engine.span(name, to: other, now: now) }
            shards[other].post { engine, now in engine.span(name, to: shard, now: now) }
        }
    }

    private func release(_ name: String, on shard: Int) {
        directory.withLock { directory in
            guard var room = directory.rooms[name], let count = room.sessions[shard] else { return }
            directory.sessionsOnShard[shard] -= 1
            room.sessions[shard] = count > 1 ? count - 1 : nil
            directory.rooms[name] = room.sessions.isEmpty ? nil : room
            guard count == 1 else { return }
            for other in room.sessions.keys {
                shards[shard].post { engine, now in engine.unspan(name, from: other, now: now) }
                shards[other].post { engine, now in engine.unspan(name, from: shard, now: now) }
            }
        }
    }

    /// The shard has removed a participant that fell silent, closed, or never came.
    private func participantEnded(_ participant: ParticipantID, _ end: ParticipantEnd, onShard shard: Int) {
        let ended = directory.withLock { directory -> (UUID, Session)? in
            guard let id = directory.places[Place(shard: shard, participant: participant)] else { return nil }
            return directory.remove(id).map { (id, $0) }
        }
        guard let (id, session) = ended else { return }
        release(session.room, on: shard)
        if session.role == .participant { currentListener?.happened(.ended(end), to: id) }
    }

    /// The session of a call that has the place.
    func call(at place: Place) -> UUID? {
        directory.withLock { directory in
            guard let id = directory.places[place], directory.sessions[id]?.role == .participant else { return nil }
            return id
        }
    }

    /// All of them, at one time.
    func sessions(at places: [Place]) -> [UUID?] {
        directory.withLock { directory in places.map { directory.places[$0] } }
    }

    /// The shards that a room is on.
    func shards(of room: String) -> [Int] {
        directory.withLock { $0.rooms[room]?.sessions.keys.sorted() ?? [] }
    }
}
