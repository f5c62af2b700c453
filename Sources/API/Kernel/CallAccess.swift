// What the rows of calls and presence may use.

import Accounts
import Base
import Chat
package import Signaling
import Wire

package struct CallAccess: Sendable {
    package let service: CallService
    package let presence: PresenceBook
    package let recordings: RecordingLibrary

    package init(service: CallService, presence: PresenceBook, recordings: RecordingLibrary) {
        self.service = service
        self.presence = presence
        self.recordings = recordings
    }
}

extension Call {
    var callService: CallService { get throws(RequestFault) { try callAccess.service } }
    var recordings: RecordingLibrary { get throws(RequestFault) { try callAccess.recordings } }

    /// Of somebody who exists: who does not is `notFound`, like everywhere.
    func presence(of user: UserID) async throws -> Presence {
        let access = try callAccess
        _ = try await accounts.user(user)
        return try await access.presence.presence(of: user)
    }

    var callAccess: CallAccess {
        get throws(RequestFault) {
            guard let access = services.calls else {
                throw .unavailable(reason: "This server takes no part in calls", retryAfter: 60)
            }
            return access
        }
    }

    /// Enters the call of a conversation, for members who may talk there.
    func enterVoice(_ place: ConversationID, by principal: Principal) async throws -> CallAdmission {
        let chat = try self.chat
        return try await callService.enter(place.uuid, by: principal) {
            try await chat.authorize(.joinVoice, in: place, for: principal)
        }
    }

    /// Ids of people in the body. The schema has been checked: what is no id here names nobody.
    func users(_ name: String) throws(CallError) -> [UserID] {
        var users: [UserID] = []
        for value in body[name]?.arrayValue ?? [] {
            guard let id = value.stringValue.flatMap({ UserID($0) }) else { throw .unknownUser }
            users.append(id)
        }
        return users
    }
}

/// Parts of schemas that several dialects share.
enum CallFields {
    static let kind = Schema.choice(CallKind.allCases.map(\.rawValue))
    static let state = Schema.choice(CallState.allCases.map(\.rawValue))
    /// No call takes more people, whatever is configured.
    static let participantsMax = 1_000
    static let people = Schema.array(.uuid, limit: participantsMax)
    /// Where the signaling of a call is spoken, in all dialects. A place's call may be another one by the time that
    /// somebody comes, so the place is named.
    static func signalingURL(_ call: CallInfo) -> String {
        if call.shape == .standing, let place = call.conversation { return "/v1/ws/voice/\(place)" }
        return "/api/v1/calls/\(call.id)/signaling"
    }
}

extension ICEConfiguration {
    /// As a browser's `RTCPeerConnection` takes them, and until when they are good.
    func write(into json: inout JSONWriter) {
        json.array("ice_servers") { json in
            for server in servers {
                json.object { json in
                    json.field("urls", server.urls)
                    guard let username = server.username, let credential = server.credential else { return }
                    json.field("username", username)
                    json.field("credential", credential.exposed)
                }
            }
        }
        json.field("ttl", Int(lifetime.inSeconds))
        json.field("expires_at", expiresAt)
    }
}

extension CallInfo {
    /// What the documents call the start: the answer, or the first ring where nobody answered.
    var startedAt: Timestamp { answeredAt ?? createdAt }

    var measurements: [ParticipantMeasurements] { participants.compactMap(\.measurements) }
}
