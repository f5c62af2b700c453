// What clients are told of STUN servers and relays. A relay's password is a MAC over an expiry time and a name, made with
// a secret that the relay has too (coturn: `use-auth-secret`); the relay needs no table of users, and a password that was
// copied is worth nothing after its time.

package import Base
import Crypto

package struct RelayOptions: Sendable {
    /// `stun:` and `stuns:`, which ask for no password.
    package var openServers: [String] = []
    /// `turn:` and `turns:`.
    package var relays: [String] = []
    /// `nil`: relays are not told to anybody.
    package var secret: Secret?
    /// Relays check the time again when an allocation is refreshed: a call that is longer has to ask for new ones.
    package var lifetime = Duration.hours(4)

    package init() {}
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
        var servers: [ICEServer] = []
        if !openServers.isEmpty { servers.append(ICEServer(urls: openServers, username: nil, credential: nil)) }
        if let secret, !relays.isEmpty {
            let username = "\(expiry):\(session)"
            let credential = Base64.encode(HMAC.sha1(Bytes(username.utf8), key: secret))
            servers.append(ICEServer(urls: relays, username: username, credential: Private(credential)))
        }
        return ICEConfiguration(
            servers: servers, lifetime: lifetime, expiresAt: Timestamp(secondsSinceEpoch: expiry))
    }
}
