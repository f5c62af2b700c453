// The part of a chat failure's wording that all dialects share; each adds its code and its names for fields.

import Accounts
import Base
import Chat
import Net
import Wire

extension ChatError {
    /// `field` says what the dialect calls a field of the domain.
    func problem(
        code: String, status: HTTPStatus? = nil, field: (ChatFault.Field) -> String = \.rawValue
    ) -> Problem {
        var message = message
        var details = details
        if case .validation(let fault) = self {
            message = "\(field(fault.field)): \(fault.message)"
            details = JSONObject([("field", .string(field(fault.field))), ("reason", .string(fault.message))])
        }
        return Problem(status ?? self.status, code, message, details: details, retryAfter: retryAfter)
    }

    /// A field that the domain refuses is worded like one that the schema refused.
    var fieldRule: FieldFault.Rule? {
        guard case .validation(let fault) = self else { return nil }
        switch fault.rule {
        case .required: return .required
        case .format: return .format
        case .tooShort, .tooLong: return .length
        case .value: return .value
        }
    }

    private var status: HTTPStatus {
        switch self {
        case .notFound, .invitationInvalid: .notFound
        case .forbidden(let refusal): refusal.isConflict ? .conflict : .forbidden
        case .limitReached: .forbidden
        case .validation, .messageTooLong: .badRequest
        case .versionConflict, .alreadyMember, .full: .conflict
        case .throttled: .tooManyRequests
        case .account, .store: .serviceUnavailable
        }
    }

    private var message: String {
        switch self {
        case .notFound(let thing): "There is no such \(thing.rawValue)"
        case .forbidden(let refusal): refusal.sentence
        case .validation(let fault): fault.message
        case .messageTooLong(let limit): "A message has at most \(limit) bytes"
        case .versionConflict: "The message has been edited since; read it again"
        case .alreadyMember: "They are a member already"
        case .full(let limit): "There is room for \(limit) members, and no more"
        case .invitationInvalid: "The invitation is not known, or not good any more"
        case .limitReached(let what, let limit): "There are \(limit) \(what.words) already"
        case .throttled: "Too many of these; wait before the next one"
        case .account, .store: "The operation failed"
        }
    }

    private var details: JSONObject {
        switch self {
        case .forbidden(.lacks(let abilities)):
            JSONObject([
                ("reason", .string("lacks")), ("required", .array(abilities.names.map(JSONValue.string))),
            ])
        case .forbidden(let refusal): JSONObject([("reason", .string(refusal.name))])
        case .messageTooLong(let limit): JSONObject([("limit_bytes", .integer(Int64(limit)))])
        case .versionConflict(let current): JSONObject([("current_version", .integer(current))])
        case .full(let limit): JSONObject([("limit", .integer(Int64(limit)))])
        case .limitReached(let what, let limit):
            JSONObject([("limited", .string(what.rawValue)), ("limit", .integer(Int64(limit)))])
        case .throttled: JSONObject([("retry_after", .integer(Int64(retryAfter ?? 1)))])
        case .notFound, .validation, .alreadyMember, .invitationInvalid, .account, .store: JSONObject()
        }
    }

    private var retryAfter: Int? {
        guard case .throttled(let wait) = self else { return nil }
        return max(1, Int(wait.inSeconds.rounded(.up)))
    }
}

extension ChatRefusal {
    /// Nobody may: it is how things stand, not who asks.
    var isConflict: Bool {
        switch self {
        case .lastOwner, .archived: true
        case .notMember, .lacks, .notAuthor, .rank, .removed, .direct, .inviteOnly, .systemMessage, .tooLate: false
        }
    }

    fileprivate var name: String {
        switch self {
        case .notMember: "not_member"
        case .lacks: "lacks"
        case .notAuthor: "not_author"
        case .rank: "rank"
        case .lastOwner: "last_owner"
        case .archived: "archived"
        case .removed: "removed"
        case .direct: "direct"
        case .inviteOnly: "invite_only"
        case .systemMessage: "system_message"
        case .tooLate: "too_late"
        }
    }

    fileprivate var sentence: String {
        switch self {
        case .notMember: "Only members may do this"
        case .lacks: "Your role here does not permit this"
        case .notAuthor: "Only who wrote the message may do this"
        case .rank: "Their role here, or the one to be given, is not below yours"
        case .lastOwner: "Somebody else has to become the owner first"
        case .archived: "This conversation is archived; it can be read only"
        case .removed: "You were removed; a member has to add you again"
        case .direct: "A direct conversation has its two members, and keeps them"
        case .inviteOnly: "One comes in here by invitation"
        case .systemMessage: "What the system says is neither written nor edited by users"
        case .tooLate: "The time in which this message could be edited is over"
        }
    }
}

extension ChatLimit {
    fileprivate var words: String {
        switch self {
        case .conversations: "conversations of yours"
        case .organizations: "organizations of yours"
        case .invitations: "invitations that are still good"
        case .pins: "pinned messages"
        case .reactions: "reactions on this message"
        case .emoji: "different emoji on this message"
        case .devices: "devices"
        case .webhooks: "webhooks here"
        case .oneTimeKeys: "one-time keys"
        case .followed: "conversations followed on this socket"
        }
    }
}
