// Chat over `/ws` in reference.md's style: `{"type": …, "data": {…}}`.

import Accounts
import Base
import Chat
import Wire

final class ReferenceLive: LiveCodec {
    let format: any DialectFormat = ReferenceFormat()
    let vocabulary = LiveVocabulary(type: "type", place: "channel_id", names: [:])

    func read(_ object: JSONObject, bound: ConversationID?) throws(LiveFault) -> LiveRequest {
        LiveRequest(try command(object), reference: try object.liveReference())
    }

    private func command(_ object: JSONObject) throws(LiveFault) -> LiveCommand {
        let type = try object.liveText("type")
        // The document puts the members of what is sent under `data`, the others beside `type`; both are taken.
        let data = object["data"]?.objectValue ?? object
        switch type {
        case "subscribe": return try data.liveChannels("channels")
        case "unsubscribe": return .unfollow(try data.liveIDs("channels"))
        case "send_message":
            let message = try data.liveMessage(.plain(try data.liveText("content")), type: "content_type")
            return .send(message, to: try data.liveID("channel_id", .conversation))
        case "edit_message": return try data.liveEdit(.plain(try data.liveText("content")))
        default:
            if let command = try data.liveCommon(type, place: "channel_id", bound: nil) { return command }
            throw .malformed(field: "type", reason: "is none that this socket knows")
        }
    }

    func write(_ message: Message, _ people: [UserID: ChatPerson], into json: inout JSONWriter) {
        ReferenceMessagePresenter.write(message, into: &json)
    }
}
