import Accounts
import Base
import Crypto
import Testing
import Wire

@testable import Chat

/// What of webhooks needs no database: names, waiting, signatures.
@Suite struct WebhookTests {
    @Test func `the names of events stand at the places of the log's kinds`() {
        #expect(WebhookEvents.allNames.count == Set(WebhookEvents.allNames).count)
        for (name, kind) in [
            ("message.created", EventTable.Kind.sent), ("message.deleted", .deleted),
            ("reaction.removed", .reactionRemoved),
            ("member.joined", .memberJoined), ("member.updated", .memberChanged),
            ("channel.deleted", .conversationDeleted),
        ] {
            #expect(WebhookEvents(name: name)?.rawValue == 1 << kind.rawValue)
        }
        #expect(WebhookEvents(name: "typing") == nil)
        #expect(WebhookEvents.all.names == WebhookEvents.allNames)
        #expect(WebhookEvents(of: .typing(isTyping: true)) == nil)
        #expect(WebhookEvents(of: .conversationDeleted)?.names == ["channel.deleted"])
    }

    @Test func `waiting doubles from five seconds to an hour and never overflows`() {
        let seconds = (1...12).map { Int(WebhookProgress.delay(after: Int64($0)).inSeconds) }
        #expect(seconds == [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600])
        #expect(WebhookProgress.delay(after: .max) == .hours(1))
        #expect(WebhookProgress.delay(after: 0) == .seconds(5))
    }

    @Test func `a receiver may ask for more time, and for an hour at most`() {
        let now = Timestamp(secondsSinceEpoch: 1_760_000_000)
        for (status, wish, expected) in [
            (503, 60, 60), (429, 1_000_000, 3_600), (503, -5, 5), (429, 1, 5), (500, 60, 5),
        ] {
            var progress = WebhookProgress()
            let hasAnother = progress.failed(.answered(status: status, retryAfter: wish), at: now)
            #expect(hasAnother)
            #expect(progress.nextAttemptAt == now + .seconds(Int64(expected)))
        }
    }

    @Test func `a day after the first failure there is no further try, and one success begins anew`() {
        var now = Timestamp(secondsSinceEpoch: 1_760_000_000)
        var progress = WebhookProgress()
        var outcomes = [progress.failed(.failed(.timedOut), at: now)]
        now = now + .hours(24) - .seconds(1)
        outcomes.append(progress.failed(.failed(.timedOut), at: now))
        var other = progress
        other.succeeded(at: now)
        #expect(other.attempts == 0 && other.failingSince == nil && other.lastFailure == nil)
        now = now + .seconds(1)
        outcomes.append(progress.failed(.failed(.timedOut), at: now))
        #expect(outcomes == [true, true, false] && progress.nextAttemptAt == nil)
        let isTriedOn = other.failed(.failed(.timedOut), at: now)
        #expect(isTriedOn)
    }

    /// Computed with Python's hmac: see the comment in the middle.
    @Test func `the signature is that of Standard Webhooks`() throws {
        // hmac.new(bytes(range(32)), b'msg_1.1760000000.{"a":1}', 'sha256')
        let headers = WebhookSignature.headers(
            id: "msg_1", at: Timestamp(secondsSinceEpoch: 1_760_000_000), Bytes(#"{"a":1}"#.utf8),
            key: Secret(Bytes(0..<32)))
        #expect(headers.map(\.name) == ["webhook-id", "webhook-timestamp", "webhook-signature"])
        #expect(headers[2].value == "v1,K4eVaQBOKkuMMhStppuykvSfbOHSgmxSjuclEt0HaUM=")
        #expect(
            WebhookSignature.text(ofKey: Secret(Bytes(0..<32))).exposedText
                == "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    }

    @Test(arguments: [
        "https://example.org", "https://example.org/", "https://example.org:8443/a?b=c&d=%20", "https://8.8.8.8/x",
        "https://[2606:4700::1111]:443/x", "https://xn--bcher-kva.example/~a/(b)", "https://intern/x",
    ])
    func `an address of the Internet is taken, a name whatever it leads to`(_ text: String) throws {
        #expect(try WebhookURL(text, WebhookOptions()).text == text)
    }

    @Test func `without TLS only where the operator allows it, and inside only there`() throws {
        var options = WebhookOptions()
        #expect(throws: ChatError.self) { try WebhookURL("http://example.org/", options) }
        options.allowsHTTP = true
        #expect(try WebhookURL("http://example.org:8080/x", options).host == "example.org")
        #expect(throws: ChatError.self) { try WebhookURL("http://127.0.0.1/", options) }
        options.reachable = PublicAddresses(allowed: [try #require(IPNetwork("127.0.0.0/8"))])
        #expect(try WebhookURL("http://127.0.0.1/", options).host == "127.0.0.1")
    }

    @Test func `what signs is not among what a failure says`() {
        #expect(WebhookOutcome.failed(.unreachable("10.0.0.7: connection refused")).word == "unreachable")
        #expect(WebhookOutcome.secretUnreadable.word == "secret_unreadable")
        #expect(WebhookOutcome.answered(status: 404, retryAfter: nil).word == "status_404")
    }
}
