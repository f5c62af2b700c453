// Which header extensions there are, and under which numbers a session has agreed on them (RFC 8285 §5).

/// The header extensions that we know. What each holds is told where it is read or written; most are only passed on.
package enum RTPExtensionKind: UInt8, CaseIterable, Sendable {
    case mid = 1
    case rid
    case repairedRID
    case audioLevel
    case absoluteSendTime
    case transportSequenceNumber
    case videoOrientation
    case playoutDelay
    case dependencyDescriptor
    case absoluteCaptureTime
    case videoLayersAllocation
    case colorSpace
    case videoContentType
    case videoTiming
    case transmissionOffset

    /// The name in `a=extmap`.
    package var uri: String {
        switch self {
        case .mid: "urn:ietf:params:rtp-hdrext:sdes:mid"
        case .rid: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
        case .repairedRID: "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
        case .audioLevel: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
        case .absoluteSendTime: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
        case .transportSequenceNumber:
            "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
        case .videoOrientation: "urn:3gpp:video-orientation"
        case .playoutDelay: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
        case .dependencyDescriptor:
            "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
        case .absoluteCaptureTime: "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
        case .videoLayersAllocation: "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00"
        case .colorSpace: "http://www.webrtc.org/experiments/rtp-hdrext/color-space"
        case .videoContentType: "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type"
        case .videoTiming: "http://www.webrtc.org/experiments/rtp-hdrext/video-timing"
        case .transmissionOffset: "urn:ietf:params:rtp-hdrext:toffset"
        }
    }

    /// Nil for an extension that we do not know; an answer leaves it out.
    package init?(uri: String) {
        guard let kind = Self.allCases.first(where: { $0.uri == uri }) else { return nil }
        self = kind
    }
}

/// The numbers of one session, both ways: 48 bytes without references, to be copied and kept where packets are handled.
package struct RTPExtensionMap: Equatable, Sendable {
    /// The highest number that an extension can have here. Browsers number theirs from 1 upwards and offer fewer than 20;
    /// 255 would be the most of RFC 8285 and make the map eight times as large. An offer's extension with a higher
    /// number is left out of the answer.
    package static let highestID: UInt8 = 31
    /// Numbers above need the two-byte form (RFC 8285 §4.2). 15 is reserved in the one-byte form.
    package static let highestOneByteID: UInt8 = 14

    /// By number, the raw kind or 0.
    private var kinds = InlineArray<32, UInt8>(repeating: 0)
    /// By raw kind, the number or 0.
    private var ids = InlineArray<16, UInt8>(repeating: 0)

    package init() {}

    /// False, and nothing is changed, when the number is out of range or taken, or the kind has one already.
    package mutating func set(_ id: UInt8, _ kind: RTPExtensionKind) -> Bool {
        guard id >= 1, id <= Self.highestID, kinds[Int(id)] == 0, ids[Int(kind.rawValue)] == 0 else { return false }
        kinds[Int(id)] = kind.rawValue
        ids[Int(kind.rawValue)] = id
        return true
    }

    package static func == (left: RTPExtensionMap, right: RTPExtensionMap) -> Bool {
        RTPExtensionKind.allCases.allSatisfy { left.ids[Int($0.rawValue)] == right.ids[Int($0.rawValue)] }
    }

    package func kind(for id: UInt8) -> RTPExtensionKind? {
        RTPExtensionKind(rawValue: rawKind(for: id))
    }

    /// Nil when the session has not agreed on this extension.
    package func id(for kind: RTPExtensionKind) -> UInt8? {
        let id = ids[Int(kind.rawValue)]
        return id == 0 ? nil : id
    }

    /// Whether a number of this session needs the two-byte form.
    package var needsTwoByteForm: Bool {
        for id in Int(Self.highestOneByteID) &+ 1...Int(Self.highestID) where kinds[id] != 0 { return true }
        return false
    }

    /// 0 when there is none.
    func rawKind(for id: UInt8) -> UInt8 { id <= Self.highestID ? kinds[Int(id)] : 0 }

    /// Adds what another section has agreed on. Within one bundle a number means one thing; the first one stays.
    package mutating func merge(_ other: borrowing RTPExtensionMap) {
        for kind in RTPExtensionKind.allCases {
            if let id = other.id(for: kind) { _ = set(id, kind) }
        }
    }
}
