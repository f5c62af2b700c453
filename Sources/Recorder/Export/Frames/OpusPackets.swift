// Packets of Opus (RFC 6716 §3): how long they are, and whether they are any.
//
//      0 1 2 3 4 5 6 7
//     +-+-+-+-+-+-+-+-+
//     | config  |s| c |   c: 0 one frame, 1 two of one size, 2 two, 3 as many as the next byte says
//     +-+-+-+-+-+-+-+-+

import Base

enum OpusPackets {
    /// Of an Opus packet, in samples of 48 kHz (R5): 120 ms.
    static let samplesMax = 5_760
    /// Of one frame (R2).
    static let frameBytesMax = 1_275
    /// The shortest frame: 2.5 ms.
    static let unit = 120

    /// Samples at 48 kHz of one frame of that configuration.
    static func frameSamples(_ header: UInt8) -> Int {
        let config = Int(header >> 3)
        switch config {
        case 0..<12: return [480, 960, 1_920, 2_880][config & 3]
        case 12..<16: return [480, 960][config & 1]
        default: return 120 << (config & 3)
        }
    }

    /// `nil` for what no decoder takes.
    static func samples(_ packet: Bytes) -> Int? {
        guard let header = packet.first else { return nil }
        var frames = 1
        switch header & 3 {
        case 0: if packet.count - 1 > frameBytesMax { return nil }
        case 1:
            // Two of one size.
            if packet.count & 1 == 0 || (packet.count - 1) / 2 > frameBytesMax { return nil }
            frames = 2
        case 2:
            guard isPair(packet) else { return nil }
            frames = 2
        default:
            guard packet.count >= 2 else { return nil }
            frames = Int(packet[1] & 63)
            guard frames > 0, isBundle(packet, frames) else { return nil }
        }
        let samples = frames * frameSamples(header)
        return samples <= samplesMax ? samples : nil
    }

    private static func isPair(_ packet: Bytes) -> Bool {
        guard let (first, next) = length(packet, 1) else { return false }
        let second = packet.count - next - first
        return second >= 0 && second <= frameBytesMax
    }

    /// One or two bytes (§3.2.1); where it goes on after them.
    private static func length(_ packet: Bytes, _ offset: Int) -> (Int, next: Int)? {
        guard offset < packet.count else { return nil }
        let first = Int(packet[offset])
        guard first >= 252 else { return (first, offset + 1) }
        guard offset + 1 < packet.count else { return nil }
        return (Int(packet[offset + 1]) * 4 + first, offset + 2)
    }

    private static func isBundle(_ packet: Bytes, _ frames: Int) -> Bool {
        var offset = 2
        var padding = 0
        if packet[1] & 0x40 != 0 {
            while true {
                guard offset < packet.count else { return false }
                let byte = Int(packet[offset])
                offset += 1
                padding += byte == 255 ? 254 : byte
                guard byte == 255 else { break }
            }
        }
        var room = packet.count - offset - padding
        guard room >= 0 else { return false }
        guard packet[1] & 0x80 != 0 else { return room % frames == 0 && room / frames <= frameBytesMax }
        for _ in 1..<max(frames, 1) {
            guard let (size, next) = length(packet, offset) else { return false }
            room -= next - offset + size
            offset = next
            guard room >= 0 else { return false }
        }
        return room <= frameBytesMax
    }

    /// Packets that ask the decoder to conceal a gap (RFC 7845 §4.1), in whole units of 2.5 ms: in the configuration of
    /// the packet before as far as its frames go, the rest in frames of 2.5 ms.
    static func concealment(_ samples: Int, after header: UInt8) -> [(packet: Bytes, samples: Int)] {
        var packets: [(Bytes, Int)] = []
        var left = samples
        for kind in [header & 0xFC, 28 << 3 | header & 4] {
            let frame = frameSamples(kind)
            // The count is six bits wide, and 48 frames of 2.5 ms are 120 ms.
            let most = samplesMax / frame
            while left >= frame {
                let count = min(left / frame, most)
                packets.append((count == 1 ? [kind] : [kind | 3, UInt8(truncatingIfNeeded: count)], count * frame))
                left -= count * frame
            }
        }
        return packets
    }
}
