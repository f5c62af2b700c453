// The lines of an export: JSON objects whose `type` says what they are (docs/chat/export.md).

import Accounts
import Base
import Chat
import Wire

enum ExportLines {
    static func head(_ user: User, at time: Timestamp, _ format: Int) -> Bytes {
        line("export") { json in
            json.field("format", format)
            json.field("user_id", user.id)
            json.field("created_at", time)
        }
    }

    static func account(_ user: User) -> Bytes { line("account") { ReferencePresenter.user(user, into: &$0) } }

    static func end(_ lines: Int) -> Bytes { line("end") { $0.field("lines", lines) } }

    static func line(_ item: ExportItem) -> Bytes {
        switch item {
        case .device(let device): line("device") { write(device, into: &$0) }
        case .organization(let view): line("organization") { write(view, into: &$0) }
        case .conversation(let view): line("conversation") { write(view, into: &$0) }
        case .message(let message): line("message") { write(message, into: &$0) }
        case .formerVersion(let id, let version):
            line("former_version") { json in
                json.field("message_id", id)
                json.field("version", version.version)
                write(version.body, into: &json)
                json.field("replaced_at", version.replacedAt)
            }
        case .reaction(let id, let reaction):
            line("reaction") { json in
                json.field("message_id", id)
                json.field("emoji", reaction.emoji)
                json.field("created_at", reaction.createdAt)
            }
        }
    }

    private static func line(_ type: String, _ body: (inout JSONWriter) -> Void) -> Bytes {
        var json = JSONWriter(capacity: 512)
        json.object { json in
            json.field("type", type)
            body(&json)
        }
        return json.bytes
    }

    // MARK: Values

    private static func write(_ device: ClientDevice, into json: inout JSONWriter) {
        json.field("id", device.id)
        json.field("name", device.name)
        json.field("identity_key", device.identityKey)
        json.field("algorithm", device.algorithm)
        json.field("version", device.version)
        json.field("created_at", device.createdAt)
        json.field("seen_at", device.seenAt)
    }

    private static func write(_ view: OrganizationView, into json: inout JSONWriter) {
        json.field("id", view.organization.id)
        json.field("name", view.organization.name)
        json.field("role", view.role.name)
    }

    private static func write(_ view: ConversationView, into json: inout JSONWriter) {
        let conversation = view.conversation
        json.field("id", conversation.id)
        json.field("conversation_type", conversation.type.name)
        json.field("title", conversation.title)
        json.field("description", conversation.summary)
        json.field("organization_id", conversation.organization)
        json.field("with_user_id", view.counterpart?.id)
        json.field("role", view.membership?.role.name)
        json.field("joined_at", view.membership?.joinedAt)
        json.field("is_muted", view.membership?.isMuted)
        json.field("last_read_at", view.membership?.readAt)
        json.field("created_at", conversation.createdAt)
    }

    private static func write(_ message: Message, into json: inout JSONWriter) {
        json.field("id", message.id)
        json.field("conversation_id", message.conversation)
        json.field("sequence", message.sequence)
        json.field("message_type", message.type.name)
        write(message.body, into: &json)
        json.field("reply_to", message.replyTo)
        json.field("thread_id", message.thread)
        json.field("client_id", message.clientID)
        json.field("mentions", message.mentions.map(\.description))
        json.array("attachments") { json in
            for attachment in message.attachments {
                json.object { json in
                    json.field("id", attachment.id)
                    json.field("filename", attachment.name)
                    json.field("size", attachment.size)
                    json.field("content_type", attachment.contentType)
                    json.field("file_id", attachment.storage)
                }
            }
        }
        json.field("version", message.version)
        json.field("created_at", message.createdAt)
        json.field("edited_at", message.editedAt)
    }

    private static func write(_ body: MessageBody, into json: inout JSONWriter) {
        if case .plain(let text) = body { json.field("content", text) } else { json.null("content") }
        SealedForms.writeSealed(body, into: &json)
    }
}
