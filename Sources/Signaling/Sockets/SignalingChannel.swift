// The seam to sockets: what a dialect's WebSocket does for a connection. Supplied by API.

package import Accounts
package import Base

/// One open socket. Any thread may call; nothing waits, and what is said arrives in order.
package protocol SignalingChannel: AnyObject, Sendable {
    func send(_ message: ServerMessage)
    func close(_ closure: SignalingClosure, _ reason: String)
    /// Calls the connection's `alarm` at that time, instead of at an earlier one that was named before.
    func wake(at time: Instant)
}

/// The part of the call service that sockets need.
package protocol CallControl: Sendable {
    func attach(
        _ id: CallID, by principal: Principal
    ) async throws(CallError) -> (call: CallInfo, permissions: MediaPermissions)
    func detach(_ id: CallID, user: UserID, device: DeviceID) async
    func change(_ id: CallID, _ change: ControlsChange, by principal: Principal) async throws(CallError)
    func act(_ action: HostAction, in id: CallID, by principal: Principal) async throws(CallError)
    /// The caller's own answer to the recording of the call.
    func answerRecording(_ id: CallID, agrees: Bool, by principal: Principal) async throws(CallError)
    func leave(_ id: CallID, by principal: Principal) async throws(CallError)
    /// With relay credentials for the call that they are in.
    func iceConfiguration(for principal: Principal) async -> ICEConfiguration
    func mediaEnded(_ id: CallID, user: UserID) async
    func incomingCalls(for user: UserID) async -> [CallInfo]
}

extension CallService: CallControl {
    package func answerRecording(_ id: CallID, agrees: Bool, by principal: Principal) async throws(CallError) {
        try await answerRecording(id, agrees: agrees, .socket, by: principal, origin: .socket)
    }
}
