// What TCP adds to the engine: candidates to connect to, and connections that end (RFC 6544). A frame of a connection
// is a datagram like any other; the path names the connection where a datagram's names the socket.

package import Base
import Wire

extension ICECandidate {
    /// Of TCP, below the 126 of UDP hosts (RFC 6544 §4.2): a lost packet holds up those behind it, so TCP is for
    /// networks that let nothing else out.
    private static let connectionPreference: UInt32 = 90
    /// Of passive candidates of a host, in the upper three bits of the local preference (RFC 6544 §4.2).
    private static let passiveDirection: UInt16 = 4

    static func datagrams(_ address: TransportAddress, number: Int) -> ICECandidate {
        ICECandidate(
            foundation: "\(number + 1)", address: address,
            localPreference: UInt16.max - UInt16(truncatingIfNeeded: number))
    }

    static func connections(_ address: TransportAddress, number: Int) -> ICECandidate {
        let other = 0x1FFF - UInt16(truncatingIfNeeded: number & 0x1FFF)
        let local = UInt32(passiveDirection << 13 | other)
        var candidate = ICECandidate(foundation: "t\(number + 1)", transport: .tcp(.passive), address: address)
        candidate.priority = connectionPreference << 24 | local << 8 | 255
        return candidate
    }
}

extension MediaEngine {
    /// Whether the path is a participant's: somebody has proved it to be his, and it has not ended.
    package func isInUse(_ path: MediaPath) -> Bool { paths.find(path) != nil }

    /// The connection has ended, and its path with it.
    package func connectionEnded(_ path: MediaPath, now: Instant) {
        guard let index = paths.find(path), let participant = participants[index] else { return }
        close(path, of: participant, now: now)
        forget(path)
        look(participant)
    }

    /// The path is the participant's no longer.
    func close(_ path: MediaPath, of participant: Participant, now: Instant) {
        switch participant.ice.close(path) {
        case .nothing: break
        case .pathExpired: participant.noteIfPathless(now: now)
        case .consentExpired: participant.losePath(now: now)
        }
    }
}

extension Participant {
    /// The selected path is gone. The next valid check selects another; none may come for as long as consent lasts.
    func losePath(now: Instant) {
        destination = nil
        sending?.destination = nil
        noteIfPathless(now: now)
    }

    func noteIfPathless(now: Instant) {
        if ice.pathCount == 0 { pathlessSince = now }
        wake(at: now)
    }

    /// Whether every path was taken away, and no other has come since for as long as consent lasts.
    func isAbandoned(_ now: Instant) -> Bool {
        guard let pathlessSince, ice.pathCount == 0 else { return false }
        return now - pathlessSince >= ICELiteSession.consentLifetime
    }
}
