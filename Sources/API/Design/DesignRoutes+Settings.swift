// design.md, "System settings": the configuration of the running server, as far as administrators may see and change it.

import Accounts
import Base
import Configuration
import Wire

extension DesignRoutes {
    static var settings: [Route] {
        [
            .get(
                "/v1/admin/settings", .admin, "The settings in effect, and which of them can be changed",
                answer: DesignPresenter.envelope(settingsSchema)
            ) { call in
                let all = await (try settings(of: call)).all
                return DesignPresenter.reply(call) { json in present(all, into: &json) }
            },
            .put(
                "/v1/admin/settings", .admin, "Change settings; null gives one back to its default",
                body: .json(
                    .object([.required("settings", .map(settingValueSchema, limit: LiveSettings.changesMax))])),
                answer: DesignPresenter.envelope(settingsSchema)
            ) { call in
                let (live, accounts) = (try settings(of: call), call.accounts)
                let actor = Actor.principal(try call.principal)
                let origin = call.origin
                let wanted = try (call.body["settings"]?.objectValue ?? JSONObject()).pairs.map(change)
                do {
                    let changed = try await live.change(wanted) { changes in
                        try await accounts.keepSystemSettings(changes, by: actor, origin: origin)
                    }
                    return DesignPresenter.reply(call) { json in present(changed, into: &json) }
                } catch let fault as SettingFault {
                    throw RequestFault.validation(FieldFault("settings.\(fault.key)", .value, fault.reason))
                }
            },
        ]
    }

    private static func settings(of call: Call) throws(RequestFault) -> LiveSettings {
        guard let settings = call.services.settings else {
            throw .unavailable(
                reason: "This program runs with what it was given; it has no settings", retryAfter: 3_600)
        }
        return settings
    }

    /// As the configuration writes it: `true`, `30s`, items with commas between them.
    private static func change(_ name: String, _ value: JSONValue) throws(RequestFault) -> (key: String, value: String?)
    {
        func text(_ value: JSONValue) -> String? {
            switch value {
            case .string(let text): text
            case .bool(let flag): flag ? "true" : "false"
            case .integer(let number): "\(number)"
            case .number(let number): "\(number)"
            default: nil
            }
        }
        if value.isNull { return (name, nil) }
        let items = value.arrayValue?.compactMap(text)
        if let items, items.count == value.arrayValue?.count { return (name, items.joined(separator: ",")) }
        guard let plain = text(value) else {
            throw .validation(
                FieldFault("settings.\(name.prefix(100))", .format, "must be text, a number, a flag, a list or null"))
        }
        return (name, plain)
    }

    // MARK: Presenting

    private static func present(_ settings: [LiveSetting], into json: inout JSONWriter) {
        json.array("settings") { json in
            for setting in settings { json.object { json in present(setting, into: &json) } }
        }
    }

    private static func present(_ setting: LiveSetting, into json: inout JSONWriter) {
        json.field("key", setting.key)
        json.field("value", JSONValue(setting.value))
        json.field("default", JSONValue(setting.standard))
        json.field("pending", setting.pending.map { JSONValue($0) })
        json.field("source", source(setting.origin))
        json.field("type", setting.type)
        json.field("allowed", setting.allowed)
        json.field("description", setting.documentation)
        json.field("takes_effect", setting.adjustment.rawValue)
        json.field("is_changeable", setting.hindrance == nil)
        json.field("hindrance", setting.hindrance)
    }

    private static let sources = ["default", "administrator", "file", "environment", "command_line"]

    private static func source(_ origin: Origin) -> String {
        switch origin {
        case .standard: "default"
        case .stored: "administrator"
        case .file, .secretFile: "file"
        case .environment: "environment"
        case .option: "command_line"
        }
    }

    /// Text, a list of texts, or null where it is unset.
    private static let settingValueSchema = Schema.any

    private static let settingsSchema = Schema.object([
        .required(
            "settings",
            .array(
                .named(
                    "DesignSystemSetting",
                    .object([
                        .required("key", .text), .required("value", settingValueSchema),
                        .required("default", settingValueSchema),
                        .required("pending", settingValueSchema, "What the next start takes, where it differs"),
                        .required("source", .choice(sources)), .required("type", .text),
                        .required("allowed", .nullable(.text)), .required("description", .text),
                        .required("takes_effect", .choice(Adjustment.allCases.map(\.rawValue))),
                        .required("is_changeable", .boolean), .required("hindrance", .nullable(.text)),
                    ])), limit: 1_024))
    ])
}

extension JSONValue {
    fileprivate init(_ shown: ShownValue) {
        switch shown {
        case .none: self = .null
        case .scalar(let text): self = .string(text)
        case .list(let items): self = .array(items.map(JSONValue.string))
        }
    }
}
