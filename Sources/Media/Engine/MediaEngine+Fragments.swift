// What a participant that negotiates over HTTP may change afterwards: candidates, and an ICE restart (RFC 8840,
// RFC 9725 §4.3). A lite agent needs no candidates: it answers whoever proves to be the participant.
//
// A restart is make before break. The new fragment joins the table beside the old one, both are answered, and media
// stays where it is until the first check with the new credentials selects its path; then the old fragment goes.

package import Base
import Crypto
import Wire

/// For which generation of credentials a fragment was written, as `If-Match` says it.
package enum FragmentCondition: Sendable, Equatable {
    /// Nothing was said. Candidates are taken, for they do no harm; a restart is not.
    case none
    /// `*`: whatever the generation is.
    case any
    case generation(String)
}

extension MediaEngine {
    package struct Patched: Sendable, Equatable {
        /// Our side of a restart; `nil` when there is nothing to say.
        package let answer: String?
        /// The generation that counts from now on.
        package let iceGeneration: String
    }

    /// A fragment that is refused changes nothing, and ends nothing.
    package func apply(
        fragment text: Bytes, if condition: FragmentCondition, to id: ParticipantID, now: Instant
    ) throws(MediaError) -> Patched {
        guard let participant = participants[id] else { throw .noSuchSession }
        let generation = participant.negotiator.transport?.local.ufrag ?? ""
        if case .generation(let expected) = condition, expected != generation { throw .otherGeneration }
        let fragment = try Self.parse(fragment: text)
        var random = SystemRandomNumberGenerator()
        let fresh = ICECredentials(using: &random)
        var negotiator = participant.negotiator
        let outcome: FragmentOutcome
        do throws(NegotiationError) {
            outcome = try negotiator.accept(fragment: fragment, freshCredentials: fresh)
        } catch {
            if error.kind == .wrongState { throw .conflict(error.reason) }
            throw .sdpInvalid(line: error.line, reason: error.reason)
        }
        guard case .restarted(let answer, _) = outcome else {
            return Patched(answer: nil, iceGeneration: generation)
        }
        guard condition != .none else { throw .conditionMissing }
        try takeRestart(participant, fresh, of: negotiator)
        participant.negotiator = negotiator
        return Patched(answer: String(decoding: answer.encoded, as: UTF8.self), iceGeneration: fresh.ufrag)
    }

    private static func parse(fragment: Bytes) throws(MediaError) -> TrickleFragment {
        do throws(SDPError) {
            return try TrickleFragment(parsing: fragment)
        } catch {
            throw .sdpInvalid(line: error.line, reason: error.reason)
        }
    }

    /// The engine stops: everybody is told, and nobody remains.
    package func leaveEverybody(now: Instant) {
        for participant in rooms.values.flatMap(\.participants) {
            leave(participant.id, now: now)
        }
    }
}
