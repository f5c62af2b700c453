// What the dialects' chat sockets have in common: reading members, and the words of a failure. Names and shapes are
// each dialect's (`ReferenceLive`, `RoomsLive`, `DesignLive`, `CallsLive`); docs/protocol/chat-sockets.md has them all.

import Base
import Chat
import Wire

protocol LiveCodec: ChatStyle, LiveWriting {
    var format: any DialectFormat { get }
    /// `bound` is the conversation that the path names.
    func read(_ object: JSONObject, bound: ConversationID?) throws(LiveFault) -> LiveRequest
    /// The token of the message that says who is there; `nil` when it is another one.
    func token(_ object: JSONObject) -> String?
}

extension LiveCodec {
    /// What can be read of a message's name, whatever else is wrong with it.
    func name(_ object: JSONObject) -> LiveName {
        let body = object["data"]?.objectValue ?? object
        return LiveName(
            reference: try? object.liveReference(),
            clientID: body["client_id"]?.stringValue.flatMap { $0.utf8.count <= LiveReading.nameBytes ? $0 : nil })
    }

    func token(_ object: JSONObject) -> String? {
        object["type"]?.stringValue == "auth" ? object["token"]?.stringValue : nil
    }

    /// A failure as the dialect words it over HTTP.
    func problem(_ fault: LiveFault) -> Problem {
        let problem: Problem? =
            switch fault {
            case .malformed(let field, let reason):
                format.problem(for: .validation(FieldFault(field, .format, reason)))
            case .tooManyRequests(let seconds): format.problem(for: .rateLimited(retryAfter: seconds))
            case .tooManyFollowed(let limit): format.problem(for: ChatError.limitReached(.followed, limit))
            case .chat(let error): format.problem(for: error)
            }
        return problem ?? format.problem(for: .internalError)
    }
}

/// Of live messages: bounds that no honest one reaches, below those of the chat itself.
enum LiveReading {
    static let jsonLimits = JSONLimits(depth: 6, values: 8_192)
    /// Of what a client calls its message: as long as a `client_id` may be.
    static let nameBytes = ChatValidation.clientIDLimit

    static func object(_ text: String) throws(LiveFault) -> JSONObject {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: Bytes(text.utf8), limits: jsonLimits)
        } catch {
            throw .malformed(field: "message", reason: "is not JSON: \(error.reason)")
        }
        guard case .object(let object) = value else {
            throw .malformed(field: "message", reason: "must be a JSON object")
        }
        return object
    }
}

extension JSONObject {
    func liveText(_ name: String) throws(LiveFault) -> String {
        guard let text = self[name]?.stringValue else { throw .malformed(field: name, reason: "must be a string") }
        return text
    }

    func liveOptionalText(_ name: String) throws(LiveFault) -> String? {
        guard let value = self[name], !value.isNull else { return nil }
        guard let text = value.stringValue else { throw .malformed(field: name, reason: "must be a string") }
        return text
    }

    func liveFlag(_ name: String) throws(LiveFault) -> Bool {
        guard let flag = self[name]?.boolValue else { throw .malformed(field: name, reason: "must be true or false") }
        return flag
    }

    /// What is no identifier names nothing, and is answered like one that names nothing.
    func liveID<Kind>(
        _ name: String, _ thing: ChatThing, _ kind: Kind.Type = Kind.self
    ) throws(LiveFault) -> Identifier<Kind> {
        guard let id = Identifier<Kind>(try liveText(name)) else { throw .chat(.notFound(thing)) }
        return id
    }

    func liveOptionalID<Kind>(
        _ name: String, _ thing: ChatThing, _ kind: Kind.Type = Kind.self
    ) throws(LiveFault) -> Identifier<Kind>? {
        guard let value = self[name], !value.isNull else { return nil }
        return try liveID(name, thing)
    }

    func liveConversation(_ name: String, bound: ConversationID?) throws(LiveFault) -> ConversationID {
        if let bound, self[name] == nil { return bound }
        let id: ConversationID = try liveID(name, .conversation)
        guard bound == nil || bound == id else {
            throw .malformed(field: name, reason: "is another one than the path's")
        }
        return id
    }

    /// Both or neither.
    func livePosition() throws(LiveFault) -> LogPosition? {
        guard self["epoch"] != nil || self["offset"] != nil else { return nil }
        guard let epoch = self["epoch"]?.integerValue, let offset = self["offset"]?.integerValue else {
            throw .malformed(field: "offset", reason: "a place is `epoch` and `offset`, both whole numbers")
        }
        return LogPosition(epoch: epoch, offset: offset)
    }

    /// The client's own name for its message.
    func liveReference() throws(LiveFault) -> JSONValue? {
        guard let value = self["id"], !value.isNull else { return nil }
        guard value.stringValue.map({ $0.utf8.count <= LiveReading.nameBytes }) ?? (value.integerValue != nil) else {
            throw .malformed(field: "id", reason: "must be a whole number or a string of 128 bytes at most")
        }
        return value
    }

    /// `["id", {"id": …, "epoch": …, "offset": …}]`, or `"*"`.
    func liveChannels(_ name: String) throws(LiveFault) -> LiveCommand {
        if self[name] == .string("*") || self[name] == .array([.string("*")]) { return .followAll }
        var wanted: [(conversation: ConversationID, from: LogPosition?)] = []
        for value in try liveList(name) {
            if let object = value.objectValue {
                wanted.append((try object.liveID("id", .conversation), try object.livePosition()))
            } else {
                guard let id = value.stringValue.flatMap({ ConversationID($0) }) else {
                    throw .chat(.notFound(.conversation))
                }
                wanted.append((id, nil))
            }
        }
        return .follow(wanted)
    }

    func liveIDs(_ name: String) throws(LiveFault) -> [ConversationID] {
        var ids: [ConversationID] = []
        for value in try liveList(name) {
            guard let id = value.stringValue.flatMap({ ConversationID($0) }) else {
                throw .chat(.notFound(.conversation))
            }
            ids.append(id)
        }
        return ids
    }

    private func liveList(_ name: String) throws(LiveFault) -> [JSONValue] {
        guard let list = self[name]?.arrayValue, list.count <= 500 else {
            throw .malformed(field: name, reason: "must be a list of 500 at most")
        }
        return list
    }

    /// What every dialect's message has beside its body.
    func liveMessage(_ body: MessageBody, type: String) throws(LiveFault) -> NewMessage {
        let typeName = try liveOptionalText(type) ?? MessageType.text.name
        guard let type = MessageType(name: typeName), type != .system else {
            throw .malformed(field: type, reason: "is none that a message may have")
        }
        var mentions: [UserID] = []
        for value in self["mentions"]?.arrayValue ?? [] {
            guard let id = value.stringValue.flatMap({ UserID($0) }) else { throw .chat(.notFound(.user)) }
            mentions.append(id)
        }
        var tokens: [Bytes] = []
        for value in self["search_tokens"]?.arrayValue ?? [] {
            guard let token = value.stringValue.flatMap({ Base64.decode($0) }) else {
                throw .malformed(field: "search_tokens", reason: "must be base64")
            }
            tokens.append(token)
        }
        return NewMessage(
            body, type: type, replyTo: try liveOptionalID("reply_to", .message), mentions: mentions,
            clientID: try liveOptionalText("client_id"), searchTokens: tokens)
    }

    /// What all dialects call alike; `nil` for another one. `place` is what a conversation is called.
    func liveCommon(
        _ type: String, place: String, bound: ConversationID?
    ) throws(LiveFault) -> LiveCommand? {
        switch type {
        case "typing_start": return .typing(true, in: try liveConversation(place, bound: bound))
        case "typing_stop": return .typing(false, in: try liveConversation(place, bound: bound))
        case "message_read": return .acknowledge(.read, upTo: try liveID("message_id", .message))
        case "message_delivered": return .acknowledge(.delivered, upTo: try liveID("message_id", .message))
        case "message_failed":
            return .reportFailure(
                try liveID("message_id", .message), device: try liveOptionalID("device_id", .device))
        case "add_reaction", "remove_reaction":
            return .react(
                try liveID("message_id", .message), emoji: try liveText("emoji"), isOn: type == "add_reaction")
        case "delete_message": return .delete(try liveID("message_id", .message))
        case "ping": return .ping
        default: return nil
        }
    }

    func liveEdit(_ body: MessageBody) throws(LiveFault) -> LiveCommand {
        .edit(
            try liveID("message_id", .message), MessageEdit(body, expectedVersion: self["version"]?.integerValue))
    }

    /// In either form, when it has one of them; `nil` else.
    func liveSealedBody() throws(LiveFault) -> MessageBody? {
        guard self["encrypted_data"] != nil || self["ciphertext"] != nil else { return nil }
        do throws(ChatError) { return try SealedForms.body(self) } catch { throw .chat(error) }
    }
}
