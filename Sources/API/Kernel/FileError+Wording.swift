// The part of a file failure's wording that all dialects share; each adds its code.

import Accounts
import Base
import Chat
import Net
import Wire

extension FileError {
    func problem(code: String, status: HTTPStatus? = nil) -> Problem {
        Problem(status ?? self.status, code, message, details: details, retryAfter: retryAfter)
    }

    private var status: HTTPStatus {
        switch self {
        case .notFound: .notFound
        case .tooLarge: .contentTooLarge
        case .empty, .invalid: .badRequest
        case .quotaExceeded, .notUploader, .limitReached: .forbidden
        case .typeNotAllowed: .unsupportedMediaType
        case .virusDetected, .unreadableImage: .unprocessableContent
        case .scanPending, .wrongOffset: .conflict
        case .uploadBusy: HTTPStatus(423)
        case .checksumMismatch: HTTPStatus(460)
        case .uploadOver: .gone
        case .unavailable, .chat, .store: .serviceUnavailable
        }
    }

    private var message: String {
        switch self {
        case .notFound(let thing): "There is no such \(thing.rawValue)"
        case .tooLarge(let limit): "The file is larger than \(limit) bytes"
        case .empty: "The file has no content"
        case .quotaExceeded(let usage): "There is not enough of the \(usage.owner.rawValue)'s quota left"
        case .typeNotAllowed(let type): "Files of the type \(type) are not taken"
        case .virusDetected: "The file is infected"
        case .unreadableImage(let reason): "A picture that cannot be cleaned of its metadata is not kept: \(reason)"
        case .scanPending: "The file has not been scanned yet"
        case .notUploader: "Only who uploaded it may do this, or an administrator"
        case .invalid(let field, let reason): "\(field.rawValue) \(reason)"
        case .limitReached(let thing, let limit): "There are \(limit) \(thing.rawValue)s already"
        case .unavailable: "Files cannot be kept or read at the moment"
        case .uploadBusy: "Another request writes to this upload"
        case .wrongOffset(let received): "The upload has \(received) bytes: go on there"
        case .checksumMismatch: "What came does not fit its checksum, and was not kept"
        case .uploadOver: "The upload is over: begin anew"
        case .chat, .store: "The operation failed"
        }
    }

    private var details: JSONObject {
        switch self {
        case .tooLarge(let limit): JSONObject([("limit_bytes", .integer(limit))])
        case .quotaExceeded(let usage):
            JSONObject([
                ("owner", .string(usage.owner.rawValue)), ("used_bytes", .integer(usage.used)),
                ("reserved_bytes", .integer(usage.reserved)),
                ("limit_bytes", usage.limit.map(JSONValue.integer) ?? .null),
            ])
        case .typeNotAllowed(let type): JSONObject([("type", .string(type))])
        case .virusDetected(let name): JSONObject([("found", name.map(JSONValue.string) ?? .null)])
        case .notUploader: JSONObject([("reason", .string("not_uploader"))])
        case .invalid(let field, let reason):
            JSONObject([("field", .string(field.rawValue)), ("reason", .string(reason))])
        case .limitReached(let thing, let limit):
            JSONObject([("limited", .string("\(thing.rawValue)s")), ("limit", .integer(Int64(limit)))])
        case .wrongOffset(let received): JSONObject([("received_bytes", .integer(received))])
        case .empty: JSONObject([("field", .string("file")), ("reason", .string("is empty"))])
        default: JSONObject()
        }
    }

    private var retryAfter: Int? {
        switch self {
        case .unavailable, .scanPending: 30
        case .uploadBusy: 5
        default: nil
        }
    }
}
