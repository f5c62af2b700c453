// Devices and their public keys in calls.md's clothes. The document seals for devices and has no rows for them: these
// shapes are ours (docs/chat/keys.md).

import Base
import Chat
import Wire

enum CallsDevicePresenter {
    /// As others see it: what they seal with.
    static func device(_ device: ClientDevice, into json: inout JSONWriter) {
        json.field("id", device.id)
        json.field("name", device.name)
        json.field("identity_key", device.identityKey)
        json.field("algorithm", device.algorithm)
        if let signed = device.signedKey {
            json.object("signed_key") { json in
                json.field("id", signed.id)
                json.field("key", signed.key)
                json.field("signature", signed.signature)
            }
        } else {
            json.null("signed_key")
        }
        json.field("version", device.version)
    }

    /// As its own user sees it.
    static func ownDevice(_ device: ClientDevice, into json: inout JSONWriter) {
        Self.device(device, into: &json)
        json.field("one_time_key_count", device.oneTimeKeyCount)
        json.field("created_at", device.createdAt)
        json.field("seen_at", device.seenAt)
    }

    static func list(_ list: DeviceList, into json: inout JSONWriter) {
        json.field("user_id", list.user)
        json.field("version", list.version)
        json.array("devices") { json in
            for device in list.devices { json.object { Self.device(device, into: &$0) } }
        }
    }

    static func change(_ change: DeviceChange, into json: inout JSONWriter) {
        json.field("version", change.version)
        json.field("device_id", change.device)
        json.field("change", "\(change.kind)")
        json.field("at", change.at)
    }

    static func claimed(_ claimed: ClaimedKey, into json: inout JSONWriter) {
        json.object("device") { device(claimed.device, into: &$0) }
        guard let key = claimed.oneTimeKey else { return json.null("one_time_key") }
        json.object("one_time_key") { json in
            json.field("id", key.id)
            json.field("key", key.key)
        }
    }

    // MARK: Schemas

    static let signedKeySchema = Schema.object([
        .required("id", .text), .required("key", .text), .required("signature", .text, "By the identity key"),
    ])
    static let oneTimeKeySchema = Schema.object([.required("id", .text), .required("key", .text)])

    private static let properties: [Property] = [
        .required("id", .uuid), .required("name", .text), .required("identity_key", .text),
        .required("algorithm", .text), .required("signed_key", .nullable(signedKeySchema)),
        .required("version", .count, "1; one more with each change of its keys"),
    ]
    static let deviceSchema = Schema.named("CallsDevice", .object(properties))
    static let ownDeviceSchema = Schema.named(
        "CallsOwnDevice",
        .object(
            properties + [
                .required("one_time_key_count", .count, "Not handed out yet"), .required("created_at", .dateTime),
                .required("seen_at", .dateTime),
            ]))
    /// Of one user, whatever is configured.
    static let shownDevices = 1_000
    static let listSchema = Schema.named(
        "CallsDeviceList",
        .object([
            .required("user_id", .uuid),
            .required("version", .count, "How many changes there were; 0 for somebody who never had a device"),
            .required("devices", .array(deviceSchema, limit: shownDevices)),
        ]))
    static let changeSchema = Schema.named(
        "CallsDeviceChange",
        .object([
            .required("version", .count), .required("device_id", .uuid),
            .required("change", .choice(["added", "changed", "removed"])), .required("at", .dateTime),
        ]))
    static let claimedSchema = Schema.named(
        "CallsClaimedKey",
        .object([
            .required("device", deviceSchema),
            .required("one_time_key", .nullable(oneTimeKeySchema), "null when there is none: the signed key has to do"),
        ]))
}
