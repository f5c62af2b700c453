// The registry of devices and their public keys.

package import Accounts
package import Base

extension ChatService {
    /// New, or with other keys: what is the same makes no new version.
    package func register(
        _ device: ClientDeviceID, _ registration: DeviceRegistration, by principal: Principal
    ) async throws(ChatError) -> ClientDevice { throw Self.unbuilt }

    package func removeDevice(_ device: ClientDeviceID, by principal: Principal) async throws(ChatError) {
        throw Self.unbuilt
    }

    /// Of oneself and of people with whom one shares a conversation; others are left out.
    package func devices(of users: [UserID], for principal: Principal) async throws(ChatError) -> [DeviceList] {
        throw Self.unbuilt
    }

    /// One one-time key of each device of the user, each handed out once for ever.
    package func claimKeys(of user: UserID, for principal: Principal) async throws(ChatError) -> [ClaimedKey] {
        throw Self.unbuilt
    }

    /// What has changed with a user's devices after `version`, in order.
    package func deviceChanges(
        of user: UserID, after version: Int64, for principal: Principal
    ) async throws(ChatError) -> [DeviceChange] { throw Self.unbuilt }
}
