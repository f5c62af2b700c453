// Failures of the domain in rooms.md's words.

import Accounts
import Base
import Chat
import Store
import Wire

extension RoomsFormat {
    func problem(for error: any Error) -> Problem? {
        if let error = error as? AccountError { return problem(of: error) }
        if let error = error as? ChatError { return problem(of: error) }
        if let error = error as? FileError { return problem(of: error) }
        if let error = error as? AvatarError { return error.problem { problem(of: $0) } }
        if let error = error as? DownloadFault { return error.problem }
        if let error = error as? StoreError { return problem(of: AccountError.store(error)) }
        return nil
    }

    private func problem(of error: ChatError) -> Problem {
        switch error {
        case .notFound(let thing): error.problem(code: Self.code(for: thing))
        case .forbidden(let refusal): error.problem(code: Self.code(for: refusal))
        case .validation:
            error.problem(
                code: Self.code(for: error.fieldRule ?? .value), status: .unprocessableContent, field: Self.name)
        case .messageTooLong: error.problem(code: "MESSAGE_TOO_LONG", status: .unprocessableContent)
        case .versionConflict: error.problem(code: "MESSAGE_EDIT_DENIED")
        case .alreadyMember: error.problem(code: "RESOURCE_ALREADY_EXISTS")
        case .full: error.problem(code: "CHATROOM_FULL")
        case .invitationInvalid: error.problem(code: "CHATROOM_INVITE_INVALID")
        case .limitReached: error.problem(code: "RESOURCE_LIMIT_EXCEEDED")
        case .throttled: error.problem(code: "RATE_LIMIT_EXCEEDED")
        case .account(let error): problem(of: error)
        case .store(let error): problem(of: AccountError.store(error))
        }
    }

    private static func code(for thing: ChatThing) -> String {
        switch thing {
        case .conversation: "CHATROOM_NOT_FOUND"
        case .message: "MESSAGE_NOT_FOUND"
        case .user: "AUTH_USER_NOT_FOUND"
        case .organization, .member, .invitation, .reaction, .device, .webhook, .file: "RESOURCE_NOT_FOUND"
        }
    }

    private static func code(for refusal: ChatRefusal) -> String {
        switch refusal {
        case .notMember, .inviteOnly, .removed: "CHATROOM_ACCESS_DENIED"
        case .lacks(let abilities) where !abilities.isDisjoint(with: [.delete, .managePermissions]):
            "CHATROOM_OWNER_REQUIRED"
        case .lacks(let abilities) where abilities.contains(.manageMessages): "MESSAGE_DELETE_DENIED"
        case .lastOwner: "CHATROOM_OWNER_REQUIRED"
        case .notAuthor, .systemMessage, .tooLate: "MESSAGE_EDIT_DENIED"
        case .lacks, .rank, .archived, .direct: "RESOURCE_ACCESS_DENIED"
        }
    }

    private static func name(_ field: ChatFault.Field) -> String {
        switch field {
        case .title: "name"
        case .visibility: "is_private"
        case .encryptedData, .iv, .keyVersion: "content.\(field.rawValue)"
        case .nonce: "content.iv"
        default: field.rawValue
        }
    }

    private func problem(of error: FileError) -> Problem {
        switch error {
        case .notFound: error.problem(code: "FILE_NOT_FOUND")
        case .tooLarge: error.problem(code: "FILE_TOO_LARGE")
        case .empty: error.problem(code: "FILE_UPLOAD_FAILED", status: .unprocessableContent)
        case .invalid: error.problem(code: "VALIDATION_INVALID_VALUE", status: .unprocessableContent)
        case .quotaExceeded: error.problem(code: "QUOTA_EXCEEDED")
        case .typeNotAllowed: error.problem(code: "FILE_TYPE_NOT_ALLOWED")
        case .virusDetected: error.problem(code: "VIRUS_DETECTED")
        case .unreadableImage: error.problem(code: "IMAGE_UNREADABLE")
        case .scanPending: error.problem(code: "SCAN_PENDING")
        case .notUploader: error.problem(code: "RESOURCE_ACCESS_DENIED")
        case .limitReached: error.problem(code: "RESOURCE_LIMIT_EXCEEDED")
        case .unavailable: error.problem(code: "FILE_UPLOAD_FAILED")
        case .uploadBusy, .wrongOffset, .checksumMismatch: error.problem(code: "FILE_UPLOAD_FAILED")
        case .uploadOver: error.problem(code: "FILE_UPLOAD_FAILED")
        case .chat(let error): problem(of: error)
        case .store(let error): problem(of: AccountError.store(error))
        }
    }

    private func problem(of error: AccountError) -> Problem {
        switch error {
        case .invalidCredentials: error.problem(code: "AUTH_INVALID_CREDENTIALS")
        case .mfaRequired: error.problem(code: "AUTH_MFA_REQUIRED")
        case .mfaInvalid, .challengeInvalid: error.problem(code: "AUTH_INVALID_CREDENTIALS")
        case .tokenExpired: error.problem(code: "AUTH_TOKEN_EXPIRED")
        case .tokenInvalid: error.problem(code: "AUTH_TOKEN_INVALID")
        case .refreshInvalid, .refreshReused: error.problem(code: "AUTH_REFRESH_TOKEN_INVALID")
        case .resetInvalid: error.problem(code: "AUTH_TOKEN_INVALID")
        case .validation:
            error.problem(
                code: Self.code(for: error.fieldFault?.rule ?? .value), status: .unprocessableContent)
        case .alreadyExists: error.problem(code: "RESOURCE_ALREADY_EXISTS")
        case .notFound: error.problem(code: "AUTH_USER_NOT_FOUND")
        case .forbidden: error.problem(code: "RESOURCE_ACCESS_DENIED")
        case .inactive: error.problem(code: "AUTH_USER_INACTIVE")
        case .throttled: error.problem(code: "RATE_LIMIT_EXCEEDED")
        case .limitReached: error.problem(code: "RESOURCE_LIMIT_EXCEEDED")
        case .busy, .undeliverable, .store(.unavailable): error.problem(code: "SERVICE_UNAVAILABLE")
        case .store: error.problem(code: "INTERNAL_ERROR", status: .internalServerError)
        }
    }
}
