// What the audit log is told of recordings.

import Accounts
import Base
import Wire

enum RecordingNote: String {
    case started = "recording.started"
    case ended = "recording.ended"
    case failed = "recording.failed"
    case agreed = "recording.agreed"
    case refused = "recording.refused"
    case withdrawn = "recording.withdrawn"
    case listed = "recording.listed"
    case viewed = "recording.viewed"
    case shared = "recording.shared"
    case unshared = "recording.unshared"
    case held = "recording.held"
    case released = "recording.released"
    case deleted = "recording.deleted"
    case refusedAccess = "recording.refused_access"

    /// Of an effect that somebody may ask about later.
    static func event(
        _ effect: RecordingMachine.Effect, _ recording: CallRecording, by actor: UserID?, _ origin: RequestOrigin,
        at now: Timestamp
    ) -> AuditEvent? {
        switch effect {
        case .consent(let change):
            // Who comes and goes has answered nothing.
            guard change.means != .presence, let note = RecordingNote(change.consent) else { return nil }
            return note.event(
                recording, at: now, by: change.user, origin, [("means", .string(change.means.rawValue))])
        case .close(let end):
            let note: RecordingNote = end == .recorderFailed ? .failed : .ended
            return note.event(recording, at: now, by: actor, origin, [("reason", .string(end.rawValue))])
        case .tell, .save: return nil
        }
    }

    private init?(_ consent: RecordingConsent) {
        switch consent {
        case .agreed: self = .agreed
        case .refused: self = .refused
        case .withdrawn: self = .withdrawn
        case .asked, .told, .assumed, .left: return nil
        }
    }

    func event(
        _ recording: CallRecording, at now: Timestamp, by actor: UserID?, _ origin: RequestOrigin,
        _ details: [(String, JSONValue)] = []
    ) -> AuditEvent {
        event(
            target: recording.id, at: now, by: actor, origin,
            [("call_id", .string(recording.call.description))] + details)
    }

    func event(
        target: RecordingID?, at now: Timestamp, by actor: UserID?, _ origin: RequestOrigin,
        _ details: [(String, JSONValue)] = []
    ) -> AuditEvent {
        AuditEvent(
            time: now, actor: actor, action: rawValue, severity: severity,
            outcome: self == .refusedAccess || self == .failed ? .failure : .success, target: target?.description,
            origin: origin, details: JSONObject(details))
    }

    private var severity: AuditSeverity {
        switch self {
        case .failed, .deleted, .refusedAccess: .warning
        default: .info
        }
    }
}
