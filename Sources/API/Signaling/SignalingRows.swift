// The rows of signaling sockets: who is there, then the handler that goes on. docs/protocol/signaling.md is normative.

package import Accounts
import Base
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
            try await open(call, ManualSignaling(), joining: nil)
        }
    ]

    static let calls: [Route] = [
        .socket(
            "/api/v1/calls/{call_id}/signaling", .participant, "Join a call and speak its signaling",
            query: [
                Parameter("role", .choice(["offerer", "answerer"]), "Who offers first; the client by default"),
                Parameter("resume", .text, "The token of a session whose socket was lost"),
            ]
        ) { call in
            let id: CallID = try call.identifier("call_id")
            let role = call.queryText("role").flatMap(NegotiationMachine.Role.init(rawValue:)) ?? .offerer
            return try await open(
                call, CallsSignaling(call: id),
                joining: JoinRequest(call: id, role: role, resumeToken: call.queryText("resume")))
        }
    ]

    private static func open(_ call: Call, _ codec: any SignalingCodec, joining: JoinRequest?) async throws -> Reply {
        guard let signaling = call.services.signaling else {
            throw RequestFault.unavailable(reason: "This server takes no part in calls (media.enabled)", retryAfter: 60)
        }
        guard let caller = try await identify(call, signaling) else {
            return accept(RefusedSocket(.authenticationFailed, "the token is not valid"))
        }
        guard caller.principal.isAdmin || caller.principal.has(.calls) else {
            return accept(RefusedSocket(.denied, "the token does not permit calls"))
        }
        return accept(SignalingSocket(signaling.hub, codec, caller, joining: joining, on: call.request.loop))
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
