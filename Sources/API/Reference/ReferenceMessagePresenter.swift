// A message in reference.md's clothes. Its own form of a body is plain text; of a sealed one `content` is null, and
// `encrypted` and `sealed` are there besides (docs/protocol/chat.md).

import Base
import Chat
import Wire

enum ReferenceMessagePresenter {
    static func write(_ message: Message, into json: inout JSONWriter) {
        json.field("id", message.id)
        json.field("channel_id", message.conversation)
        json.field("user_id", message.sender)
        json.field("content", message.plainText)
        if message.body.isSealed {
            json.field("encrypted", true)
            SealedForms.writeSealed(message.body, into: &json)
        }
        json.field("content_type", message.type.name)
        json.field("created_at", message.createdAt)
        json.field("updated_at", message.updatedAt)
        json.array("attachments") { json in
            for attachment in message.attachments { json.object { Self.attachment(attachment, into: &$0) } }
        }
        json.field("mentions", message.mentions.map(\.description))
        json.array("reactions") { json in
            for reaction in message.reactions {
                json.object { json in
                    json.field("user_id", reaction.user)
                    json.field("emoji", reaction.emoji)
                    json.field("created_at", reaction.createdAt)
                }
            }
        }
        json.field("thread_id", message.thread)
        json.field("reply_to", message.replyTo)
        json.field("is_edited", message.isEdited)
        json.field("is_deleted", message.isDeleted)
    }

    private static func attachment(_ attachment: Attachment, into json: inout JSONWriter) {
        json.field("id", attachment.id)
        json.field("filename", attachment.name)
        json.field("size", attachment.size)
        json.field("content_type", attachment.contentType)
        json.field("file_id", attachment.storage)
    }

    static let schema = Schema.named(
        "ReferenceMessage",
        .object([
            .required("id", .uuid), .required("channel_id", .uuid),
            .required("user_id", .nullable(.uuid), "null when the account is gone, and for what the system says"),
            .required("content", .nullable(.text), "null for sealed and deleted ones"),
            .optional("encrypted", .boolean, "Of a sealed one: true"),
            .optional("sealed", SealedForms.schema, "Of a sealed one: as it was sent"),
            .required("content_type", ChatFields.messageTypes), .required("created_at", .dateTime),
            .required("updated_at", .nullable(.dateTime)),
            .required(
                "attachments",
                .array(
                    .object([
                        .required("id", .uuid), .required("filename", .text), .required("size", .count),
                        .required("content_type", .text), .required("file_id", .text),
                    ]), limit: ChatFields.shownAttachments)),
            .required("mentions", ChatFields.mentions),
            .required(
                "reactions",
                .array(
                    .object([
                        .required("user_id", .uuid), .required("emoji", .text), .required("created_at", .dateTime),
                    ]), limit: ChatFields.shownReactions)),
            .required("thread_id", .nullable(.uuid)), .required("reply_to", .nullable(.uuid)),
            .required("is_edited", .boolean), .required("is_deleted", .boolean),
        ]))
}
