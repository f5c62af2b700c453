// What both sides have agreed, as values. The engine compares it with what it had before and applies the difference.

package import Wire

package struct SenderID: Hashable, Sendable {
    package let number: UInt32
}

package enum DTLSRole: Equatable, Sendable { case client, server }

/// The one transport of a peer connection.
package struct AgreedTransport: Equatable, Sendable {
    package var local: ICECredentials
    package var remote: ICECredentials
    package var remoteIsLite: Bool
    package var remoteTrickles: Bool
    /// Of the peer's certificate, SHA-256 or longer. One of them has to match (RFC 8122 §5).
    package var fingerprints: [SDPFingerprint]
    package var role: DTLSRole
    /// What follows `a=candidate:`, of the section whose transport is used.
    package var candidates: [String]
    package var endOfCandidates: Bool
    /// Goes up by one with every ICE restart of either side.
    package var generation: Int
}

/// One section that is in use.
package struct Transceiver: Equatable, Sendable {
    package var mid: String
    package var kind: MediaKind
    /// What the peer sends us; `nil` while it does not.
    package var receiving: Receiving?
    /// What we send the peer; `nil` while we do not.
    package var sending: Sending?
    package var data: DataAgreement?
    package var reducedSizeRTCP = false

    package struct Receiving: Equatable, Sendable {
        package var codecs: [NegotiatedCodec]
        package var extensions: RTPExtensionMap
        /// Announced sources: of simulcast with `ssrc-group:SIM` in the order of the group. Empty when the peer names
        /// its streams in the packets alone.
        package var sources: [RemoteSource]
        /// In the order of the description, which puts no layer above another.
        package var layers: [RemoteLayer]
        /// Several layers, by identifiers or by sources.
        package var isSimulcast: Bool
        package var streamID: String?
        package var trackID: String?
    }

    package struct Sending: Equatable, Sendable {
        package var sender: SenderID
        package var codecs: [NegotiatedCodec]
        package var extensions: RTPExtensionMap
        package var ssrc: UInt32
        /// `nil` when no codec has a payload type for retransmissions.
        package var rtxSSRC: UInt32?
        package var cname: String
        package var streamID: String
        package var trackID: String
    }
}

package struct RemoteSource: Equatable, Sendable {
    package var ssrc: UInt32
    package var rtxSSRC: UInt32?
    package var cname: String?
}

package struct RemoteLayer: Equatable, Sendable {
    package var rid: String
    package var isPaused: Bool
    /// Empty: all of the section.
    package var payloadTypes: [UInt8]
}

package struct DataAgreement: Equatable, Sendable {
    package var remotePort: UInt16
    package var localPort: UInt16
    /// What the peer takes in one message; `nil` for any size.
    package var remoteMaxMessageSize: UInt64?
}

/// Why a description was refused. The line is 0 when no line is to blame.
package struct NegotiationError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Kind: Equatable, Sendable {
        /// Out of turn: an answer to nothing, an offer while ours is out.
        case wrongState
        /// The description is at fault (`sdp_invalid`).
        case refused
    }

    package var kind: Kind
    package var line: Int
    package var reason: String

    package init(_ kind: Kind, line: Int = 0, _ reason: String) {
        self.kind = kind
        self.line = line
        self.reason = reason
    }

    package var description: String { line > 0 ? "line \(line): \(reason)" : reason }
}
