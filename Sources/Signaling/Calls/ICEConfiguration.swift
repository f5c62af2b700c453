// What clients are told of STUN servers and relays. A relay's password is a MAC over an expiry time and a name, made with
// a secret that the relay has too (coturn: `use-auth-secret`); the relay needs no table of users, and a password that was
// copied is worth nothing after its time.

package import Base
import Crypto
import Synchronization

package struct RelayOptions: Sendable {
    /// `stun:` and `stuns:`, which ask for no password.
    package var openServers: [String] = []
    /// `turn:` and `turns:`.
    package var relays: [String] = []
    /// `nil`: relays are not told to anybody.
    package var secret: Secret?
    /// Relays check the time again when an allocation is refreshed: a call that is longer has to ask for new ones.
    package var lifetime = Duration.hours(4)
    /// Which of them answer, as far as anybody has looked.
    package var health = RelayHealth()

    package init() {}
}

/// Relays that do not answer: clients are not told of them until they do again.
package final class RelayHealth: Sendable {
    private let out = Mutex<Set<String>>([])

    package init() {}

    /// True when that is news.
    package func note(_ url: String, isHealthy: Bool) -> Bool {
        out.withLock { isHealthy ? $0.remove(url) != nil : $0.insert(url).inserted }
    }

    package var unhealthy: Set<String> { out.withLock { $0 } }
}

package struct ICEServer: Sendable, Equatable {
    package let urls: [String]
    package let username: String?
    /// Told to the client it was made for; never logged.
    package let credential: Private<String>?
}

package struct ICEConfiguration: Sendable, Equatable {
    package let servers: [ICEServer]
    package let lifetime: Duration
    package let expiresAt: Timestamp

    /// When clients are given others; `nil` where there is nothing that ends.
    func renewal(after now: Instant) -> Instant? {
        guard servers.contains(where: { $0.credential != nil }) else { return nil }
        let left = lifetime / SignalingLimits.relayRenewalShare
        return now + (lifetime - left)
    }
}

extension RelayOptions {
    /// `session` is the name in the credentials: a random one for each person in each call, which tells a relay's log
    /// neither.
    package func configuration(for session: UUID, now: Timestamp) -> ICEConfiguration {
        let expiry = now.secondsSinceEpoch + lifetime.components.seconds
        let unhealthy = health.unhealthy
        let open = openServers.filter { !unhealthy.contains($0) }
        let healthy = relays.filter { !unhealthy.contains($0) }
        var servers: [ICEServer] = []
        if !open.isEmpty { servers.append(ICEServer(urls: open, username: nil, credential: nil)) }
        if let (username, credential) = credentials(for: session, expiry: expiry), !healthy.isEmpty {
            servers.append(ICEServer(urls: healthy, username: username, credential: Private(credential)))
        }
        return ICEConfiguration(
            servers: servers, lifetime: lifetime, expiresAt: Timestamp(secondsSinceEpoch: expiry))
    }

    /// `nil` where there is no secret to make them with.
    package func credentials(for session: UUID, expiry: Int64) -> (username: String, password: String)? {
        guard let secret else { return nil }
        let username = "\(expiry):\(session)"
        return (username, Base64.encode(HMAC.sha1(Bytes(username.utf8), key: secret)))
    }
}
