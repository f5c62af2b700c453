// The part of a call failure's wording that all dialects share; calls.md and design.md write the code in capitals.

import Accounts
import Base
import Net
import Signaling
import Wire

extension CallError {
    /// `nil` for what accounts and the store word themselves.
    func problem(code: (String) -> String, status: HTTPStatus? = nil) -> Problem? {
        guard let name else { return nil }
        return Problem(status ?? self.status, code(name), message, details: details, retryAfter: retryAfter)
    }

    private var name: String? {
        switch self {
        case .notFound: "not_found"
        case .unknownUser: "user_not_found"
        case .validation: "validation_error"
        case .alreadyInCall: "user_already_in_call"
        case .answeredElsewhere: "answered_elsewhere"
        case .over: "call_ended"
        case .locked: "call_locked"
        case .removed: "removed_from_call"
        case .notHost, .notPermitted: "forbidden"
        case .notJoined: "not_in_call"
        case .scopeMissing: "insufficient_scope"
        case .callFull: "call_full"
        case .tooManyInitiations: "too_many_requests"
        case .serverFull, .unavailable: "service_unavailable"
        case .recording(let error): error.code
        case .account, .store: nil
        }
    }

    private var status: HTTPStatus {
        switch self {
        case .notFound, .unknownUser: .notFound
        case .validation: .badRequest
        case .alreadyInCall, .answeredElsewhere, .over, .notJoined, .callFull: .conflict
        case .locked, .removed, .notHost, .notPermitted, .scopeMissing: .forbidden
        case .tooManyInitiations: .tooManyRequests
        case .recording(let error): error.status
        case .serverFull, .unavailable, .account, .store: .serviceUnavailable
        }
    }

    private var message: String {
        switch self {
        case .notFound: "There is no such call"
        case .unknownUser: "Somebody who is to be called does not exist"
        case .validation(let field, let reason): "\(field): \(reason)"
        case .alreadyInCall: "You are in another call"
        case .answeredElsewhere: "Another device of yours has taken this call"
        case .over(let state): "The call is over (\(state.rawValue))"
        case .locked: "The host has locked the call"
        case .removed: "The host has removed you from the call"
        case .notHost: "Only the host of the call may do this"
        case .notJoined: "This needs somebody who is in the call"
        case .scopeMissing: "The token does not permit this"
        case .notPermitted: "The host has taken this away"
        case .callFull(let limit): "A call has at most \(limit) people"
        case .tooManyInitiations(let limit, _): "You have begun \(limit) calls lately; wait before the next one"
        case .serverFull(let limit): "The server has all the \(limit) calls that it may have"
        case .unavailable(let reason): "Calls are not available: \(reason)"
        case .recording(let error): error.message
        case .account, .store: "The operation failed"
        }
    }

    private var details: JSONObject {
        switch self {
        case .validation(let field, let reason):
            JSONObject([("field", .string(field)), ("reason", .string(reason))])
        case .alreadyInCall(let id): JSONObject([("call_id", .string(id.description))])
        case .over(let state): JSONObject([("status", .string(state.rawValue))])
        case .scopeMissing: JSONObject([("required", .array(Scopes.calls.names.map(JSONValue.string)))])
        case .callFull(let limit), .serverFull(let limit): JSONObject([("limit", .integer(Int64(limit)))])
        case .tooManyInitiations(let limit, _):
            JSONObject([("limit", .integer(Int64(limit))), ("retry_after", .integer(Int64(retryAfter ?? 1)))])
        case .recording(let error): JSONObject(error.details)
        default: JSONObject()
        }
    }

    /// A full server empties as calls end.
    private static let secondsUntilRoom = 30

    private var retryAfter: Int? {
        switch self {
        case .tooManyInitiations(_, let wait): max(1, Int(wait.inSeconds.rounded(.up)))
        case .serverFull, .unavailable: Self.secondsUntilRoom
        case .recording(let error): error.retryAfter
        default: nil
        }
    }
}
