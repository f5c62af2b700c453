import Base
import Testing
import Wire

@testable import Media

/// What comes out of a forwarder, judged by rules of its own: nothing here is shared with what it judges.
struct SyntheticReceiver {
    struct Received {
        var sequence: UInt64
        var timestamp: UInt32
        var marker: Bool
        var layer: UInt8
        var frame: Int
        var references: [Int]
        var payload: Bytes
        var frameNumber: UInt16
        var isEmpty: Bool
        var temporal: UInt8
        var spatial: UInt8
    }

    private(set) var packets: [UInt64: Received] = [:]
    private(set) var repeated = 0

    mutating func take(_ verdict: ForwardVerdict, _ packet: SyntheticPacket) {
        switch verdict {
        case .drop: return
        case .forward(let rewrite): take(rewrite, packet, isEmpty: false)
        case .fillGap(let rewrite): take(rewrite, packet, isEmpty: true)
        }
    }

    private mutating func take(_ rewrite: Rewrite, _ packet: SyntheticPacket, isEmpty: Bool) {
        var payload = packet.payload
        do {
            var span = payload.mutableSpan
            var bytes = span.mutableBytes
            rewrite.apply(to: &bytes)
        }
        var frameNumber = rewrite.frameNumber
        if var element = packet.descriptor {
            do {
                var span = element.mutableSpan
                var bytes = span.mutableBytes
                rewrite.apply(toDescriptor: &bytes)
            }
            frameNumber = UInt16(element[1]) << 8 | UInt16(element[2])
        }
        let received = Received(
            sequence: rewrite.sequence, timestamp: rewrite.timestamp, marker: rewrite.marker, layer: rewrite.layer,
            frame: packet.frame, references: packet.references, payload: payload, frameNumber: frameNumber,
            isEmpty: isEmpty, temporal: packet.input.frame.temporal, spatial: packet.input.frame.spatial)
        if packets.updateValue(received, forKey: rewrite.sequence) != nil { repeated += 1 }
    }

    var inOrder: [Received] { packets.values.sorted { $0.sequence < $1.sequence } }

    /// Numbers between the first and the last that nothing came with.
    var gaps: Int {
        guard let first = packets.keys.min(), let last = packets.keys.max() else { return 0 }
        return Int(last - first) + 1 - packets.count
    }

    /// Which of the newest numbers have not come.
    func missing(within count: UInt64) -> [UInt64] {
        guard let last = packets.keys.max(), let first = packets.keys.min() else { return [] }
        return (max(first, last - min(last, count))...last).filter { packets[$0] == nil }
    }

    /// No number twice, and time never runs backwards.
    func checkLine() {
        #expect(repeated == 0)
        var last: Received?
        for packet in inOrder {
            if let last {
                #expect(Int32(bitPattern: packet.timestamp &- last.timestamp) >= 0, "at \(packet.sequence)")
                if packet.layer == last.layer && packet.frame == last.frame {
                    #expect(packet.timestamp == last.timestamp)
                }
            }
            last = packet
        }
    }

    /// Every frame has what it refers to; `lost` are frames of which something never arrived here.
    func checkReferences(lost: Set<[Int]>) {
        var seen: Set<[Int]> = []
        for packet in inOrder where !packet.isEmpty {
            for reference in packet.references {
                let key = [Int(packet.layer), reference]
                #expect(
                    seen.contains(key) || lost.contains(key),
                    "\(packet.layer): \(packet.frame) (T\(packet.temporal)) needs \(reference)")
            }
            seen.insert([Int(packet.layer), packet.frame])
        }
    }

    /// Picture ids and TL0PICIDX of VP8 count without gaps, over switches too, but where packets are missing.
    func checkVP8() {
        var last: (received: Received, id: UInt16, tl0: UInt8)?
        for packet in inOrder where !packet.isEmpty {
            let id = (UInt16(packet.payload[2]) << 8 | UInt16(packet.payload[3])) & 0x7FFF
            let tl0 = packet.payload[4]
            defer { last = (packet, id, tl0) }
            guard let before = last else { continue }
            let isSame = before.received.layer == packet.layer && before.received.frame == packet.frame
            let idStep = (id &- before.id) & 0x7FFF
            let isNextPacket = packet.sequence == before.received.sequence + 1
            if isSame {
                #expect(idStep == 0 && tl0 == before.tl0)
            } else if isNextPacket {
                #expect(idStep == 1, "from \(before.id) to \(id) at \(packet.sequence)")
                #expect(tl0 &- before.tl0 == (packet.temporal == 0 ? 1 : 0), "at \(packet.sequence)")
            } else {
                #expect(idStep >= 1 && idStep < 100)
            }
        }
    }

    /// One marker for each picture, on its last packet.
    func checkMarkers() {
        let list = inOrder
        for (packet, next) in zip(list, list.dropFirst()) where next.sequence == packet.sequence + 1 {
            #expect(packet.marker == (packet.timestamp != next.timestamp), "at \(packet.sequence)")
        }
    }
}
