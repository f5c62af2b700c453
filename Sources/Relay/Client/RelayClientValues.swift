// What a client of a relay is given, and what it tells.

package import Base
package import Wire

/// A name and a password for a relay: time-limited ones, or those of a table of the relay's.
package struct RelayClientCredentials: Sendable {
    package let username: String
    package let password: Secret

    package init(username: String, password: Secret) {
        self.username = username
        self.password = password
    }
}

package struct RelayClientSettings: Sendable {
    /// Over TCP and TLS nothing is repeated, and ChannelData is filled up to a multiple of four.
    package var isReliable = false
    /// Asked for; the relay may give another. RFC 8656 §7.2: ten minutes are what everybody has.
    package var lifetime = Duration.minutes(10)
    /// The family of the relayed address; `nil` leaves it to the relay, which takes IPv4.
    package var wantsIPv6: Bool?
    /// The first wait for an answer; it doubles with every repetition (RFC 8489 §6.2.1). Higher repeats less to distant
    /// relays, lower recovers sooner from a loss.
    package var firstRetransmission = Duration.milliseconds(500)
    /// After so long a request has failed. RFC 8489's own 39.5 s is longer than anybody waits to hear it.
    package var requestLimit = Duration.seconds(8)

    package init() {}
}

/// What one request was for.
package enum RelayClientStep: Sendable, Equatable {
    case binding, allocate, permit, bind, refresh, release
}

package struct RelayAllocation: Sendable, Equatable {
    /// Where peers send to.
    package let relayed: TransportAddress
    /// Where the relay sees the client.
    package let mapped: TransportAddress?
    package let lifetime: Duration

    package init(relayed: TransportAddress, mapped: TransportAddress?, lifetime: Duration) {
        self.relayed = relayed
        self.mapped = mapped
        self.lifetime = lifetime
    }
}

package enum RelayClientError: Error, Sendable, Equatable, CustomStringConvertible {
    case timedOut
    /// Answers came, and none was signed with our password: somebody else answers, or the relay has another one.
    case answersNotAuthentic
    /// 401 to a request that was signed.
    case credentialsRefused
    /// 300: another server is to be asked instead.
    case alternateServer(TransportAddress?)
    case refused(STUNErrorCode, reason: String)
    /// An answer without what it must hold.
    case malformed(String)
    /// `RelayClient.requestsMax` are without an answer already.
    case tooManyRequests

    package var description: String {
        switch self {
        case .timedOut: "no answer"
        case .answersNotAuthentic: "the answers are not signed with this password"
        case .credentialsRefused: "the name or the password is refused (401)"
        case .alternateServer(let address):
            "it sends clients on to \(address.map { "\($0)" } ?? "another server") (300)"
        case .refused(let code, let reason):
            reason.isEmpty ? "refused with \(code.rawValue)" : "refused with \(code.rawValue) (\(reason))"
        case .malformed(let what): "its answer is malformed: \(what)"
        case .tooManyRequests: "too many requests are without an answer already"
        }
    }
}

package enum RelayClientEvent: Sendable, Equatable {
    /// The answer to a binding request: how the server sees us.
    case mapped(TransportAddress)
    case allocated(RelayAllocation)
    /// Also told each time that permissions were renewed.
    case permitted([TransportAddress])
    case bound(UInt16, TransportAddress)
    case refreshed(Duration)
    case released
    case received(Bytes, from: TransportAddress)
    case failed(RelayClientStep, RelayClientError)
}
