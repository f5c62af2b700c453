// Client settings in manual.md's clothes, and in the frames that tell a user's other devices.

import Accounts
import Base
import Crypto
import Net
import Wire

enum ManualSettingsPresenter {
    static func reply(_ setting: ClientSetting) -> Reply {
        var json = JSONWriter(capacity: 128 + setting.value.count)
        json.object { write(setting, into: &$0) }
        return tagged(.json(json.bytes), tag(setting))
    }

    static func reply(_ settings: [ClientSetting]) -> Reply {
        var json = JSONWriter(capacity: 64 + settings.reduce(0) { $0 + 160 + $1.value.count })
        json.array { json in
            for setting in settings { json.object { write(setting, into: &$0) } }
        }
        return tagged(.json(json.bytes), tag(settings))
    }

    static func reply(_ update: ClientSettingsUpdate, _ format: ManualFormat) -> Reply {
        var json = JSONWriter()
        json.object { json in
            json.field("updated_count", update.stored.count)
            json.object("errors") { json in
                for failure in update.failures {
                    let problem = format.problem(of: failure.reason)
                    json.key(failure.key)
                    json.object { json in
                        json.field("code", problem.code)
                        json.field("detail", problem.message)
                        json.field("info", JSONValue.object(problem.details))
                    }
                }
            }
        }
        return .json(json.bytes)
    }

    /// The document's metadata of an image: what its setting's value is.
    static func imageReply(_ setting: ClientSetting) -> Reply {
        var json = JSONWriter()
        json.object { json in
            json.field("setting_key", setting.key.description)
            for (name, value) in (try? JSONValue(parsing: setting.value))?.objectValue?.pairs ?? [] {
                json.key(name)
                json.value(value)
            }
            json.field("updated_at", setting.updatedAt)
        }
        return tagged(.json(json.bytes), tag(setting))
    }

    static func deleted(_ key: ClientSettingKey) -> Reply {
        var json = JSONWriter()
        json.object { json in
            json.field("setting_key", key.description)
            json.field("deleted", true)
        }
        return .json(json.bytes)
    }

    private static func write(_ setting: ClientSetting, into json: inout JSONWriter) {
        json.field("setting_key", setting.key.description)
        json.raw("setting_value", setting.value)
        json.field("updated_at", setting.updatedAt)
    }

    // MARK: Entity tags

    /// Every state of a setting has a version of its own, so that its tag is a strong one.
    static func tag(_ setting: ClientSetting) -> EntityTag? { EntityTag(opaque: setting.version.description) }

    /// Of the list: of all versions in it, in its order.
    static func tag(_ settings: [ClientSetting]) -> EntityTag? {
        var hash = SHA256Stream()
        for setting in settings { hash.update(setting.version.bytes) }
        return EntityTag(opaque: Hex.encode(hash.finish().prefix(16)))
    }

    static func tagged(_ reply: Reply, _ tag: EntityTag?) -> Reply {
        var reply = reply
        if let tag { reply.headers.add("ETag", tag.description) }
        // Somebody's own; and another device may change it at any time.
        reply.headers.add("Cache-Control", "private, no-cache")
        return reply
    }

    // MARK: Schemas

    static let schema = Schema.named(
        "ClientSetting",
        .object([
            .required("setting_key", .text), .required("setting_value", .any), .required("updated_at", .dateTime),
        ]))

    static let listSchema = Schema.array(schema, limit: 100_000)

    static let updateSchema = Schema.object([
        .required("updated_count", .count, "Settings that have the wanted value now"),
        .required(
            "errors",
            .map(
                .object([
                    .required("code", .text), .required("detail", .text), .required("info", .map(.any, limit: 64)),
                ]), limit: ClientSettingOptions.bulkMax), "By setting key: why it was not set"),
    ])

    static let imageSchema = Schema.named(
        "ClientSettingImage",
        .object([
            .required("setting_key", .text), .required("type", .choice(["image"])),
            .required("path", .text, "Where it is read"), .required("content_type", .text),
            .required("size", .count), .required("sha256", .text), .required("width", .count),
            .required("height", .count),
            .required(
                "virus_scan_status", .choice(["clean", "skipped", "pending", "infected"]),
                "skipped: no scanner is configured; pending: it is away"),
            .required("updated_at", .dateTime),
        ]))

    static let deletedSchema = Schema.object([.required("setting_key", .text), .required("deleted", .boolean)])
}

/// The frame that tells the user's sockets.
enum ClientSettingsFrame {
    /// Values are carried as long as they take no more than this together: a frame waits in the queue of each of the
    /// user's sockets. What is left out is read over HTTP.
    static let valueBytesMax = 16 << 10

    static func write(_ change: ClientSettingsChange, into json: inout JSONWriter) {
        var room = valueBytesMax
        json.array("settings") { json in
            for setting in change.stored {
                json.object { json in
                    json.field("setting_key", setting.key.description)
                    if setting.value.count <= room {
                        room -= setting.value.count
                        json.raw("setting_value", setting.value)
                    }
                    json.field("updated_at", setting.updatedAt)
                    json.field("etag", ManualSettingsPresenter.tag(setting)?.description)
                }
            }
        }
        json.field("deleted", change.deleted.map(\.description))
    }
}
