// Receipts and unread counts.

package import Accounts
import Base

extension ChatService {
    /// This message and all before it were read, or have arrived, on this device.
    package func acknowledge(
        _ kind: ReceiptKind, upTo id: MessageID, device: ClientDeviceID? = nil, by principal: Principal
    ) async throws(ChatError) { throw Self.unbuilt }

    /// This message could not be opened on this device.
    package func reportFailure(
        of id: MessageID, device: ClientDeviceID, by principal: Principal
    ) async throws(ChatError) { throw Self.unbuilt }
}
