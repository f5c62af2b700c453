// Chat over `/ws` in rooms.md's style: `{"event": …, "data": {…}}`. Its events name people, so they are looked up.

import Accounts
import Base
import Chat
import Wire

final class RoomsLive: LiveCodec {
    let format: any DialectFormat = RoomsFormat()
    let vocabulary = LiveVocabulary(
        type: "event", place: "chatroom_id",
        names: [
            .followed: "chatroom_joined", .unfollowed: "chatroom_left", .message: "message_received",
            .typing: "typing_indicator", .conversation: "chatroom_updated", .conversationDeleted: "chatroom_deleted",
            .added: "chatroom_added", .removed: "chatroom_removed",
        ])
    private let chat: ChatService

    init(_ chat: ChatService) { self.chat = chat }

    // MARK: Reading

    func token(_ object: JSONObject) -> String? {
        object["event"]?.stringValue == "auth" ? object["data"]?["token"]?.stringValue : nil
    }

    func read(_ object: JSONObject, bound: ConversationID?) throws(LiveFault) -> LiveRequest {
        LiveRequest(try command(object), reference: try object.liveReference())
    }

    private func command(_ object: JSONObject) throws(LiveFault) -> LiveCommand {
        let type = try object.liveText("event")
        let data = object["data"]?.objectValue ?? JSONObject()
        switch type {
        case "join_chatroom": return .follow([(try data.liveID("chatroom_id", .conversation), try data.livePosition())])
        case "leave_chatroom": return .unfollow([try data.liveID("chatroom_id", .conversation)])
        case "send_message":
            let message = try data.liveMessage(try body(data), type: "message_type")
            return .send(message, to: try data.liveID("chatroom_id", .conversation))
        case "edit_message": return try data.liveEdit(try body(data))
        default:
            if let command = try data.liveCommon(type, place: "chatroom_id", bound: nil) { return command }
            throw .malformed(field: "event", reason: "is none that this socket knows")
        }
    }

    /// The box; or `text`, which is how this dialect shows what is not sealed.
    private func body(_ data: JSONObject) throws(LiveFault) -> MessageBody {
        guard let content = data["content"]?.objectValue else {
            throw .malformed(field: "content", reason: "must be an object")
        }
        if let text = try content.liveOptionalText("text") { return .plain(text) }
        do throws(ChatError) { return .box(try SealedForms.box(content)) } catch { throw .chat(error) }
    }

    // MARK: Writing

    func people(in events: [ChatEvent]) async -> [UserID: ChatPerson] {
        var wanted: Set<UserID> = []
        for event in events {
            switch event.change {
            case .messageSent(let message), .messageEdited(let message): wanted.formUnion(message.people)
            case .memberJoined(let member): wanted.insert(member.user)
            case .typing: if let actor = event.actor { wanted.insert(actor) }
            default: break
            }
        }
        // While the database is away events go out without the names.
        return wanted.isEmpty ? [:] : (try? await chat.people(wanted)) ?? [:]
    }

    func word(_ news: PresenceNews) -> LiveWord? {
        guard news.isComingOrGoing else { return nil }
        return news.presence.status == .offline ? .offline : .online
    }

    func person(in news: PresenceNews) async -> ChatPerson? {
        (try? await chat.people([news.user]))?[news.user]
    }

    func writePresence(_ news: PresenceNews, _ person: ChatPerson?, into json: inout JSONWriter) {
        json.field("user_id", news.user)
        json.field("username", person?.username.exposed)
    }

    func write(_ message: Message, _ people: [UserID: ChatPerson], into json: inout JSONWriter) {
        RoomsMessagePresenter.write(message, people, into: &json)
    }

    func writeData(_ message: Message, _ people: [UserID: ChatPerson], into json: inout JSONWriter) {
        json.object("message") { write(message, people, into: &$0) }
    }

    func writeJoined(_ member: Member, _ people: [UserID: ChatPerson], into json: inout JSONWriter) {
        let person = people[member.user]
        json.object("user") { json in
            json.field("id", member.user)
            json.field("username", person?.username.exposed)
            json.field("display_name", person?.displayName.exposed)
            json.field("avatar_url", person?.avatarURL)
        }
    }

    func writeTyping(
        _ user: UserID?, _ isTyping: Bool, _ people: [UserID: ChatPerson], into json: inout JSONWriter
    ) {
        json.field("user_id", user)
        json.field("username", user.flatMap { people[$0]?.username.exposed })
        json.field("is_typing", isTyping)
    }
}
