// Sends what is due. A webhook is a reader of its conversation's log whose place is in the database: an event is behind
// that place only when its receiver has taken it, so whatever dies in between, the event comes again and none is left out.
//
//     look for what is due -> take the lease -> read the log -> one event after another: POST, then the place -> look again
//
// The lease keeps two nodes from sending the same at once. A node that died holds it until it runs out.

import Accounts
import Base
import Crypto
import Store
import Synchronization
import Vault
import Wire

extension WebhookService {
    /// Found in one look; the rest in the next.
    private static var dueMax: Int { 64 }
    /// Between two looks: events that come together are sent by one run.
    private static var pause: Duration { .milliseconds(50) }

    /// Delivers until `stop`. `look` is to be called every few seconds as well: for retries, and for what other nodes
    /// wrote.
    package func start() {
        runner.withLock { runner in
            precondition(runner == nil, "webhooks are delivered by one task")
            runner = Task { await run() }
        }
        look()
    }

    package func look() { bell.ring() }

    /// What is under way is broken off, and is as if it had not been begun: it comes again after the next start.
    /// Nothing is under way when this returns.
    package func stop() async {
        bell.end()
        let runner = runner.withLock { $0 }
        runner?.cancel()
        await runner?.value
    }

    private func run() async {
        for await _ in bell.stream {
            if Task.isCancelled { return }
            do throws(ChatError) {
                bell.watch(try await chat.reader.conversationIDs(WebhookTable.hooked))
                try await deliverDue()
            } catch {
                Self.log.warning("webhooks wait: what is due could not be read", [.error(error)])
            }
            try? await Task.sleep(for: .nanoseconds(Self.pause.nanoseconds))
        }
    }

    /// Sends until nothing is due.
    package func deliverDue() async throws(ChatError) {
        while !Task.isCancelled {
            let ids = try await chat.reader.all(WebhookTable.due(at: clock.now(), limit: Self.dueMax)) {
                (row) throws(StoreError) in try row.identifier(0, WebhookKind.self)
            }
            if ids.isEmpty { return }
            let failure = await deliver(ids)
            if let failure { throw failure }
        }
    }

    /// At most so many at once. Returns the first failure of the database.
    private func deliver(_ ids: [WebhookID]) async -> ChatError? {
        await withTaskGroup(of: ChatError?.self) { group in
            var failure: ChatError?
            for (index, id) in ids.enumerated() {
                if index >= options.deliveriesAtOnce, let ended = await group.next() { failure = failure ?? ended }
                group.addTask { [self] in
                    do throws(ChatError) {
                        try await deliver(id)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            for await ended in group { failure = failure ?? ended }
            return failure
        }
    }

    // MARK: One webhook

    /// The lease is given back.
    private static var atOnce: Timestamp { Timestamp(microsecondsSinceEpoch: 0) }

    private func deliver(_ id: WebhookID) async throws(ChatError) {
        let (lease, now) = (UUID.random(), clock.now())
        let end = now + options.lease
        let taken = try await chat.database.transaction { (transaction) async throws(ChatError) -> Bool in
            try await transaction.change(WebhookTable.take(id, lease, until: end, at: now)) == 1
        }
        guard taken, let found = try await chat.reader.first(WebhookTable.byID(id), WebhookTable.keyed(from:)) else {
            return
        }
        var (webhook, sealed) = found
        let start = webhook.position
        guard let page = try await chat.log(of: webhook.conversation, after: webhook.position, options.eventsPerPage)
        else { return }
        let key: Secret
        do throws(VaultError) {
            key = try self.key(of: id, sealed)
        } catch {
            Self.log.error("what signs a webhook cannot be opened", [.text("webhook", "\(id)"), .error(error)])
            _ = try await finish(&webhook, .secretUnreadable, at: webhook.position, lease)
            return
        }
        if !page.isRecovered {
            let gap = encoder.gap(in: webhook.conversation, upTo: page.position)
            let outcome = await post(gap, page.position, of: webhook, key)
            guard try await finish(&webhook, outcome, at: page.position, lease) else { return }
        }
        for event in page.events {
            guard let position = event.position, WebhookEvents(of: event.change).map(webhook.events.contains) == true,
                let body = await encoder.body(of: event)
            else { continue }
            let outcome = await post(body, position, of: webhook, key)
            guard try await finish(&webhook, outcome, at: position, lease) else { return }
        }
        // What is not wanted, or is not there any more, is behind it as well; and the lease is given back.
        // A log that has less than it says would be looked at without end: not before the lease is over.
        let hasMoved = page.position != start
        webhook.position = page.position
        try await write(webhook, lease, until: hasMoved ? Self.atOnce : end)
    }

    private func post(
        _ body: Bytes, _ position: LogPosition, of webhook: Webhook, _ key: Secret
    ) async -> WebhookOutcome {
        let id = WebhookSignature.id(webhook.conversation, position)
        let request = OutgoingRequest(
            method: "POST", url: webhook.url,
            headers: [("Content-Type", "application/json"), ("User-Agent", "PlexiChat-Webhook/1")]
                + WebhookSignature.headers(id: id, at: clock.now(), body, key: key),
            body: .bytes(body), timeout: options.timeout, responseLimit: options.answerBytes)
        do throws(TransportError) {
            return WebhookOutcome(try await transport.send(request))
        } catch {
            return .failed(error)
        }
    }

    /// Writes what became of a try. False when it is not to be gone on with: it failed, or it is not ours any more.
    private func finish(
        _ webhook: inout Webhook, _ outcome: WebhookOutcome, at position: LogPosition, _ lease: UUID
    ) async throws(ChatError) -> Bool {
        let now = clock.now()
        if outcome.isSuccess {
            webhook.position = position
            webhook.progress.succeeded(at: now)
            return try await write(webhook, lease, until: now + options.lease)
        }
        // We are stopping; the receiver is not to blame.
        guard outcome != .failed(.cancelled) else {
            try await write(webhook, lease, until: Self.atOnce)
            return false
        }
        webhook.isActive = webhook.progress.failed(outcome, at: now)
        let isOurs = try await write(webhook, lease, until: Self.atOnce)
        if isOurs, !webhook.isActive { await tellOfEnd(webhook, outcome, at: now) }
        return false
    }

    @discardableResult
    private func write(_ webhook: Webhook, _ lease: UUID, until end: Timestamp) async throws(ChatError) -> Bool {
        try await chat.database.transaction { (transaction) async throws(ChatError) -> Bool in
            try await transaction.change(WebhookTable.advance(webhook, lease, until: end)) == 1
        }
    }

    /// It was tried long enough.
    private func tellOfEnd(_ webhook: Webhook, _ outcome: WebhookOutcome, at now: Timestamp) async {
        let event = AuditEvent(
            time: now, actor: nil, action: "webhook.disabled", severity: .warning, outcome: .failure,
            target: webhook.id.description, origin: .console,
            details: JSONObject([
                ("channel_id", .string(webhook.conversation.description)), ("reason", .string(outcome.word)),
            ]))
        do { try await chat.accounts.audit.append(event) } catch {
            Self.log.warning("that a webhook was disabled could not be noted", [.error(error)])
        }
        let end = WebhookEnd(webhook: webhook.id, conversation: webhook.conversation, reason: outcome.word)
        chat.events.notify(ChatNotice(.webhookDisabled(end)), [webhook.createdBy])
    }
}

/// A webhook that was given up, for who made it.
package struct WebhookEnd: Sendable, Equatable {
    package let webhook: WebhookID
    package let conversation: ConversationID
    /// What the last try came to, in a word.
    package let reason: String

    package init(webhook: WebhookID, conversation: ConversationID, reason: String) {
        self.webhook = webhook
        self.conversation = conversation
        self.reason = reason
    }
}
