// A session description (RFC 8866) with the attributes that WebRTC gives it (RFC 9429 §5), as values. Reading is in
// `SDPParser.swift`, writing in `SDPWriter.swift`; the meaning between two descriptions (offer, answer) is not Wire's.
//
// Attributes that are not modelled are kept as text and written back; their order among the others is not.

package struct SessionDescription: Equatable, Sendable {
    package var origin: SDPOrigin
    package var name = "-"
    /// The lines `i=`, `u=`, `e=` and `p=`, as they were.
    package var descriptiveLines: [SDPLine] = []
    /// What follows `c=`.
    package var connection: String?
    package var bandwidths: [SDPBandwidth] = []
    /// The lines `t=`, `r=`, `z=` and `k=`, as they were. Never empty.
    package var timingLines = [SDPLine(letter: UInt8(ascii: "t"), value: "0 0")]
    package var groups: [SDPGroup] = []
    package var transport = SDPTransport()
    package var isICELite = false
    package var allowsMixedExtensions = false
    package var direction: SDPDirection?
    package var extensions: [SDPExtension] = []
    package var endOfCandidates = false
    package var others: [SDPAttribute] = []
    package var media: [MediaDescription] = []

    package init(origin: SDPOrigin) { self.origin = origin }

    /// The first BUNDLE group (RFC 9143).
    package var bundle: SDPGroup? { groups.first { $0.semantics == "BUNDLE" } }

    /// What holds for a section: its own lines, and those of the session where it has none.
    package func transport(of media: MediaDescription) -> SDPTransport {
        SDPTransport(
            ufrag: media.transport.ufrag ?? transport.ufrag,
            password: media.transport.password ?? transport.password,
            options: media.transport.options.isEmpty ? transport.options : media.transport.options,
            fingerprints: media.transport.fingerprints.isEmpty
                ? transport.fingerprints : media.transport.fingerprints,
            setup: media.transport.setup ?? transport.setup)
    }

    package func direction(of media: MediaDescription) -> SDPDirection {
        media.direction ?? direction ?? .sendReceive
    }
}

/// One `m=` line and what belongs to it.
package struct MediaDescription: Equatable, Sendable {
    package var position = SDPPosition()
    package var kind: SDPMediaKind
    package var port: UInt16
    package var portCount: UInt16?
    package var protocolName: String
    /// As text: payload types of RTP, and whatever other protocols have.
    package var formats: [String]
    package var information: String?
    package var connection: String?
    package var bandwidths: [SDPBandwidth] = []
    package var keyLine: String?

    package var mid: String?
    package var streams: [SDPStreamTrack] = []
    package var direction: SDPDirection?
    package var transport = SDPTransport()
    package var rtcpMux = false
    package var rtcpMuxOnly = false
    package var rtcpReducedSize = false
    package var bundleOnly = false
    package var allowsMixedExtensions = false

    package var rtpMaps: [SDPRTPMap] = []
    package var formatParameters: [SDPFormatParameters] = []
    package var feedback: [SDPFeedback] = []
    package var extensions: [SDPExtension] = []
    package var sources: [SDPSource] = []
    package var sourceGroups: [SDPSourceGroup] = []
    package var rids: [SDPRid] = []
    package var simulcast: SDPSimulcast?

    package var sctpPort: UInt16?
    package var maxMessageSize: UInt64?
    /// The value of `a=sctpmap`, which browsers wrote before `sctp-port`.
    package var sctpMap: String?

    /// What follows `a=candidate:`, as text; reading it is ICE's.
    package var candidates: [String] = []
    package var endOfCandidates = false
    package var others: [SDPAttribute] = []

    package init(kind: SDPMediaKind, port: UInt16, protocolName: String, formats: [String]) {
        self.kind = kind
        self.port = port
        self.protocolName = protocolName
        self.formats = formats
    }

    /// Formats of an RTP section; the parser has checked that each is one.
    package var payloadTypes: [UInt8] { formats.compactMap { UInt8($0) } }

    package func rtpMap(of payloadType: UInt8) -> SDPRTPMap? { rtpMaps.first { $0.payloadType == payloadType } }

    /// Empty when there are none.
    package func parameters(of payloadType: UInt8) -> String {
        formatParameters.first { $0.payloadType == payloadType }?.text ?? ""
    }
}

package enum SDPMediaKind: Equatable, Sendable {
    case audio, video, application
    case other(String)

    package var name: String {
        switch self {
        case .audio: "audio"
        case .video: "video"
        case .application: "application"
        case .other(let name): name
        }
    }

    package init(name: String) {
        switch name {
        case "audio": self = .audio
        case "video": self = .video
        case "application": self = .application
        default: self = .other(name)
        }
    }
}

/// `o=`.
package struct SDPOrigin: Equatable, Sendable {
    package var userName = "-"
    /// Decimal digits; as text, because implementations write more than 64 bits.
    package var sessionID: String
    package var sessionVersion: String
    package var networkType = "IN"
    package var addressType = "IP4"
    package var address = "0.0.0.0"

    package init(sessionID: String, sessionVersion: String) {
        self.sessionID = sessionID
        self.sessionVersion = sessionVersion
    }
}

/// A line that is kept as it was.
package struct SDPLine: Equatable, Sendable {
    package var letter: UInt8
    package var value: String

    package init(letter: UInt8, value: String) {
        self.letter = letter
        self.value = value
    }
}
