// The attributes of a session description that WebRTC uses, as values.

/// An attribute that is not modelled: kept, and written back.
package struct SDPAttribute: Equatable, Sendable {
    package var name: String
    package var value: String?

    package init(_ name: String, _ value: String? = nil) {
        self.name = name
        self.value = value
    }
}

/// `b=` with the modifier and the number, as text; what is no number has no meaning here.
package struct SDPBandwidth: Equatable, Sendable {
    package var modifier: String
    package var value: String

    package init(modifier: String, value: String) {
        self.modifier = modifier
        self.value = value
    }

    /// `AS` counts kilobits, `TIAS` bits (RFC 3890).
    package var bitsPerSecond: UInt64? {
        guard let number = UInt64(value) else { return nil }
        switch modifier {
        case "TIAS": return number
        case "AS":
            let (bits, overflow) = number.multipliedReportingOverflow(by: 1_000)
            return overflow ? nil : bits
        default: return nil
        }
    }
}

/// `a=group` (RFC 5888).
package struct SDPGroup: Equatable, Sendable {
    package var semantics: String
    package var mids: [String]

    package init(semantics: String, mids: [String]) {
        self.semantics = semantics
        self.mids = mids
    }
}

package enum SDPDirection: String, Equatable, Sendable {
    case sendReceive = "sendrecv"
    case sendOnly = "sendonly"
    case receiveOnly = "recvonly"
    case inactive

    package init(sends: Bool, receives: Bool) {
        self = sends ? (receives ? .sendReceive : .sendOnly) : receives ? .receiveOnly : .inactive
    }

    package var sends: Bool { self == .sendReceive || self == .sendOnly }
    package var receives: Bool { self == .sendReceive || self == .receiveOnly }
    /// The same, seen from the other side.
    package var reversed: SDPDirection { SDPDirection(sends: receives, receives: sends) }
}

/// Who opens the connection (RFC 4145), for us: who is the DTLS client.
package enum SDPSetup: String, Equatable, Sendable {
    case active, passive
    case activePassive = "actpass"
    case holdConnection = "holdconn"
}

/// The lines of ICE and DTLS (RFC 8839, RFC 8842), which may stand for the session and for a section.
package struct SDPTransport: Equatable, Sendable {
    package var ufrag: String?
    package var password: String?
    package var options: [String] = []
    package var fingerprints: [SDPFingerprint] = []
    package var setup: SDPSetup?

    package init(
        ufrag: String? = nil, password: String? = nil, options: [String] = [], fingerprints: [SDPFingerprint] = [],
        setup: SDPSetup? = nil
    ) {
        self.ufrag = ufrag
        self.password = password
        self.options = options
        self.fingerprints = fingerprints
        self.setup = setup
    }
}

/// `a=fingerprint` (RFC 8122). Lines with another hash are kept among the attributes that are not modelled.
package struct SDPFingerprint: Equatable, Sendable {
    package enum Hash: String, Equatable, Sendable, CaseIterable {
        case sha1 = "sha-1"
        case sha256 = "sha-256"
        case sha384 = "sha-384"
        case sha512 = "sha-512"

        package var byteCount: Int {
            switch self {
            case .sha1: 20
            case .sha256: 32
            case .sha384: 48
            case .sha512: 64
            }
        }
    }

    package var hash: Hash
    /// As many as the hash has.
    package var bytes: [UInt8]

    package init(hash: Hash, bytes: [UInt8]) {
        self.hash = hash
        self.bytes = bytes
    }
}

/// `a=msid` (RFC 8830). A stream of `-` is none.
package struct SDPStreamTrack: Equatable, Sendable {
    package var stream: String
    package var track: String?

    package init(stream: String, track: String?) {
        self.stream = stream
        self.track = track
    }
}

package struct SDPRTPMap: Equatable, Sendable {
    package var payloadType: UInt8
    package var encoding: String
    /// 0 when the line gave none: a codec that matches nothing.
    package var clockRate: UInt32
    package var channels: UInt8?

    package init(payloadType: UInt8, encoding: String, clockRate: UInt32, channels: UInt8? = nil) {
        self.payloadType = payloadType
        self.encoding = encoding
        self.clockRate = clockRate
        self.channels = channels
    }
}

package struct SDPFormatParameters: Equatable, Sendable {
    package var payloadType: UInt8
    package var text: String

    package init(payloadType: UInt8, text: String) {
        self.payloadType = payloadType
        self.text = text
    }
}

/// `a=rtcp-fb` (RFC 4585 §4.2).
package struct SDPFeedback: Equatable, Sendable {
    /// `nil` for all (`*`).
    package var payloadType: UInt8?
    package var value: String

    package init(payloadType: UInt8?, value: String) {
        self.payloadType = payloadType
        self.value = value
    }
}

/// `a=extmap` (RFC 8285 §5).
package struct SDPExtension: Equatable, Sendable {
    /// 1 to 255, or 4096 to 4351 for one that has no number yet.
    package var id: UInt16
    package var direction: SDPDirection?
    package var uri: String
    package var attributes: String?

    package init(id: UInt16, direction: SDPDirection? = nil, uri: String, attributes: String? = nil) {
        self.id = id
        self.direction = direction
        self.uri = uri
        self.attributes = attributes
    }
}

/// `a=ssrc` (RFC 5576), one line of it.
package struct SDPSource: Equatable, Sendable {
    package var ssrc: UInt32
    /// Empty when the line names a source and says nothing about it.
    package var attribute: String
    package var value: String?

    package init(ssrc: UInt32, attribute: String, value: String?) {
        self.ssrc = ssrc
        self.attribute = attribute
        self.value = value
    }
}

package struct SDPSourceGroup: Equatable, Sendable {
    /// `FID` (a source and its retransmissions), `SIM` (layers), `FEC-FR`, or what else the peer knows.
    package var semantics: String
    package var ssrcs: [UInt32]

    package init(semantics: String, ssrcs: [UInt32]) {
        self.semantics = semantics
        self.ssrcs = ssrcs
    }
}

/// `a=rid` (RFC 8851).
package struct SDPRid: Equatable, Sendable {
    package var id: String
    package var isSending: Bool
    /// Empty: all of the section.
    package var payloadTypes: [UInt8] = []
    /// The other restrictions as text, without `pt=`.
    package var restrictions: [String] = []

    package init(id: String, isSending: Bool, payloadTypes: [UInt8] = [], restrictions: [String] = []) {
        self.id = id
        self.isSending = isSending
        self.payloadTypes = payloadTypes
        self.restrictions = restrictions
    }
}

/// `a=simulcast` (RFC 8853): per direction the streams, and of each the alternatives in order of preference.
package struct SDPSimulcast: Equatable, Sendable {
    package struct Layer: Equatable, Sendable {
        package var rid: String
        package var isPaused: Bool

        package init(rid: String, isPaused: Bool = false) {
            self.rid = rid
            self.isPaused = isPaused
        }
    }

    package var send: [[Layer]] = []
    package var receive: [[Layer]] = []

    package init(send: [[Layer]] = [], receive: [[Layer]] = []) {
        self.send = send
        self.receive = receive
    }
}
