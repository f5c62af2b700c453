// Receipts and unread counts.

package import Accounts
import Base
import Store

extension ChatService {
    /// This message and all before it were read, or have arrived, on this device.
    package func acknowledge(
        _ kind: ReceiptKind, upTo id: MessageID, device: ClientDeviceID? = nil, by principal: Principal
    ) async throws(ChatError) {
        guard kind == .read || kind == .delivered else {
            throw .invalid(.messageType, .value, "a receipt says `delivered` or `read`; a failure names one message")
        }
        let now = clock.now()
        let exactMembers = options.exactReceiptMembers
        let event = try await database.transaction { (transaction) async throws(ChatError) -> ChatEvent? in
            let (access, stored) = try await transaction.reader.storedVisible(id, principal.user)
            let conversation = access.conversation
            let receipt = ReceiptTable.Stored(
                user: principal.user, device: device ?? ReceiptTable.noDevice, kind: kind,
                sequence: stored.message.sequence, at: max(now, stored.message.createdAt))
            if kind == .read {
                try await transaction.change(
                    ReceiptTable.read(conversation.id, principal.user, upTo: receipt.sequence, at: now))
            }
            guard try await transaction.change(ReceiptTable.insert(conversation.id, receipt)) == 1 else { return nil }
            if conversation.memberCount > exactMembers {
                try await transaction.change(ReceiptTable.forgetBefore(conversation.id, receipt))
            }
            return ChatEvent(
                conversation: conversation.id, position: nil, at: receipt.at, actor: principal.user,
                change: .receipt(kind, upTo: id, sequence: receipt.sequence, device: device))
        }
        if let event { events.deliver(event) }
    }

    /// This message could not be opened on this device.
    package func reportFailure(
        of id: MessageID, device: ClientDeviceID, by principal: Principal
    ) async throws(ChatError) {
        let (now, options) = (clock.now(), options)
        let event = try await database.transaction { (transaction) async throws(ChatError) -> ChatEvent? in
            let (_, stored) = try await transaction.reader.storedVisible(id, principal.user)
            let others = ReceiptTable.failureCount(of: id, principal.user, but: device)
            let known = try await transaction.reader.number(others)
            guard known < options.devicesPerUser else { throw .limitReached(.devices, options.devicesPerUser) }
            let change = ReceiptTable.failed(id, principal.user, device, at: now)
            guard try await transaction.change(change) == 1 else { return nil }
            return ChatEvent(
                conversation: stored.message.conversation, position: nil, at: now, actor: principal.user,
                change: .receipt(.failed, upTo: id, sequence: stored.message.sequence, device: device))
        }
        if let event { events.deliver(event) }
    }

    /// Adds who has got and read each: for each user and device the furthest, at the time of the first receipt that
    /// reached the message. A sender has sent.
    func withStatuses(
        _ messages: [Message], in conversation: Conversation
    ) async throws(ChatError) -> [Message] {
        guard let lowest = messages.map(\.sequence).min(), let highest = messages.map(\.sequence).max() else {
            return messages
        }
        let receipts = try await reader.all(
            ReceiptTable.reaching(conversation.id, lowest...highest), ReceiptTable.stored(from:))
        let failures = try await reader.all(ReceiptTable.failures(messages.map(\.id))) { (row) throws(StoreError) in
            (
                message: try row.identifier(0, MessageKind.self),
                status: MessageStatus(
                    user: try row.identifier(1), device: try row.identifier(2, ClientDeviceKind.self), kind: .failed,
                    at: try row.timestamp(3))
            )
        }
        let ordered = receipts.sorted { $0.sequence < $1.sequence }
        return messages.map { message in
            var message = message
            var statuses = Self.statuses(of: message, ordered)
            statuses += failures.filter { $0.message == message.id }.map(\.status)
            message.statuses = statuses
            return message
        }
    }

    private struct Holder: Hashable {
        let user: UserID
        let device: ClientDeviceID
    }

    /// `receipts` with the lowest number first.
    private static func statuses(of message: Message, _ receipts: [ReceiptTable.Stored]) -> [MessageStatus] {
        var found: [Holder: MessageStatus] = [:]
        for receipt in receipts where receipt.sequence >= message.sequence && receipt.user != message.sender {
            let holder = Holder(user: receipt.user, device: receipt.device)
            if let known = found[holder], known.kind.rawValue >= receipt.kind.rawValue { continue }
            let device = receipt.device == ReceiptTable.noDevice ? nil : receipt.device
            found[holder] = MessageStatus(user: receipt.user, device: device, kind: receipt.kind, at: receipt.at)
        }
        var statuses: [MessageStatus] = []
        if let sender = message.sender {
            statuses.append(MessageStatus(user: sender, device: nil, kind: .sent, at: message.createdAt))
        }
        let order = found.sorted { ($0.key.user, $0.key.device) < ($1.key.user, $1.key.device) }
        return statuses + order.map(\.value)
    }
}
