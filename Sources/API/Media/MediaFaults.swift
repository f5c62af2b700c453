// Failures of negotiation in HTTP's words.

import Accounts
import Base
import Media
import Store
import Wire

/// What only these rows can find wrong with a request.
enum NegotiationFault: Error {
    /// The client wants its answer in another form.
    case notAcceptable(offered: String)
    case mediaIsOff
}

extension MediaFormat {
    /// A server or room that is full empties as calls end.
    private static let secondsUntilRoom = 30

    func problem(for error: any Error) -> Problem? {
        if let error = error as? MediaError { return problem(of: error) }
        if let error = error as? NegotiationFault { return problem(of: error) }
        guard let error = error as? StoreError else { return nil }
        if case .unavailable = error { return AccountError.store(error).problem(code: "service_unavailable") }
        return AccountError.store(error).problem(code: "internal_error", status: .internalServerError)
    }

    private func problem(of fault: NegotiationFault) -> Problem {
        switch fault {
        case .notAcceptable(let offered):
            Problem(.notAcceptable, "not_acceptable", "The answer comes as \(offered)")
        case .mediaIsOff:
            Problem(.serviceUnavailable, "media_disabled", "This server takes no part in calls (media.enabled)")
        }
    }

    private func problem(of error: MediaError) -> Problem {
        switch error {
        case .sdpInvalid(let line, let reason):
            Problem(
                .unprocessableContent, "sdp_invalid", line > 0 ? "Line \(line): \(reason)" : reason,
                details: JSONObject([
                    ("line", line > 0 ? .integer(Int64(line)) : .null), ("reason", .string(reason)),
                ]))
        case .notAcceptable(let reason):
            Problem(
                .unprocessableContent, "sdp_unacceptable", reason, details: JSONObject([("reason", .string(reason))]))
        case .noSuchSession: Problem(.notFound, "not_found", "There is no such session; it may have ended")
        case .conflict(let reason): Problem(.conflict, "conflict", reason)
        case .otherGeneration:
            Problem(
                .preconditionFailed, "precondition_failed",
                "If-Match names another generation of ICE credentials than the session's")
        case .conditionMissing:
            Problem(.preconditionRequired, "precondition_required", "An ICE restart needs `If-Match: *`")
        case .roomFull(let limit):
            Problem(
                .serviceUnavailable, "room_full", "The room has all the \(limit) sessions that it may have",
                details: JSONObject([("limit", .integer(Int64(limit)))]), retryAfter: Self.secondsUntilRoom)
        case .serverFull(let limit):
            Problem(
                .serviceUnavailable, "server_full", "The server has all the \(limit) sessions that it may have",
                details: JSONObject([("limit", .integer(Int64(limit)))]), retryAfter: Self.secondsUntilRoom)
        case .unavailable(let reason):
            Problem(.serviceUnavailable, "service_unavailable", reason, retryAfter: Self.secondsUntilRoom)
        }
    }
}
