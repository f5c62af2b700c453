// Chat over `/api/v1/chat/ws/{device_id}` as calls.md has it: client messages are flat, events `{"type": …, "data": {…}}`.

import Accounts
import Base
import Chat
import Wire

final class CallsLive: LiveCodec {
    let format: any DialectFormat = CallsFormat()
    let vocabulary = LiveVocabulary(
        type: "type", place: "conversation_id",
        names: [
            .followed: "conversation_joined", .unfollowed: "conversation_left", .message: "message_received",
            .joined: "member_joined", .left: "member_left", .conversation: "conversation_updated",
            .conversationDeleted: "conversation_deleted", .read: "message_status_update",
            .delivered: "message_status_update", .failed: "message_status_update", .presence: "user_status",
            .added: "conversation_added", .removed: "conversation_removed",
        ])

    func read(_ object: JSONObject, bound: ConversationID?) throws(LiveFault) -> LiveRequest {
        LiveRequest(try command(object), reference: try object.liveReference())
    }

    private func command(_ object: JSONObject) throws(LiveFault) -> LiveCommand {
        let type = try object.liveText("type")
        switch type {
        case "join_conversation":
            return .follow([(try object.liveID("conversation_id", .conversation), try object.livePosition())])
        case "leave_conversation": return .unfollow([try object.liveID("conversation_id", .conversation)])
        case "send_message":
            return .send(
                try object.liveMessage(try body(object), type: "message_type"),
                to: try object.liveID("conversation_id", .conversation))
        case "edit_message": return try object.liveEdit(try body(object))
        case "typing":
            return .typing(try object.liveFlag("is_typing"), in: try object.liveID("conversation_id", .conversation))
        default:
            if let command = try object.liveCommon(type, place: "conversation_id", bound: nil) { return command }
            throw .malformed(field: "type", reason: "is none that this socket knows")
        }
    }

    private func body(_ object: JSONObject) throws(LiveFault) -> MessageBody {
        do throws(ChatError) {
            return .deviceBox(try SealedForms.deviceBox(object, keys: "recipient_keys"))
        } catch {
            throw .chat(error)
        }
    }

    func write(_ message: Message, _ people: [UserID: ChatPerson], into json: inout JSONWriter) {
        CallsChatPresenter.message(message, into: &json)
    }

    func writeData(_ message: Message, _ people: [UserID: ChatPerson], into json: inout JSONWriter) {
        json.object("message") { write(message, people, into: &$0) }
        json.field("conversation_id", message.conversation)
    }

    func writeReceipt(_ kind: ReceiptKind, _ message: MessageID, _ user: UserID?, into json: inout JSONWriter) {
        json.field("message_id", message)
        json.field("status", kind.name)
        json.field("user_id", user)
    }
}
