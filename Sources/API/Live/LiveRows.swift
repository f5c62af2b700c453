// The rows of chat sockets. docs/protocol/chat-sockets.md is normative.

import Accounts
import Base
import Chat
import Net
import Wire

enum LiveRows {
    /// reference's and rooms' documents share it; the socket speaks the style of its first message.
    static let shared: [Route] = [
        .socket("/ws", .user, "Chat as it happens, in the style of the first message", asksLater: true) { call in
            let live = try live(call)
            return try await open(call, live, [live.reference, live.rooms])
        }
    ]

    static let design: [Route] = [
        .socket("/v1/ws/connect", .user, "Chat as it happens", asksLater: true) { call in
            let live = try live(call)
            return try await open(call, live, [live.design])
        },
        .socket("/v1/ws/channels/{id}", .standing(.member), "What happens in one channel", asksLater: true) { call in
            let live = try live(call)
            return try await open(call, live, [live.design], bound: try call.conversationID("id"))
        },
        .socket(
            "/v1/ws/dm/{conversation_id}", .standing(.member), "What happens in one direct conversation",
            asksLater: true
        ) { call in
            let live = try live(call)
            return try await open(call, live, [live.design], bound: try call.conversationID("conversation_id"))
        },
    ]

    static let calls: [Route] = [
        .socket("/api/v1/chat/ws/{device_id}", .user, "Chat as it happens, on one device", asksLater: true) { call in
            let live = try live(call)
            guard let device = ClientDeviceID(call.parameter("device_id")) else {
                throw RequestFault.validation(FieldFault("device_id", .format, "must be a UUID"))
            }
            return try await open(call, live, [live.calls], device: device)
        }
    ]

    private static func live(_ call: Call) throws(RequestFault) -> LiveAccess {
        guard let live = call.services.live else {
            throw .unavailable(reason: "This server takes no part in chat", retryAfter: 60)
        }
        return live
    }

    private static func open(
        _ call: Call, _ live: LiveAccess, _ codecs: [any LiveCodec], bound: ConversationID? = nil,
        device: ClientDeviceID? = nil
    ) async throws -> Reply {
        var opening = LiveSocket.Opening(caller: call.caller, bound: bound, device: device)
        if opening.caller == nil, let token = call.queryText(Route.tokenParameter) {
            opening.caller = try? await call.accounts.authenticator.authenticate(.bearer(token))
            opening.isRefused = opening.caller == nil
        }
        return Reply(
            body: .webSocket(
                WebSocketAcceptance(
                    messageLimit: LiveLimits.messageBytes, queueLimit: LiveLimits.queueBytes,
                    handler: LiveSocket(live.hub, call.accounts, codecs, opening, on: call.request.loop))))
    }
}
