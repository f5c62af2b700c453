// The way into the engine for who speaks HTTP or WebSocket: sessions by id, on whichever shard their room lives.
//
// A room lives on one shard from its first participant to its last; the shard with the fewest participants takes it.
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
        var shard: Int
        var sessions: Int
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
            release(room)
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
        release(session.room)
    }

    /// Whether the session is still there: a peer that fell silent is removed by its shard.
    package func exists(_ id: UUID) -> Bool { directory.withLock { $0.sessions[id] != nil } }

    // MARK: Placement

    private func find(_ id: UUID) throws(MediaError) -> Session {
        guard let session = directory.withLock({ $0.sessions[id] }) else { throw .noSuchSession }
        return session
    }

    /// The room's shard, with one more session counted on it.
    private func reserve(_ name: String) throws(MediaError) -> Int {
        let limits = settings.limits
        let result = directory.withLock { directory -> Result<Int, MediaError> in
            guard directory.isOpen else { return .failure(.unavailable("the server is stopping")) }
            let total = directory.sessionsOnShard.reduce(0, +)
            guard total < limits.sessions else { return .failure(.serverFull(limit: limits.sessions)) }
            let emptiest = directory.sessionsOnShard.indices.min {
                directory.sessionsOnShard[$0] < directory.sessionsOnShard[$1]
            }
            var room = directory.rooms[name] ?? Room(shard: emptiest ?? 0, sessions: 0)
            guard room.sessions < limits.sessionsPerRoom else {
                return .failure(.roomFull(limit: limits.sessionsPerRoom))
            }
            room.sessions += 1
            directory.rooms[name] = room
            directory.sessionsOnShard[room.shard] += 1
            return .success(room.shard)
        }
        return try result.get()
    }

    private func release(_ name: String) {
        directory.withLock { directory in
            guard var room = directory.rooms[name] else { return }
            room.sessions -= 1
            directory.sessionsOnShard[room.shard] -= 1
            directory.rooms[name] = room.sessions > 0 ? room : nil
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
        if let session { release(session.room) }
    }
}
