// What is wrong with a recording, in words that rows and sockets share.

import Base
import Net
import Signaling
import Wire

extension RecordingError {
    var code: String {
        switch self {
        case .notFound: "not_found"
        case .notAllowed: "recording_not_allowed"
        case .callNotOngoing: "call_not_ongoing"
        case .alreadyOn: "recording_in_progress"
        case .notOn: "not_recording"
        case .consentNotAsked: "consent_not_asked"
        case .tooManyAnswers: "too_many_answers"
        case .notInCall: "not_in_call"
        case .notOwner: "forbidden"
        case .legalHold: "legal_hold"
        case .tooManyShares: "limit_reached"
        case .validation: "invalid_payload"
        case .unavailable, .store: "service_unavailable"
        }
    }

    var status: HTTPStatus {
        switch self {
        case .notFound: .notFound
        case .notAllowed, .notOwner: .forbidden
        case .callNotOngoing, .alreadyOn, .notOn, .consentNotAsked, .tooManyAnswers, .notInCall, .legalHold,
            .tooManyShares:
            .conflict
        case .validation: .badRequest
        case .unavailable, .store: .serviceUnavailable
        }
    }

    var message: String {
        switch self {
        case .notFound: "There is no such recording"
        case .notAllowed: "This server does not let you record this call (recording.allowed)"
        case .callNotOngoing(let state): "Only a call that is ongoing is recorded; this one is \(state.rawValue)"
        case .alreadyOn: "The recording is on"
        case .notOn: "The call is not being recorded"
        case .consentNotAsked: "This server announces recordings and asks nobody; who does not want it leaves the call"
        case .tooManyAnswers(let limit): "You have agreed \(limit) times; start another recording to agree again"
        case .notInCall: "This needs somebody who is in the call"
        case .notOwner: "Only who began the recording, or an administrator of calls, may do this"
        case .legalHold: "The recording is under a legal hold; an administrator of calls has to lift it first"
        case .tooManyShares(let limit): "A recording is shared with at most \(limit) people"
        case .validation(let field, let reason): "\(field): \(reason)"
        case .unavailable(let reason): reason
        case .store: "The database is not available"
        }
    }

    var details: [(String, JSONValue)] {
        switch self {
        case .callNotOngoing(let state): [("status", .string(state.rawValue))]
        case .alreadyOn(let id): [("recording_id", .string(id.description))]
        case .tooManyAnswers(let limit), .tooManyShares(let limit): [("limit", .integer(Int64(limit)))]
        case .validation(let field, let reason): [("field", .string(field)), ("reason", .string(reason))]
        default: []
        }
    }

    /// What is missing on the server does not come by itself; a database does.
    private static let secondsUntilRecorder = 3_600
    private static let secondsUntilDatabase = 1

    var retryAfter: Int? {
        switch self {
        case .unavailable: Self.secondsUntilRecorder
        case .store: Self.secondsUntilDatabase
        default: nil
        }
    }

    var problem: Problem { Problem(status, code, message, details: JSONObject(details), retryAfter: retryAfter) }
}
