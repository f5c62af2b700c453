// How the tries of one webhook went, and what follows from that: when the next one is, and when there is none any more.

package import Base
import Wire

/// What became of one try.
enum WebhookOutcome: Sendable, Equatable {
    case answered(status: Int, retryAfter: Int?)
    case failed(TransportError)
    /// The vault cannot open what signs.
    case secretUnreadable

    init(_ response: IncomingResponse) {
        self = .answered(status: response.status, retryAfter: response.header("retry-after").flatMap { Int($0) })
    }

    var isSuccess: Bool {
        guard case .answered(let status, _) = self else { return false }
        return (200...299).contains(status)
    }

    /// Nobody is there, and nobody will be.
    var isFinal: Bool {
        guard case .answered(let status, _) = self else { return false }
        return status == 410
    }

    /// For who manages the webhook. It tells nothing of what lies behind an address: that would be a map of it.
    var word: String {
        switch self {
        case .answered(let status, _): "status_\(status)"
        case .failed(.refusedAddress): "address_refused"
        case .failed(.timedOut): "timed_out"
        case .failed(.tooLarge): "answer_too_large"
        case .failed(.unreachable), .failed(.cancelled): "unreachable"
        case .secretUnreadable: "secret_unreadable"
        }
    }

    /// How long its receiver asks to be left alone.
    fileprivate var wish: Duration? {
        guard case .answered(let status, let seconds?) = self, status == 429 || status == 503 else { return nil }
        return .seconds(Int64(max(0, seconds)))
    }
}

package struct WebhookProgress: Sendable, Equatable {
    /// Since the last success.
    package internal(set) var attempts: Int64 = 0
    package internal(set) var failingSince: Timestamp?
    package internal(set) var nextAttemptAt: Timestamp?
    package internal(set) var lastDeliveryAt: Timestamp?
    package internal(set) var lastFailure: String?

    static let firstDelay = Duration.seconds(5)
    static let longestDelay = Duration.hours(1)
    /// Long enough for a weekday's outage to be seen and mended; shorter would lose webhooks over a night.
    static let patience = Duration.hours(24)

    mutating func succeeded(at now: Timestamp) {
        self = WebhookProgress()
        lastDeliveryAt = now
    }

    /// False when it was tried long enough.
    mutating func failed(_ outcome: WebhookOutcome, at now: Timestamp) -> Bool {
        let since = failingSince ?? now
        failingSince = since
        attempts = attempts < Int64.max ? attempts + 1 : attempts
        lastFailure = outcome.word
        if outcome.isFinal || now - since >= Self.patience {
            nextAttemptAt = nil
            return false
        }
        nextAttemptAt = now + min(max(Self.delay(after: attempts), outcome.wish ?? .zero), Self.longestDelay)
        return true
    }

    /// 5, 10, 20 … seconds.
    static func delay(after attempts: Int64) -> Duration {
        let doublings = min(max(0, attempts - 1), 10)
        return min(firstDelay * (1 << doublings), longestDelay)
    }
}
