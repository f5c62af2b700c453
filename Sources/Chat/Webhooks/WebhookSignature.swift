// How a delivery is signed: Standard Webhooks, symmetric (https://www.standardwebhooks.com).
//
//     webhook-id: 0199a5e0-….1.42
//     webhook-timestamp: 1760000000
//     webhook-signature: v1,Base64(HMAC-SHA256(key, id "." timestamp "." body))

import Base
import Crypto
import Wire

enum WebhookSignature {
    /// As long as the hash: a longer key would add nothing.
    static let keyCount = 32
    private static let secretPrefix = "whsec_"

    /// What the receiver is told.
    static func text(ofKey key: Secret) -> Secret { Secret(text: secretPrefix + Base64.encode(key.exposedBytes)) }

    static func headers(id: String, at now: Timestamp, _ body: Bytes, key: Secret) -> [(name: String, value: String)] {
        let signed = Bytes("\(id).\(now.secondsSinceEpoch).".utf8) + body
        return [
            ("webhook-id", id), ("webhook-timestamp", "\(now.secondsSinceEpoch)"),
            ("webhook-signature", "v1,\(Base64.encode(HMAC.sha256(signed, key: key)))"),
        ]
    }

    /// The same for every try of one event, in whatever process.
    static func id(_ conversation: ConversationID, _ position: LogPosition) -> String {
        "\(conversation).\(position.epoch).\(position.offset)"
    }
}
