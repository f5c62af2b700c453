// RTP header extensions (RFC 8285) that we read, write or pass on: which belong where, and what a section agrees on.

import Wire

extension RTPExtensionKind {
    /// What we make of it where we send: layers are chosen here, so what the publisher allocated is nobody's.
    var isForSending: Bool { self != .videoLayersAllocation && self != .rid && self != .repairedRID }

    func belongs(to kind: MediaKind) -> Bool {
        switch self {
        case .mid, .rid, .repairedRID, .absoluteSendTime, .transportSequenceNumber, .absoluteCaptureTime: kind != .data
        case .audioLevel: kind == .audio
        // Timestamps are moved on their way, so where the packet was sent from them says nothing.
        case .transmissionOffset: false
        default: kind == .video
        }
    }

    /// The number in our offers, unless the peer has given it another; those offered fit the one-byte form.
    var ownNumber: UInt8 { rawValue }
}

/// The extensions of one section.
struct ExtensionAgreement: Equatable {
    /// As they stand in our description.
    var lines: [SDPExtension] = []
    var receiving = RTPExtensionMap()
    var sending = RTPExtensionMap()

    init() {}

    /// Our side of what the peer offered, with the peer's numbers. Numbers above 14 need the two-byte form, which the
    /// peer allows with `extmap-allow-mixed`; without, those are left out, as are numbers that stand for none.
    init(answering offered: [SDPExtension], _ kind: MediaKind, allowsMixed: Bool) {
        for mapping in offered where mapping.id <= (allowsMixed ? 255 : 14) && mapping.id != 15 {
            guard let extended = RTPExtensionKind(uri: mapping.uri), extended.belongs(to: kind),
                let number = UInt8(exactly: mapping.id)
            else { continue }
            let theirs = mapping.direction ?? .sendReceive
            let ours = SDPDirection(sends: theirs.receives && extended.isForSending, receives: theirs.sends)
            guard ours != .inactive, receiving.id(for: extended) == nil, sending.id(for: extended) == nil else {
                continue
            }
            agree(extended, number, ours)
        }
    }

    /// Nothing, when the number has another meaning already or no place in a map.
    mutating func agree(_ extended: RTPExtensionKind, _ number: UInt8, _ direction: SDPDirection) {
        var (ours, theirs) = (sending, receiving)
        if direction.receives, !theirs.set(number, extended) { return }
        if direction.sends, !ours.set(number, extended) { return }
        (sending, receiving) = (ours, theirs)
        lines.append(
            SDPExtension(
                id: UInt16(number), direction: direction == .sendReceive ? nil : direction, uri: extended.uri))
    }

    /// What remains of our offer after the answer: the same number, and a direction both have.
    init(offered: [SDPExtension], answered: [SDPExtension]) {
        for mapping in answered {
            guard let extended = RTPExtensionKind(uri: mapping.uri), let number = UInt8(exactly: mapping.id),
                let ours = offered.first(where: { $0.uri == mapping.uri && $0.id == mapping.id })
            else { continue }
            let theirs = mapping.direction ?? .sendReceive
            let own = ours.direction ?? .sendReceive
            let direction = SDPDirection(
                sends: own.sends && theirs.receives && extended.isForSending, receives: own.receives && theirs.sends)
            guard receiving.id(for: extended) == nil, sending.id(for: extended) == nil else { continue }
            agree(extended, number, direction)
        }
    }
}
