// manual.md, "Client Settings APIs". docs/protocol/client-settings.md is normative for what the document leaves open.

import Accounts
import Base
import Net
import Store
import Wire

extension ManualRoutes {
    static var clientSettings: [Route] {
        [
            .get(
                "/client-settings", .scope(.profile), "All of the caller's settings",
                answer: ManualSettingsPresenter.listSchema
            ) { call in
                let all = try await settings(of: call).all(of: try call.principal.user)
                return try unlessKnown(call, ManualSettingsPresenter.tag(all)) { ManualSettingsPresenter.reply(all) }
            },
            .get(
                "/client-settings/{setting_key}", .scope(.profile), "One setting",
                answer: ManualSettingsPresenter.schema
            ) { call in
                let setting = try await settings(of: call).setting(try existing(call), of: try call.principal.user)
                return try unlessKnown(call, ManualSettingsPresenter.tag(setting)) {
                    ManualSettingsPresenter.reply(setting)
                }
            },
            .put(
                "/client-settings/{setting_key}", .scope(.profile), "Set a setting",
                body: .json(
                    .object([
                        .optional("setting_key", .text, "As in the path, where it is given"),
                        .required("setting_value", .any, "Any JSON but null; known keys have a form of their own"),
                    ])), answer: ManualSettingsPresenter.schema
            ) { call in
                let key = try ClientSettingKey(call.parameter("setting_key"))
                if let named = call.optionalText("setting_key"), named != key.description {
                    throw ClientSettingError.invalid("setting_key", "must be the key of the path")
                }
                return ManualSettingsPresenter.reply(
                    try await settings(of: call).set(
                        key, to: call.body["setting_value"] ?? .null, if: condition(call), by: try call.principal,
                        origin: call.origin))
            },
            .delete(
                "/client-settings/{setting_key}", .scope(.profile), "Remove a setting", status: .ok,
                answer: ManualSettingsPresenter.deletedSchema
            ) { call in
                let key = try existing(call)
                try await settings(of: call).delete(
                    key, if: condition(call), by: try call.principal, origin: call.origin)
                return ManualSettingsPresenter.deleted(key)
            },
            .post(
                "/client-settings/bulk-update", .scope(.profile), "Set several settings",
                body: .json(
                    .object([.required("settings", .map(.any, limit: ClientSettingOptions.bulkMax), "Values by key")])),
                answer: ManualSettingsPresenter.updateSchema
            ) { call in
                let wanted = (call.body["settings"]?.objectValue ?? JSONObject()).pairs
                let update = try await settings(of: call).update(
                    wanted.map { (key: $0.key, value: $0.value) }, by: try call.principal, origin: call.origin)
                return ManualSettingsPresenter.reply(update, ManualFormat())
            },
        ]
    }

    static var clientImages: [Route] {
        [
            .post(
                "/client-settings/images/{setting_key}", .scope(.profile), "Set a setting to an image",
                status: .created, limit: .upload, body: .stream(contentType: "multipart/form-data"),
                answer: ManualSettingsPresenter.imageSchema
            ) { call in
                let (settings, principal) = (try settings(of: call), try call.principal)
                let key = try ClientSettingKey(call.parameter("setting_key"))
                let bytes = try await file(call, upTo: settings.options.imageBytesMax)
                let setting = try await settings.setImage(
                    key, to: bytes, if: condition(call), by: principal, origin: call.origin)
                return ManualSettingsPresenter.imageReply(setting)
            },
            .download(
                "/client-settings/images/{setting_key}", .scope(.profile), "The image that a setting is"
            ) { call in
                let settings = try settings(of: call)
                let (setting, image) = try await settings.image(try existing(call), of: try call.principal.user)
                return try await Download(image, setting, from: settings).reply(to: call)
            },
        ]
    }

    /// The form's one file, whole: it is small, and is looked at as a whole.
    private static func file(_ call: Call, upTo limit: Int) async throws -> Bytes {
        let form = try FileForm(call.request)
        try await form.findFile()
        guard form.fileSizes.lowerBound <= Int64(limit) else { throw ClientSettingError.imageTooLarge(limit: limit) }
        var bytes = Bytes()
        while let piece = try await form.nextBytes() {
            guard piece.count <= limit - bytes.count else { throw ClientSettingError.imageTooLarge(limit: limit) }
            bytes += piece
        }
        try await form.finish()
        guard !bytes.isEmpty else { throw FieldFault(FileForm.fileField, .required, "is empty") }
        return bytes
    }

    private static func settings(of call: Call) throws(RequestFault) -> ClientSettings {
        guard let settings = call.services.clientSettings else {
            throw .unavailable(reason: "This program keeps no client settings", retryAfter: 3_600)
        }
        return settings
    }

    /// A key that cannot be names nothing that is there.
    private static func existing(_ call: Call) throws(ClientSettingError) -> ClientSettingKey {
        do throws(ClientSettingError) {
            return try ClientSettingKey(call.parameter("setting_key"))
        } catch {
            throw .notFound
        }
    }

    // MARK: Conditions

    /// `If-Match` and `If-None-Match`, evaluated in the transaction that makes the change.
    private static func condition(_ call: Call) -> ClientSettings.Condition {
        let head = call.request.head
        return { setting in
            let current = setting.map { Validators(entityTag: ManualSettingsPresenter.tag($0)) }
            return Preconditions.evaluate(head.method, head.headers, current: current) == .proceed
        }
    }

    /// 304 for a client that has it already.
    private static func unlessKnown(
        _ call: Call, _ tag: EntityTag?, _ reply: () -> Reply
    ) throws(ClientSettingError) -> Reply {
        let head = call.request.head
        switch Preconditions.evaluate(head.method, head.headers, current: Validators(entityTag: tag)) {
        case .proceed: return reply()
        case .failed: throw .preconditionFailed
        case .notModified: return ManualSettingsPresenter.tagged(Reply(status: .notModified), tag)
        }
    }
}

extension Download {
    /// Found under its key, which is a good name for it too.
    fileprivate init(_ image: ClientImage, _ setting: ClientSetting, from settings: ClientSettings) {
        self.init(
            name: setting.key.description, type: image.type, length: image.size, isInline: true,
            validators: Validators(
                entityTag: EntityTag(opaque: image.blob.description), lastModified: setting.updatedAt)
        ) { range in try await settings.content(of: image, range) }
    }
}
