// Chat over design's sockets. The document names the rows alone; the form is ours (docs/protocol/chat-sockets.md).

import Accounts
import Base
import Chat
import Wire

final class DesignLive: LiveCodec {
    let format: any DialectFormat = DesignFormat()
    let vocabulary = LiveVocabulary(
        type: "type", place: "channel_id",
        names: [
            .message: "message.created", .edited: "message.updated", .deleted: "message.deleted",
            .reactionAdded: "reaction.added", .reactionRemoved: "reaction.removed", .pinned: "message.pinned",
            .unpinned: "message.unpinned", .joined: "member.joined", .left: "member.left", .member: "member.updated",
            .conversation: "channel.updated", .conversationDeleted: "channel.deleted", .read: "receipt",
            .delivered: "receipt", .failed: "receipt", .added: "channel.added", .removed: "channel.removed",
            .devices: "devices.changed", .settings: "settings.changed", .webhookDisabled: "webhook.disabled",
            .gap: "log.gap",
        ])

    func read(_ object: JSONObject, bound: ConversationID?) throws(LiveFault) -> LiveRequest {
        LiveRequest(try command(object, bound), reference: try object.liveReference())
    }

    private func command(_ object: JSONObject, _ bound: ConversationID?) throws(LiveFault) -> LiveCommand {
        let type = try object.liveText("type")
        switch type {
        case "subscribe":
            // Of a path's own conversation: from the place where the client left off.
            guard let bound, object["channels"] == nil else { return try object.liveChannels("channels") }
            return .follow([(bound, try object.livePosition())])
        case "unsubscribe": return .unfollow(try object.liveIDs("channels"))
        case "send_message":
            let place = try object.liveConversation("channel_id", bound: bound)
            return .send(try object.liveMessage(try body(object), type: "content_type"), to: place)
        case "edit_message": return try object.liveEdit(try body(object))
        default:
            if let command = try object.liveCommon(type, place: "channel_id", bound: bound) { return command }
            throw .malformed(field: "type", reason: "is none that this socket knows")
        }
    }

    private func body(_ object: JSONObject) throws(LiveFault) -> MessageBody {
        guard let sealed = object["sealed"]?.objectValue else { return .plain(try object.liveText("content")) }
        guard let body = try sealed.liveSealedBody() else {
            throw .malformed(field: "sealed", reason: "has neither `encrypted_data` nor `ciphertext`")
        }
        return body
    }

    func write(_ message: Message, _ people: [UserID: ChatPerson], into json: inout JSONWriter) {
        DesignChatPresenter.message(message, into: &json)
    }

    func writeReceipt(_ kind: ReceiptKind, _ message: MessageID, _ user: UserID?, into json: inout JSONWriter) {
        json.field("message_id", message)
        json.field("user_id", user)
        json.field("status", kind.name)
    }
}

/// Webhooks get what a follower gets.
extension DesignLive: WebhookEncoder {
    func body(of event: ChatEvent) async -> Bytes? { await text(of: event) }

    func gap(in conversation: ConversationID, upTo position: LogPosition) -> Bytes {
        text(.gap, position) { $0.field(vocabulary.place, conversation) }
    }
}
