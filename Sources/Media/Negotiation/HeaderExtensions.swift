// RTP header extensions (RFC 8285) that we read, write or pass on, and the numbers they have in a section.

import Wire

package enum HeaderExtension: UInt8, Equatable, Sendable, CaseIterable {
    case mid, rid, repairedRid, audioLevel, absoluteSendTime, transportCC, videoOrientation, playoutDelay
    case dependencyDescriptor, absoluteCaptureTime, videoLayersAllocation, colorSpace, contentType, timing

    package var uri: String {
        switch self {
        case .mid: "urn:ietf:params:rtp-hdrext:sdes:mid"
        case .rid: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
        case .repairedRid: "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
        case .audioLevel: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
        case .absoluteSendTime: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
        case .transportCC: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
        case .videoOrientation: "urn:3gpp:video-orientation"
        case .playoutDelay: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
        case .dependencyDescriptor:
            "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
        case .absoluteCaptureTime: "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
        case .videoLayersAllocation: "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00"
        case .colorSpace: "http://www.webrtc.org/experiments/rtp-hdrext/color-space"
        case .contentType: "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type"
        case .timing: "http://www.webrtc.org/experiments/rtp-hdrext/video-timing"
        }
    }

    init?(uri: String) {
        guard let found = Self.allCases.first(where: { $0.uri == uri }) else { return nil }
        self = found
    }

    /// What we make of it where we send: layers are chosen here, so what the publisher allocated is nobody's.
    var isForSending: Bool { self != .videoLayersAllocation && self != .rid && self != .repairedRid }

    func belongs(to kind: MediaKind) -> Bool {
        switch self {
        case .mid, .rid, .repairedRid, .absoluteSendTime, .transportCC, .absoluteCaptureTime: kind != .data
        case .audioLevel: kind == .audio
        default: kind == .video
        }
    }

    /// The number in our offers, unless the peer has given it another; all fit the one-byte form.
    var ownNumber: UInt8 { rawValue + 1 }
}

/// Which number a header extension has in one section and direction.
package struct ExtensionMap: Equatable, Sendable {
    private var numbers = InlineArray<16, UInt8>(repeating: 0)

    package init() {}

    /// `nil` when it was not agreed.
    package subscript(kind: HeaderExtension) -> UInt8? {
        get {
            let number = numbers[Int(kind.rawValue)]
            return number == 0 ? nil : number
        }
        set { numbers[Int(kind.rawValue)] = newValue ?? 0 }
    }

    /// What a number in a packet stands for.
    package func kind(of number: UInt8) -> HeaderExtension? {
        for kind in HeaderExtension.allCases where number != 0 && self[kind] == number { return kind }
        return nil
    }

    package static func == (left: ExtensionMap, right: ExtensionMap) -> Bool {
        HeaderExtension.allCases.allSatisfy { left[$0] == right[$0] }
    }
}

/// The extensions of one section.
struct ExtensionAgreement: Equatable {
    /// As they stand in our description.
    var lines: [SDPExtension] = []
    var receiving = ExtensionMap()
    var sending = ExtensionMap()

    init() {}

    /// Our side of what the peer offered, with the peer's numbers. Numbers above 14 need the two-byte form, which the
    /// peer allows with `extmap-allow-mixed`; without, those are left out, as are numbers that stand for none.
    init(answering offered: [SDPExtension], _ kind: MediaKind, allowsMixed: Bool) {
        for mapping in offered where mapping.id <= (allowsMixed ? 255 : 14) && mapping.id != 15 {
            guard let extended = HeaderExtension(uri: mapping.uri), extended.belongs(to: kind),
                let number = UInt8(exactly: mapping.id)
            else { continue }
            let theirs = mapping.direction ?? .sendReceive
            let ours = SDPDirection(sends: theirs.receives && extended.isForSending, receives: theirs.sends)
            guard ours != .inactive, receiving[extended] == nil, sending[extended] == nil else { continue }
            agree(extended, number, ours)
        }
    }

    mutating func agree(_ extended: HeaderExtension, _ number: UInt8, _ direction: SDPDirection) {
        if direction.receives { receiving[extended] = number }
        if direction.sends { sending[extended] = number }
        lines.append(
            SDPExtension(
                id: UInt16(number), direction: direction == .sendReceive ? nil : direction, uri: extended.uri))
    }

    /// What remains of our offer after the answer: the same number, and a direction both have.
    init(offered: [SDPExtension], answered: [SDPExtension]) {
        for mapping in answered {
            guard let extended = HeaderExtension(uri: mapping.uri), let number = UInt8(exactly: mapping.id),
                let ours = offered.first(where: { $0.uri == mapping.uri && $0.id == mapping.id })
            else { continue }
            let theirs = mapping.direction ?? .sendReceive
            let own = ours.direction ?? .sendReceive
            let direction = SDPDirection(
                sends: own.sends && theirs.receives && extended.isForSending, receives: own.receives && theirs.sends)
            guard receiving[extended] == nil, sending[extended] == nil else { continue }
            agree(extended, number, direction)
        }
    }
}
