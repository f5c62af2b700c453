// A message in rooms.md's clothes. Its own form of a body is the box; what is not one is shown beside it, and the
// box's members are null (docs/protocol/chat.md).

import Base
import Chat
import Wire

enum RoomsMessagePresenter {
    static func write(_ message: Message, _ people: [UserID: ChatPerson], into json: inout JSONWriter) {
        let sender = message.sender.flatMap { people[$0] }
        json.field("id", message.id)
        json.field("chatroom_id", message.conversation)
        json.field("user_id", message.sender)
        json.field("username", sender?.username.exposed)
        json.field("display_name", sender?.displayName.exposed)
        json.field("avatar_url", sender?.avatarURL)
        body(message, into: &json)
        json.field("message_type", type(message.type))
        json.field("reply_to", message.replyTo)
        json.array("attachments") { json in
            for attachment in message.attachments { json.object { Self.attachment(attachment, into: &$0) } }
        }
        json.array("reactions") { json in
            for reaction in message.reactions {
                json.object { json in
                    json.field("user_id", reaction.user)
                    json.field("username", people[reaction.user]?.username.exposed)
                    json.field("emoji", reaction.emoji)
                    json.field("created_at", reaction.createdAt)
                }
            }
        }
        json.field("edited_at", message.editedAt)
        if let deletedAt = message.deletedAt { json.field("deleted_at", deletedAt) }
        json.field("created_at", message.createdAt)
    }

    private static func body(_ message: Message, into json: inout JSONWriter) {
        json.object("content") { json in
            if let box = message.box {
                SealedForms.write(box, into: &json)
            } else {
                json.null("encrypted_data")
                json.null("iv")
                json.null("key_version")
                if let text = message.plainText { json.field("text", text) }
            }
        }
        if case .deviceBox = message.body { SealedForms.writeSealed(message.body, into: &json) }
    }

    /// The document knows four.
    static func type(_ type: MessageType) -> String {
        switch type {
        case .text, .location, .contact: MessageType.text.name
        case .image: MessageType.image.name
        case .audio, .video, .file: MessageType.file.name
        case .system: MessageType.system.name
        }
    }

    private static func attachment(_ attachment: Attachment, into json: inout JSONWriter) {
        json.field("filename", attachment.name)
        json.field("file_type", attachment.contentType)
        json.field("file_size", attachment.size)
        json.field("encrypted_url", attachment.storage)
        json.null("thumbnail_url")
    }

    static let schema = Schema.named(
        "RoomsMessage",
        .object([
            .required("id", .uuid), .required("chatroom_id", .uuid),
            .required("user_id", .nullable(.uuid), "null when the account is gone, and for what the system says"),
            .required("username", .nullable(.text)), .required("display_name", .nullable(.text)),
            .required("avatar_url", .nullable(.text)),
            .required(
                "content",
                .object([
                    .required("encrypted_data", .nullable(.text)), .required("iv", .nullable(.text)),
                    .required("key_version", .nullable(.integer(0...Int64.max))),
                    .optional("text", .text, "Of a message that is not sealed"),
                ]), "The three are null for what is not sealed, is sealed for devices (`sealed`), or was deleted"),
            .optional("sealed", SealedForms.schema, "Of a message that is sealed for devices"),
            .required("message_type", .choice(["text", "image", "file", "system"])),
            .required("reply_to", .nullable(.uuid)),
            .required(
                "attachments",
                .array(
                    .object([
                        .required("filename", .text), .required("file_type", .text), .required("file_size", .count),
                        .required("encrypted_url", .text), .required("thumbnail_url", .nullable(.text)),
                    ]), limit: ChatFields.shownAttachments)),
            .required(
                "reactions",
                .array(
                    .object([
                        .required("user_id", .uuid), .required("username", .nullable(.text)),
                        .required("emoji", .text), .required("created_at", .dateTime),
                    ]), limit: ChatFields.shownReactions)),
            .required("edited_at", .nullable(.dateTime)), .optional("deleted_at", .dateTime),
            .required("created_at", .dateTime),
        ]))
}
