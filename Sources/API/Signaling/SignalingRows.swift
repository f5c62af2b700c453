// The rows of signaling sockets: who is there, then the handler that goes on. docs/protocol/signaling.md is normative.

package import Accounts
import Base
import Chat
import Net
package import Signaling
import Wire

/// What the rows need of calls.
package struct SignalingAccess: Sendable {
    package let hub: SignalingHub
    /// Whom a short-lived signaling token is for.
    package let tokens: @Sendable (String) async throws(CallError) -> (principal: Principal, call: CallID)

    package init(
        hub: SignalingHub,
        tokens: @escaping @Sendable (String) async throws(CallError) -> (principal: Principal, call: CallID)
    ) {
        self.hub = hub
        self.tokens = tokens
    }
}

enum SignalingRows {
    static let manual: [Route] = [
        .socket("/calls/ws", .scope(.calls), "Signaling of calls") { call in
            try await open(call, ManualSignaling()) { _ in nil }
        }
    ]

    static let calls: [Route] = [
        .socket(
            "/api/v1/calls/{call_id}/signaling", .participant, "Join a call and speak its signaling",
            query: joining
        ) { call in
            let id: CallID = try call.identifier("call_id")
            return try await open(call, CallsSignaling(call: id)) { _ in
                JoinRequest(call: id, role: role(call), resumeToken: call.queryText("resume"))
            }
        }
    ]

    /// The call of a channel: whoever opens the socket enters it, as `POST /v1/channels/{id}/voice/join` does.
    static let design: [Route] = [
        .socket(
            "/v1/ws/voice/{channel_id}", .standing(.member), "Enter a channel's call and speak its signaling",
            query: joining
        ) { call in
            let place = try call.conversationID("channel_id")
            return try await open(call, ManualSignaling()) { caller in
                let entered = try await call.enterVoice(place, by: caller.principal).call.id
                guard caller.onlyCall.map({ $0 == entered }) ?? true else { throw CallError.notFound }
                return JoinRequest(call: entered, role: role(call), resumeToken: call.queryText("resume"))
            }
        }
    ]

    private static let joining = [
        Parameter("role", .choice(["offerer", "answerer"]), "Who offers first; the client by default"),
        Parameter("resume", .text, "The token of a session whose socket was lost"),
    ]

    private static func role(_ call: Call) -> NegotiationMachine.Role {
        call.queryText("role").flatMap(NegotiationMachine.Role.init(rawValue:)) ?? .offerer
    }

    /// `joining` says which call a path names; it throws for a place that the caller may not enter.
    private static func open(
        _ call: Call, _ codec: any SignalingCodec, joining: (SocketCaller) async throws -> JoinRequest?
    ) async throws -> Reply {
        guard let signaling = call.services.signaling else {
            throw RequestFault.unavailable(reason: "This server takes no part in calls (media.enabled)", retryAfter: 60)
        }
        guard let caller = try await identify(call, signaling) else {
            return accept(RefusedSocket(.authenticationFailed, "the token is not valid"))
        }
        guard caller.principal.isAdmin || caller.principal.has(.calls) else {
            return accept(RefusedSocket(.denied, "the token does not permit calls"))
        }
        let request: JoinRequest?
        do {
            request = try await joining(caller)
        } catch let error as ChatError {
            let isNotThere = if case .notFound = error { true } else { false }
            return accept(RefusedSocket(isNotThere ? .notFound : .denied, "the channel cannot be entered"))
        }
        return accept(SignalingSocket(signaling.hub, codec, caller, joining: request, on: call.request.loop))
    }

    private static func accept(_ handler: any WebSocketHandler) -> Reply {
        Reply(
            body: .webSocket(
                WebSocketAcceptance(
                    messageLimit: SignalingLimits.messageBytes, queueLimit: SignalingLimits.queueBytes,
                    handler: handler)))
    }

    /// `nil` for a token that is not good, or not good any more.
    private static func identify(_ call: Call, _ signaling: SignalingAccess) async throws -> SocketCaller? {
        if let principal = call.caller { return SocketCaller(principal: principal, onlyCall: nil) }
        let token = call.queryText(Route.tokenParameter) ?? ""
        if let principal = try? await call.accounts.authenticator.authenticate(.bearer(token)) {
            return SocketCaller(principal: principal, onlyCall: nil)
        }
        guard let (principal, only) = try? await signaling.tokens(token) else { return nil }
        return SocketCaller(principal: principal, onlyCall: only)
    }
}
