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
    /// The fragment is for another generation of ICE credentials, or the session is being renegotiated.
    case conflict(String)
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

    private struct Session {
        let shard: Int
        let participant: ParticipantID
        let room: String
    }

    private struct Directory {
        var rooms: [String: Room] = [:]
        var sessions: [UUID: Session] = [:]
        var sessionsOnShard: [Int]
        var isOpen = true
    }

    private let shards: [MediaShard]
    private let settings: MediaSettings
    private let directory: Mutex<Directory>

    package init(shards: [MediaShard], settings: MediaSettings) {
        precondition(!shards.isEmpty, "media needs a shard")
        self.shards = shards
        self.settings = settings
        MediaShard.connect(shards)
        directory = Mutex(Directory(sessionsOnShard: [Int](repeating: 0, count: shards.count)))
    }

    /// Answers an offer: from then on the session's candidates are checked for.
    package func join(_ room: String, as role: Role, offer: String) async throws(MediaError) -> Answer {
        let id = UUID.random()
        let shard = try reserve(room)
        let result = await shards[shard].perform { engine, now in
            Result { () throws(MediaError) in try engine.join(room, as: role, offer: offer, now: now) }
        }
        do throws(MediaError) {
            let joined = try result.get()
            let session = Session(shard: shard, participant: joined.participant, room: room)
            directory.withLock { $0.sessions[id] = session }
            return Answer(session: id, sdp: joined.sdp, iceGeneration: joined.iceGeneration)
        } catch {
            release(room, on: shard)
            throw error
        }
    }

    /// Candidates of the peer, or new credentials of an ICE restart; what comes back is our side of a restart.
    package func patch(_ id: UUID, fragment: String) async throws(MediaError) -> String? {
        let session = try find(id)
        let result = await shards[session.shard].perform { engine, now in
            Result { () throws(MediaError) in
                try engine.apply(fragment: fragment, to: session.participant, now: now)
            }
        }
        return try result.get()
    }

    package func leave(_ id: UUID) async throws(MediaError) {
        let removed = directory.withLock { $0.sessions.removeValue(forKey: id) }
        guard let session = removed else { throw .noSuchSession }
        await shards[session.shard].perform { engine, now in engine.leave(session.participant, now: now) }
        release(session.room, on: session.shard)
    }

    /// Whether the session is still there: a peer that fell silent is removed by its shard.
    package func exists(_ id: UUID) -> Bool { directory.withLock { $0.sessions[id] != nil } }

    // MARK: Placement

    private func find(_ id: UUID) throws(MediaError) -> Session {
        guard let session = directory.withLock({ $0.sessions[id] }) else { throw .noSuchSession }
        return session
    }

    /// The shard that is to take one more session of the room, with it counted there.
    private func reserve(_ name: String) throws(MediaError) -> Int {
        let limits = settings.limits
        let result = directory.withLock { directory -> Result<Int, MediaError> in
            guard directory.isOpen else { return .failure(.unavailable("the server is stopping")) }
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
        let below = room.sessions.filter { $0.value < settings.roomSpanThreshold }
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

    /// The shard has removed a participant that fell silent.
    package func participantEnded(_ participant: ParticipantID, onShard shard: Int) {
        let session = directory.withLock { directory -> Session? in
            guard
                let entry = directory.sessions.first(where: {
                    $0.value.shard == shard && $0.value.participant == participant
                })
            else { return nil }
            return directory.sessions.removeValue(forKey: entry.key)
        }
        if let session { release(session.room, on: shard) }
    }
}
