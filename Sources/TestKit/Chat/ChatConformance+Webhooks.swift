// Webhooks: what is sent, in which order, how often, and what a failure does.

import Accounts
import Base
import Chat
import Crypto
import Store
import Wire

/// Writes what a check wants to see, and nothing else.
private struct TestEncoder: WebhookEncoder {
    func body(of event: ChatEvent) async -> Bytes? {
        let text: String =
            switch event.change {
            case .messageSent(let message): "said \(message.text)"
            case .messageDeleted: "deleted"
            case .memberJoined: "joined"
            case .memberLeft: "left"
            case .conversationDeleted: "ended"
            default: "other"
            }
        return JSONValue.object(JSONObject([("type", .string(text))])).encoded
    }

    func gap(in conversation: ConversationID, upTo position: LogPosition) -> Bytes {
        JSONValue.object(JSONObject([("type", .string("gap \(position.offset)"))])).encoded
    }
}

/// A room with a webhook, and its receiver.
private struct WebhookStage: Sendable {
    let chat: TestChat
    let receiver = TestReceiver()
    let webhooks: WebhookService
    let alice: Principal
    let room: ConversationID

    static let url = "https://hooks.example.org/in?key=1"

    init(_ chat: TestChat, _ options: WebhookOptions = WebhookOptions()) async throws {
        self.chat = chat
        webhooks = Self.service(chat, receiver, options)
        alice = try await chat.person("alice")
        room = try await chat.room(alice)
    }

    static func service(
        _ chat: TestChat, _ receiver: TestReceiver, _ options: WebhookOptions = WebhookOptions()
    ) -> WebhookService {
        WebhookService(
            chat: chat.service, vault: chat.domain.vault, transport: receiver, encoder: TestEncoder(),
            bell: WebhookBell(before: chat.world), options: options)
    }

    func make(_ events: WebhookEvents = .all, url: String = url) async throws -> NewWebhook {
        try await webhooks.create(
            in: room, url: url, events: events, summary: "", by: alice, origin: ChatConformance.origin)
    }

    func say(_ texts: String...) async throws {
        for text in texts { try await chat.say(text, in: room, by: alice) }
    }

    func state(_ id: WebhookID) async throws -> Webhook { try await webhooks.webhook(id, for: alice) }

    /// The kinds of all that came, taken or not.
    var came: [String] { receiver.deliveries.map { $0.type ?? "?" } }

    func requireCame(_ expected: [String], line: Int = #line) throws { try requireEqual(came, expected, line: line) }

    func answerStatus(_ status: Int, headers: [(name: String, value: String)] = []) {
        receiver.answer { (_) throws(TransportError) in TestReceiver.status(status, headers: headers) }
    }
}

extension ChatConformance {
    static let webhooks: [Check] =
        [
            Check("a webhook gets what happens after it was made, in order, each event once") { chat in
                let stage = try await WebhookStage(chat)
                try await stage.say("before")
                let made = try await stage.make()
                try await stage.say("1", "2", "3")
                try await stage.webhooks.deliverDue()
                try await stage.webhooks.deliverDue()
                try stage.requireCame(["said 1", "said 2", "said 3"])
                let state = try await stage.state(made.webhook.id)
                try requireEqual(state.pending, 0)
                try requireEqual(state.progress.lastDeliveryAt, chat.domain.clock.now)
            },
            Check("each delivery is signed with the secret, over its id, its time and its body") { chat in
                let stage = try await WebhookStage(chat)
                let made = try await stage.make()
                try await stage.say("hello")
                try await stage.webhooks.deliverDue()
                guard let delivery = stage.receiver.deliveries.first, let id = delivery.header("webhook-id"),
                    let time = delivery.header("webhook-timestamp")
                else { throw ConformanceFailure(description: "nothing came") }
                try requireEqual(delivery.url, WebhookStage.url)
                let position = try await stage.state(made.webhook.id).position
                try requireEqual(id, "\(stage.room).\(position.epoch).\(position.offset)")
                try requireEqual(time, "\(chat.domain.clock.now.secondsSinceEpoch)")
                let secret = made.secret.exposedText
                guard secret.hasPrefix("whsec_"), let key = Base64.decode(secret.dropFirst(6)) else {
                    throw ConformanceFailure(description: "a secret of another form")
                }
                let expected = HMAC.sha256(Bytes("\(id).\(time).".utf8) + delivery.body, key: Secret(key))
                try requireEqual(delivery.header("webhook-signature"), "v1,\(Base64.encode(expected))")
            },
            Check("only the wanted events are sent, and the others are passed") { chat in
                let stage = try await WebhookStage(chat)
                guard let deleted = WebhookEvents(name: "message.deleted") else {
                    throw ConformanceFailure(description: "no such event")
                }
                let made = try await stage.make(deleted)
                let message = try await chat.say("1", in: stage.room, by: stage.alice)
                try await stage.say("2")
                try await chat.service.deleteMessage(message.id, by: stage.alice)
                try await stage.say("3")
                try await stage.webhooks.deliverDue()
                try stage.requireCame(["deleted"])
                try requireEqual(try await stage.state(made.webhook.id).pending, 0)
            },
            Check("what is not taken comes again, later each time, and nothing behind it before") { chat in
                let stage = try await WebhookStage(chat)
                let made = try await stage.make()
                try await stage.say("1", "2")
                stage.answerStatus(500)
                var waits: [Int] = []
                for _ in 0..<5 {
                    try await stage.webhooks.deliverDue()
                    try await stage.webhooks.deliverDue()
                    let state = try await stage.state(made.webhook.id)
                    guard let next = state.progress.nextAttemptAt else {
                        throw ConformanceFailure(description: "no next attempt")
                    }
                    try requireEqual(state.progress.lastFailure, "status_500")
                    waits.append(Int((next - chat.domain.clock.now).inSeconds))
                    chat.domain.clock.advance(by: next - chat.domain.clock.now)
                }
                try requireEqual(waits, [5, 10, 20, 40, 80])
                try stage.requireCame(Array(repeating: "said 1", count: 5))
                stage.answerStatus(204)
                try await stage.webhooks.deliverDue()
                try stage.requireCame(Array(repeating: "said 1", count: 6) + ["said 2"])
                let state = try await stage.state(made.webhook.id)
                try require(state.progress.attempts == 0 && state.progress.failingSince == nil, "still failing")
                try requireEqual(Set(stage.receiver.deliveries.prefix(6).map { $0.header("webhook-id") }).count, 1)
            },
            Check("a redirect, a wrong address and an endless answer are failures with a word") { chat in
                let stage = try await WebhookStage(chat)
                let made = try await stage.make()
                try await stage.say("1")
                let answers: [(TestReceiver.Answer, String)] = [
                    ({ (_) throws(TransportError) in TestReceiver.status(302) }, "status_302"),
                    ({ (_) throws(TransportError) in throw .refusedAddress }, "address_refused"),
                    ({ (_) throws(TransportError) in throw .tooLarge(limit: 1) }, "answer_too_large"),
                    ({ (_) throws(TransportError) in throw .timedOut }, "timed_out"),
                    ({ (_) throws(TransportError) in throw .unreachable("10.0.0.7 refused") }, "unreachable"),
                ]
                for (answer, word) in answers {
                    stage.receiver.answer(answer)
                    try await stage.webhooks.deliverDue()
                    let state = try await stage.state(made.webhook.id)
                    try requireEqual(state.progress.lastFailure, word)
                    try require(state.isActive, "given up")
                    chat.domain.clock.advance(by: .hours(1))
                }
            },
            Check("a receiver that asks for time gets it") { chat in
                let stage = try await WebhookStage(chat)
                let made = try await stage.make()
                try await stage.say("1")
                stage.answerStatus(429, headers: [("retry-after", "300")])
                try await stage.webhooks.deliverDue()
                let next = try await stage.state(made.webhook.id).progress.nextAttemptAt
                try requireEqual(next, chat.domain.clock.now + .seconds(300))
            },
            Check("after a day of failures a webhook is given up, and its maker is told") { chat in
                let stage = try await WebhookStage(chat)
                let made = try await stage.make()
                try await stage.say("1")
                stage.answerStatus(503)
                for _ in 0..<60 {
                    try await stage.webhooks.deliverDue()
                    guard try await stage.state(made.webhook.id).isActive else { break }
                    chat.domain.clock.advance(by: .hours(1))
                }
                let state = try await stage.state(made.webhook.id)
                try require(!state.isActive, "still tried after more than a day")
                try requireEqual(stage.came.count, 25)
                let end = WebhookEnd(webhook: made.webhook.id, conversation: stage.room, reason: "status_503")
                try requireEqual(
                    chat.world.notices(stage.alice.user).count { $0 == .webhookDisabled(end) }, 1)
                await chat.domain.service.settle()
                try requireEqual(
                    try await chat.domain.service.audit.page(AuditFilter(type: "webhook.disabled")).total, 1)
                // Turned on again, it goes on where it stopped.
                stage.answerStatus(200)
                try await stage.say("2")
                _ = try await stage.webhooks.update(
                    made.webhook.id, WebhookChanges(isActive: true), by: stage.alice, origin: origin)
                try await stage.webhooks.deliverDue()
                try requireEqual(stage.came.suffix(2), ["said 1", "said 2"])
            },
            Check("a receiver that is gone ends its webhook at once") { chat in
                let stage = try await WebhookStage(chat)
                let made = try await stage.make()
                try await stage.say("1", "2")
                stage.answerStatus(410)
                try await stage.webhooks.deliverDue()
                try require(try await !stage.state(made.webhook.id).isActive, "still active")
                try stage.requireCame(["said 1"])
            },
        ] + webhookPlaces

    private static let webhookPlaces: [Check] = [
        Check("another process goes on where the one before was killed, and not while that one holds it") { chat in
            let stage = try await WebhookStage(chat)
            _ = try await stage.make()
            try await stage.say("1", "2", "3")
            let other = WebhookStage.service(chat.restarted(), stage.receiver)
            // The first one waits for an answer for ever, as one that is killed does.
            let (gate, end) = AsyncStream.makeStream(of: Void.self)
            stage.receiver.answer { (delivery) async throws(TransportError) in
                if delivery.type == "said 2", stage.came.count(where: { $0 == "said 2" }) == 1 {
                    for await _ in gate {}
                }
                return TestReceiver.status(200)
            }
            let first = Task { try await stage.webhooks.deliverDue() }
            while stage.came.count < 2 { try await Task.sleep(for: .milliseconds(2)) }
            try await other.deliverDue()
            try stage.requireCame(["said 1", "said 2"])
            chat.domain.clock.advance(by: .seconds(31))
            try await other.deliverDue()
            try stage.requireCame(["said 1", "said 2", "said 2", "said 3"])
            // It comes back after all, and has nothing to say any more.
            end.finish()
            try await first.value
            try stage.requireCame(["said 1", "said 2", "said 2", "said 3"])
        },
        Check("a process that stops breaks off what it sends, and blames nobody") { chat in
            let stage = try await WebhookStage(chat)
            let made = try await stage.make()
            try await stage.say("1")
            stage.receiver.answer { (_) async throws(TransportError) in
                do { try await Task.sleep(for: .seconds(60)) } catch { throw .cancelled }
                return TestReceiver.status(200)
            }
            stage.webhooks.start()
            while stage.came.isEmpty { try await Task.sleep(for: .milliseconds(2)) }
            await stage.webhooks.stop()
            let state = try await stage.state(made.webhook.id)
            try require(state.progress.attempts == 0 && state.pending == 1, "found \(state)")
            let other = WebhookStage.service(chat.restarted(), stage.receiver)
            stage.answerStatus(200)
            try await other.deliverDue()
            try stage.requireCame(["said 1", "said 1"])
        },
        Check("two processes that look at once send each event once") { chat in
            let stage = try await WebhookStage(chat)
            _ = try await stage.make()
            for number in 0..<30 { try await stage.say("\(number)") }
            let other = WebhookStage.service(chat.restarted(), stage.receiver)
            async let first: Void = stage.webhooks.deliverDue()
            async let second: Void = other.deliverDue()
            _ = try await (first, second)
            try await stage.webhooks.deliverDue()
            try stage.requireCame((0..<30).map { "said \($0)" })
        },
        Check("a replay sends again what stands behind an offset, with the same ids") { chat in
            let stage = try await WebhookStage(chat)
            let made = try await stage.make()
            let start = made.webhook.position.offset
            try await stage.say("1", "2", "3")
            try await stage.webhooks.deliverDue()
            let replayed = try await stage.webhooks.replay(
                made.webhook.id, from: start + 1, by: stage.alice, origin: origin)
            try requireEqual(replayed.pending, 2)
            try await stage.webhooks.deliverDue()
            try stage.requireCame(["said 1", "said 2", "said 3", "said 2", "said 3"])
            let ids = stage.receiver.deliveries.map { $0.header("webhook-id") }
            try requireEqual(ids[3], ids[1])
            for offset in [-1, start + 4] {
                try await requireInvalid(.offset) {
                    try await stage.webhooks.replay(made.webhook.id, from: offset, by: stage.alice, origin: origin)
                }
            }
        },
        Check("where the log was shortened, the receiver is told of the gap and gets the rest") { chat in
            let stage = try await WebhookStage(chat)
            _ = try await stage.make()
            try await stage.say("1", "2")
            stage.answerStatus(500)
            try await stage.webhooks.deliverDue()
            chat.domain.clock.advance(by: .days(31))
            while try await chat.service.sweep() {}
            let removed = try await chat.service.conversation(stage.room, for: stage.alice).conversation.log
                .removedOffset
            try await stage.say("3")
            stage.answerStatus(200)
            try await stage.webhooks.deliverDue()
            try stage.requireCame(["said 1", "gap \(removed)", "said 3"])
        },
        Check("a webhook is its channel's admins', and is not there for anybody else") { chat in
            let stage = try await WebhookStage(chat)
            let (bob, mallory) = (try await chat.person("bob"), try await chat.person("mallory"))
            _ = try await chat.service.addMember(bob.user, to: stage.room, by: stage.alice)
            let made = try await stage.make()
            try await requireChatRefusal(.forbidden(.lacks(.administer))) {
                try await stage.webhooks.webhook(made.webhook.id, for: bob)
            }
            try await requireChatRefusal(.notFound(.webhook)) {
                try await stage.webhooks.webhook(made.webhook.id, for: mallory)
            }
            try await requireChatRefusal(.notFound(.conversation)) {
                try await stage.webhooks.webhooks(of: stage.room, for: mallory)
            }
            try await chat.raise(bob, to: .admin, in: stage.room, by: stage.alice)
            try requireEqual(try await stage.webhooks.webhooks(of: stage.room, for: bob).count, 1)
            try await stage.webhooks.delete(made.webhook.id, by: bob, origin: origin)
            try await stage.say("1")
            try await stage.webhooks.deliverDue()
            try stage.requireCame([])
            let direct = try await chat.service.direct(with: bob.user, by: stage.alice).view.conversation.id
            try await requireChatRefusal(.forbidden(.direct)) {
                try await stage.webhooks.create(
                    in: direct, url: WebhookStage.url, events: .all, summary: "", by: stage.alice, origin: origin)
            }
        },
        Check("there are so many webhooks of a channel, and only addresses of the Internet") { chat in
            var options = WebhookOptions()
            options.perConversation = 2
            let stage = try await WebhookStage(chat, options)
            for url in [
                "http://example.org/", "ftp://example.org/", "https://", "https://user@example.org/",
                "https://example.org/#x", "https://example.org:0/", "https://example.org:99999/",
                "https://exa mple.org/",
                "https://127.0.0.1/", "https://10.0.0.1:8443/x", "https://[::1]/", "https://[fe80::1]/",
                "https://169.254.169.254/latest/meta-data", "https://[::ffff:10.0.0.1]/", "https://[x]/",
                "https://example.org/\u{fc}", "https://example.org/" + String(repeating: "x", count: 2_048),
            ] {
                try await requireInvalid(.url) { try await stage.make(url: url) }
            }
            for _ in 0..<2 { _ = try await stage.make() }
            try await requireChatRefusal(.limitReached(.webhooks, 2)) { try await stage.make() }
        },
    ]
}
