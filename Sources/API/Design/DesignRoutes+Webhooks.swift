// Webhooks, out and in. Ours (docs/protocol/webhooks.md).

import Accounts
import Base
import Chat
import Wire

extension DesignRoutes {
    static var webhooks: [Route] { outgoingWebhooks + changesOfWebhooks + incomingWebhooks }

    private static var outgoingWebhooks: [Route] {
        [
            .post(
                "/v1/channels/{id}/webhooks", .standing(.admin), "Send what happens in a channel to an address",
                status: .created,
                body: .json(
                    .object([
                        .required("url", .text(1...4_096)),
                        .optional("events", eventsSchema, "Which; all where there are none"),
                        .optional("description", .text(0...1_000)),
                    ])), answer: DesignPresenter.envelope(newWebhookSchema)
            ) { call in
                let made = try await call.webhooks.create(
                    in: try call.conversationID(), url: try call.text("url"), events: events(call) ?? .all,
                    summary: call.optionalText("description") ?? "", by: try call.principal, origin: call.origin)
                return DesignPresenter.reply(call) { json in
                    write(made.webhook, into: &json)
                    json.field("secret", made.secret.exposedText)
                }
            },
            .get(
                "/v1/channels/{id}/webhooks", .standing(.admin), "Where a channel's events are sent",
                answer: DesignPresenter.envelope(.array(webhookSchema, limit: 1_000))
            ) { call in
                let found = try await call.webhooks.webhooks(of: try call.conversationID(), for: try call.principal)
                return DesignPresenter.reply(call, of: found, write)
            },
            .get(
                "/v1/webhooks/{id}", .standing(.admin), "A webhook, and how its delivery goes",
                answer: webhookEnvelope
            ) { call in
                reply(try await call.webhooks.webhook(try webhookID(call), for: try call.principal), call)
            },
        ]
    }

    private static var changesOfWebhooks: [Route] {
        [
            .put(
                "/v1/webhooks/{id}", .standing(.admin), "Change a webhook, turn it off or on again",
                body: .json(
                    .object([
                        .optional("url", .text(1...4_096)), .optional("events", eventsSchema),
                        .optional("description", .text(0...1_000)), .optional("is_active", .boolean),
                    ])), answer: webhookEnvelope
            ) { call in
                let changes = WebhookChanges(
                    url: call.optionalText("url"), events: events(call), summary: call.optionalText("description"),
                    isActive: call.body["is_active"]?.boolValue)
                return reply(
                    try await call.webhooks.update(
                        try webhookID(call), changes, by: try call.principal, origin: call.origin), call)
            },
            .delete("/v1/webhooks/{id}", .standing(.admin), "End a webhook") { call in
                try await call.webhooks.delete(try webhookID(call), by: try call.principal, origin: call.origin)
                return .empty
            },
            .post(
                "/v1/webhooks/{id}/replay", .standing(.admin), "Send again what stands behind an offset of the log",
                body: .json(.object([.required("offset", .count)])), answer: webhookEnvelope
            ) { call in
                reply(
                    try await call.webhooks.replay(
                        try webhookID(call), from: call.body["offset"]?.integerValue ?? 0, by: try call.principal,
                        origin: call.origin), call)
            },
        ]
    }

    private static var incomingWebhooks: [Route] {
        [
            .post(
                "/v1/channels/{id}/incoming-webhooks", .standing(.admin), "An address that messages can be posted to",
                status: .created, body: .json(.object([.required("name", .text(1...200))])),
                answer: DesignPresenter.envelope(newIncomingSchema)
            ) { call in
                let access = try call.webhookAccess
                let made = try await access.service.createIncoming(
                    in: try call.conversationID(), name: try call.text("name"), by: try call.principal,
                    origin: call.origin)
                return DesignPresenter.reply(call) { json in
                    write(made.webhook, into: &json)
                    json.field("url", "\(access.publicURL)/v1/hooks/\(made.token.exposedText)")
                }
            },
            .get(
                "/v1/channels/{id}/incoming-webhooks", .standing(.admin), "Addresses that messages can be posted to",
                answer: DesignPresenter.envelope(.array(incomingSchema, limit: 1_000))
            ) { call in
                let found = try await call.webhooks.incoming(of: try call.conversationID(), for: try call.principal)
                return DesignPresenter.reply(call, of: found, write)
            },
            .delete("/v1/incoming-webhooks/{id}", .standing(.admin), "Revoke such an address") { call in
                guard let id = IncomingWebhookID(call.parameter("id")) else { throw ChatError.notFound(.webhook) }
                try await call.webhooks.revokeIncoming(id, by: try call.principal, origin: call.origin)
                return .empty
            },
            .post(
                "/v1/hooks/{token}", .everyone, "Post a message with nothing but the address", status: .created,
                limit: .messages,
                body: .json(
                    .object([.required("content", ChatFields.content), .optional("client_id", ChatFields.clientID)])),
                answer: DesignPresenter.envelope(.object([.required("id", .uuid), .required("channel_id", .uuid)]))
            ) { call in
                let sent = try await call.webhooks.post(
                    try call.text("content"), clientID: call.optionalText("client_id"),
                    token: call.parameter("token"))
                return DesignPresenter.reply(call) { json in
                    json.field("id", sent.message.id)
                    json.field("channel_id", sent.message.conversation)
                }
            },
        ]
    }

    // MARK: Reading

    private static func webhookID(_ call: Call) throws(ChatError) -> WebhookID {
        guard let id = WebhookID(call.parameter("id")) else { throw .notFound(.webhook) }
        return id
    }

    /// `nil` where the client names none. The schema has been checked, so that each is one.
    private static func events(_ call: Call) -> WebhookEvents? {
        call.body["events"]?.arrayValue.map { names in
            names.reduce(into: WebhookEvents()) { events, name in
                events.formUnion(name.stringValue.flatMap { WebhookEvents(name: $0) } ?? [])
            }
        }
    }

    // MARK: Presenting

    private static func reply(_ webhook: Webhook, _ call: Call) -> Reply {
        DesignPresenter.reply(call) { write(webhook, into: &$0) }
    }

    private static func write(_ webhook: Webhook, into json: inout JSONWriter) {
        json.field("id", webhook.id)
        json.field("channel_id", webhook.conversation)
        json.field("url", webhook.url)
        json.field("events", webhook.events.names)
        json.field("description", webhook.summary)
        json.field("created_by", webhook.createdBy)
        json.field("created_at", webhook.createdAt)
        json.field("is_active", webhook.isActive)
        json.object("state") { json in
            json.field("epoch", webhook.position.epoch)
            json.field("offset", webhook.position.offset)
            json.field("pending_events", webhook.pending)
            json.field("attempts", webhook.progress.attempts)
            json.field("failing_since", webhook.progress.failingSince)
            json.field("next_attempt_at", webhook.progress.nextAttemptAt)
            json.field("last_delivery_at", webhook.progress.lastDeliveryAt)
            json.field("last_failure", webhook.progress.lastFailure)
        }
    }

    private static func write(_ webhook: IncomingWebhook, into json: inout JSONWriter) {
        json.field("id", webhook.id)
        json.field("channel_id", webhook.conversation)
        json.field("name", webhook.name)
        json.field("user_id", webhook.bot)
        json.field("created_by", webhook.createdBy)
        json.field("created_at", webhook.createdAt)
    }

    // MARK: Schemas

    private static let eventsSchema = Schema.array(
        .choice(WebhookEvents.allNames), limit: 4 * WebhookEvents.allNames.count)

    private static let webhookProperties: [Property] = [
        .required("id", .uuid), .required("channel_id", .uuid), .required("url", .text),
        .required("events", eventsSchema), .required("description", .text), .required("created_by", .uuid),
        .required("created_at", .dateTime),
        .required("is_active", .boolean, "false: turned off, or given up after a day without success"),
        .required(
            "state",
            .object([
                .required("epoch", .count), .required("offset", .count, "Taken up to here"),
                .required("pending_events", .count), .required("attempts", .count, "Since the last success"),
                .required("failing_since", .nullable(.dateTime)), .required("next_attempt_at", .nullable(.dateTime)),
                .required("last_delivery_at", .nullable(.dateTime)), .required("last_failure", .nullable(.text)),
            ])),
    ]
    private static let webhookSchema = Schema.named("DesignWebhook", .object(webhookProperties))
    private static let webhookEnvelope = DesignPresenter.envelope(webhookSchema)
    private static let newWebhookSchema = Schema.object(
        webhookProperties + [.required("secret", .text, "What signs deliveries; shown this once")])

    private static let incomingProperties: [Property] = [
        .required("id", .uuid), .required("channel_id", .uuid), .required("name", .text),
        .required("user_id", .uuid, "Who its messages are from"), .required("created_by", .uuid),
        .required("created_at", .dateTime),
    ]
    private static let incomingSchema = Schema.named("DesignIncomingWebhook", .object(incomingProperties))
    private static let newIncomingSchema = Schema.object(
        incomingProperties + [.required("url", .text, "Whoever has it can write; shown this once")])
}
