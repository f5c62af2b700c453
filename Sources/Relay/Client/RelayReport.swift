// What a look at a relay found, hop by hop.

import Base
package import Crypto
package import Wire

package struct RelayReport: Sendable {
    /// In the order in which they are passed.
    package enum Hop: String, Sendable, CaseIterable {
        case dns = "DNS"
        case udp = "UDP"
        case tcp = "TCP"
        case tls = "TLS"
        case certificate
        case allocate
        case permission
        case echo
    }

    package enum Outcome: Sendable, Equatable {
        case well
        case ill(remedy: String)
        /// Could not be judged; says nothing against the relay.
        case skipped
    }

    package struct Finding: Sendable, Equatable {
        package let hop: Hop
        package let outcome: Outcome
        package let text: String
        /// How long the hop took.
        package let time: Duration?
    }

    package internal(set) var findings: [Finding] = []
    /// The hops came to their end: without it, one that is missing failed.
    package internal(set) var isComplete = false

    package var failure: Finding? {
        findings.first { if case .ill = $0.outcome { true } else { false } }
    }

    /// Every hop that could be judged is well.
    package var isHealthy: Bool { isComplete && failure == nil }

    mutating func add(_ hop: Hop, _ outcome: Outcome, _ text: String, _ time: Duration? = nil) {
        findings.append(Finding(hop: hop, outcome: outcome, text: text, time: time))
    }
}

package struct RelayProbeOptions: Sendable {
    package var trust = TLSContext.Trust.system
    /// For each hop. Longer waits for relays beyond slow networks, shorter tells sooner.
    package var hopLimit = Duration.seconds(8)
    /// How often an echo is asked for before it counts as lost; one each `echoInterval`.
    package var echoes = 5
    package var echoInterval = Duration.milliseconds(400)
    /// A peer whose permission stands for all: the relay of an `sfuOnly` policy lets nobody reach the prober. No echo
    /// is asked of it.
    package var peer: TransportAddress?

    package init() {}
}
