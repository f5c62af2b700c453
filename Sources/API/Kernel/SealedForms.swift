// The two sealed forms of a message body as JSON has them: rooms.md's box and calls.md's box with keys for devices. A
// dialect whose own form is another one shows them under `sealed`, unopened and unchanged (docs/protocol/chat.md).

import Base
import Chat
import Wire

enum SealedForms {
    static let boxProperties: [Property] = [
        .required("encrypted_data", .text), .required("iv", .text), .required("key_version", .integer(0...Int64.max)),
    ]

    static let keySchema = Schema.named(
        "EncryptedKey",
        .object([
            .required("recipient_user_id", .uuid), .required("recipient_device_id", .uuid),
            .required("encrypted_key", .text), .required("key_algo", .text), .required("nonce", .text),
        ]))
    static let keysSchema = Schema.array(keySchema, limit: ChatFields.shownKeys)

    /// Either form; which one, its members tell.
    static let schema = Schema.named(
        "SealedBody",
        .object([
            .optional("encrypted_data", .text), .optional("iv", .text),
            .optional("key_version", .integer(0...Int64.max)), .optional("ciphertext", .text),
            .optional("ciphertext_nonce", .nullable(.text)), .optional("encryption_algo", .nullable(.text)),
            .optional("preview_text_hash", .nullable(.text)), .optional("encrypted_keys", keysSchema),
        ]))

    // MARK: Writing

    static func write(_ box: SealedBox, into json: inout JSONWriter) {
        json.field("encrypted_data", box.data)
        json.field("iv", box.nonce)
        json.field("key_version", box.keyVersion)
    }

    static func write(_ box: DeviceBox, into json: inout JSONWriter) {
        json.field("ciphertext", box.ciphertext)
        json.field("ciphertext_nonce", box.nonce)
        json.field("encryption_algo", box.algorithm)
        json.field("preview_text_hash", box.previewHash)
        write(box.keys, into: &json)
    }

    static func write(_ keys: [DeviceKeyBox], into json: inout JSONWriter) {
        json.array("encrypted_keys") { json in
            for key in keys {
                json.object { json in
                    json.field("recipient_user_id", key.user)
                    json.field("recipient_device_id", key.device)
                    json.field("encrypted_key", key.encryptedKey)
                    json.field("key_algo", key.algorithm)
                    json.field("nonce", key.nonce)
                }
            }
        }
    }

    /// The member `sealed`: `null` for what is not sealed.
    static func writeSealed(_ body: MessageBody, into json: inout JSONWriter) {
        switch body {
        case .box(let box): json.object("sealed") { write(box, into: &$0) }
        case .deviceBox(let box): json.object("sealed") { write(box, into: &$0) }
        case .plain, .removed: json.null("sealed")
        }
    }

    // MARK: Reading

    /// A body in either form; `schema` has been checked.
    static func body(_ object: JSONObject) throws(ChatError) -> MessageBody {
        switch (object["encrypted_data"], object["ciphertext"]) {
        case (.some, .some):
            throw .validation(ChatFault(.ciphertext, .value, "a body is sealed in one form, not in both"))
        case (.some, nil): return .box(try box(object))
        default: return .deviceBox(try deviceBox(object, keys: "encrypted_keys"))
        }
    }

    static func box(_ object: JSONObject) throws(ChatError) -> SealedBox {
        SealedBox(
            data: try text(object, "encrypted_data", .encryptedData), nonce: try text(object, "iv", .iv),
            keyVersion: try number(object, "key_version", .keyVersion))
    }

    static func deviceBox(_ object: JSONObject, keys name: String) throws(ChatError) -> DeviceBox {
        var keys: [DeviceKeyBox] = []
        for value in object[name]?.arrayValue ?? [] { keys.append(try key(value.objectValue ?? JSONObject())) }
        return DeviceBox(
            ciphertext: try text(object, "ciphertext", .ciphertext), nonce: object["ciphertext_nonce"]?.stringValue,
            algorithm: object["encryption_algo"]?.stringValue, previewHash: object["preview_text_hash"]?.stringValue,
            keys: keys)
    }

    private static func key(_ object: JSONObject) throws(ChatError) -> DeviceKeyBox {
        guard let user = object["recipient_user_id"]?.stringValue.flatMap({ UserID($0) }),
            let device = object["recipient_device_id"]?.stringValue.flatMap({ ClientDeviceID($0) })
        else {
            throw .validation(ChatFault(.recipientKeys, .format, "each key names a user and a device by their ids"))
        }
        return DeviceKeyBox(
            user: user, device: device, encryptedKey: try text(object, "encrypted_key", .recipientKeys),
            algorithm: try text(object, "key_algo", .recipientKeys), nonce: try text(object, "nonce", .recipientKeys))
    }

    private static func text(
        _ object: JSONObject, _ name: String, _ field: ChatFault.Field
    ) throws(ChatError) -> String {
        guard let text = object[name]?.stringValue else {
            throw .validation(ChatFault(field, .required, "is required"))
        }
        return text
    }

    private static func number(
        _ object: JSONObject, _ name: String, _ field: ChatFault.Field
    ) throws(ChatError) -> Int64 {
        guard let number = object[name]?.integerValue else {
            throw .validation(ChatFault(field, .required, "is required"))
        }
        return number
    }
}

extension Call {
    /// Blind tokens of a sealed message, as clients make them (`docs/chat/search.md`): base64.
    func searchTokens() throws(ChatError) -> [Bytes] {
        var tokens: [Bytes] = []
        for value in body["search_tokens"]?.arrayValue ?? [] {
            guard let token = value.stringValue.flatMap({ Base64.decode($0) }) else {
                throw .validation(ChatFault(.searchTokens, .format, "each token is base64"))
            }
            tokens.append(token)
        }
        return tokens
    }
}
