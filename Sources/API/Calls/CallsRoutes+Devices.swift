// Beside calls.md: the devices that messages are sealed for. Rows of ours (docs/chat/keys.md).

import Accounts
import Base
import Chat
import Wire

extension CallsRoutes {
    static var devices: [Route] {
        [
            .get(
                "/api/v1/chat/devices", .user, "One's own devices",
                answer: .object([
                    .required(
                        "data", .array(CallsDevicePresenter.ownDeviceSchema, limit: CallsDevicePresenter.shownDevices)),
                    .required("count", .count), .required("version", .count, "How many changes there were"),
                ])
            ) { call in
                let principal = try call.principal
                let own = try await call.chat.devices(of: [principal.user], for: principal).first
                return CallsPresenter.reply { json in
                    write(own?.devices ?? [], into: &json) { CallsDevicePresenter.ownDevice($0, into: &$1) }
                    json.field("version", own?.version ?? 0)
                }
            },
            .put(
                "/api/v1/chat/devices/{device_id}", .user, "Register a device, or what is new of it",
                body: .json(
                    .object([
                        .required("name", .text), .required("identity_key", .text), .required("algorithm", .text),
                        .optional(
                            "signed_key", .nullable(CallsDevicePresenter.signedKeySchema),
                            "Where it is not given, the one that is there stays, as long as the identity key does"),
                        .optional(
                            "one_time_keys",
                            .array(CallsDevicePresenter.oneTimeKeySchema, limit: registeredKeys),
                            "Added to those that are there"),
                    ])), answer: CallsDevicePresenter.ownDeviceSchema
            ) { call in
                guard let id = ClientDeviceID(call.parameter("device_id")) else {
                    throw FieldFault("device_id", .format, "must be a UUID")
                }
                let device = try await call.chat.register(id, try registration(call), by: try call.principal)
                return CallsPresenter.reply { CallsDevicePresenter.ownDevice(device, into: &$0) }
            },
            .delete("/api/v1/chat/devices/{device_id}", .user, "Remove a device with its keys") { call in
                guard let id = ClientDeviceID(call.parameter("device_id")) else { throw ChatError.notFound(.device) }
                try await call.chat.removeDevice(id, by: try call.principal)
                return .empty
            },
        ]
    }

    static var sealing: [Route] {
        [
            .post(
                "/api/v1/chat/devices/query", .user, "Devices of people with whom one shares a conversation",
                body: .json(.object([.required("user_ids", ChatFields.members, "At most 500")])),
                answer: .object([
                    .required("data", .array(CallsDevicePresenter.listSchema, limit: ChatService.deviceListLimit)),
                    .required("count", .count),
                ])
            ) { call in
                let lists = try await call.chat.devices(
                    of: try call.people(named: "user_ids"), for: try call.principal)
                return CallsPresenter.reply { json in
                    write(lists, into: &json) { CallsDevicePresenter.list($0, into: &$1) }
                }
            },
            .get(
                "/api/v1/chat/users/{user_id}/devices/changes", .user,
                "What has changed of somebody's devices, in order",
                query: [Parameter("after", .count, "The version up to which it is known; 0 where it is not given")],
                answer: .object([
                    .required("data", .array(CallsDevicePresenter.changeSchema, limit: ChatService.deviceListLimit)),
                    .required("count", .count),
                ])
            ) { call in
                let changes = try await call.chat.deviceChanges(
                    of: try somebody(call), after: Int64(call.queryInteger("after", default: 0)),
                    for: try call.principal)
                return CallsPresenter.reply { json in
                    write(changes, into: &json) { CallsDevicePresenter.change($0, into: &$1) }
                }
            },
            .post(
                "/api/v1/chat/users/{user_id}/keys/claim", .user, "A one-time key of each of somebody's devices",
                answer: .object([
                    .required(
                        "data", .array(CallsDevicePresenter.claimedSchema, limit: CallsDevicePresenter.shownDevices)),
                    .required("count", .count),
                ])
            ) { call in
                let claimed = try await call.chat.claimKeys(of: try somebody(call), for: try call.principal)
                return CallsPresenter.reply { json in
                    write(claimed, into: &json) { CallsDevicePresenter.claimed($0, into: &$1) }
                }
            },
            .post(
                "/api/v1/chat/messages/{message_id}/failures", .standing(.member),
                "A device of the caller's could not open a message", status: .noContent, limit: .messages,
                body: .json(.object([.required("device_id", .uuid)])), answer: nil
            ) { call in
                let message = try call.messageID("message_id")
                guard let device: ClientDeviceID = try call.reference(call.body["device_id"], or: .device) else {
                    throw FieldFault("device_id", .required, "is required")
                }
                try await call.chat.reportFailure(of: message, device: device, by: try call.principal)
                return .empty
            },
        ]
    }

    /// More than any configuration allows of one device at a time; the domain's bound is what a client hears of.
    private static let registeredKeys = 10_000

    private static func somebody(_ call: Call) throws(ChatError) -> UserID {
        guard let user = UserID(call.parameter("user_id")) else { throw .notFound(.user) }
        return user
    }

    private static func registration(_ call: Call) throws -> DeviceRegistration {
        let signed = call.body["signed_key"]?.objectValue.map { object in
            SignedKey(
                id: object["id"]?.stringValue ?? "", key: object["key"]?.stringValue ?? "",
                signature: object["signature"]?.stringValue ?? "")
        }
        let keys = (call.body["one_time_keys"]?.arrayValue ?? []).map { value in
            OneTimeKey(id: value["id"]?.stringValue ?? "", key: value["key"]?.stringValue ?? "")
        }
        return DeviceRegistration(
            name: try call.text("name"), identityKey: try call.text("identity_key"),
            algorithm: try call.text("algorithm"), signedKey: signed, oneTimeKeys: keys)
    }

    private static func write<Value>(
        _ values: [Value], into json: inout JSONWriter, _ one: (Value, inout JSONWriter) -> Void
    ) {
        json.array("data") { json in
            for value in values { json.object { one(value, &$0) } }
        }
        json.field("count", values.count)
    }
}
