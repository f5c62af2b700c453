// What a load generator needs of a soft peer: many of them on one thread, most of which only look at clear headers.

package import Base
package import Crypto
import Media
package import Wire

extension SoftPeer {
    /// Offers nothing but this profile of SRTP; before the answer is accepted.
    package func offerOnly(_ profile: SRTPProfile) { handshake.offerOnly(profile) }

    /// The transport-wide number in a packet's clear header, of the form that we offer: one-byte elements.
    package static func transportNumber(of packet: UnsafeRawBufferPointer) -> SequenceNumber? {
        guard packet.count >= 20, packet[0] & 0x1F == 0x10, packet[12] == 0xBE, packet[13] == 0xDE else { return nil }
        let end = min(packet.count, 16 + 4 * (Int(packet[14]) << 8 | Int(packet[15])))
        var offset = 16
        while offset + 2 < end {
            let id = packet[offset] >> 4
            if id == transportExtension {
                return SequenceNumber(packet[offset + 1]) << 8 | SequenceNumber(packet[offset + 2])
            }
            offset += packet[offset] == 0 ? 1 : 2 + Int(packet[offset] & 15)
        }
        return nil
    }

    /// A packet came whose body nobody here looks at: it is reported all the same.
    package func noteArrival(of packet: UnsafeRawBufferPointer, now: Instant) {
        guard sendsTransportFeedback, let number = Self.transportNumber(of: packet) else { return }
        feedback.record(number, now: now)
    }

    /// Decrypts one packet apart from everything that `receive` keeps of it: the payload's count, or `nil`.
    package func open(_ packet: UnsafeMutableRawBufferPointer) -> (payload: Range<Int>, type: UInt8)? {
        let bytes = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(packet))
        guard let header = try? RTPHeader(parsing: bytes) else { return nil }
        var window = windows[header.ssrc] ?? SRTPReplayWindow()
        let verdict =
            receiver?.unprotectRTP(
                packet, count: packet.count, headerLength: Int(header.headerLength), ssrc: header.ssrc,
                sequenceNumber: header.sequenceNumber, window: &window) ?? .forged
        windows[header.ssrc] = window
        guard case .plain(let count) = verdict else {
            unreadable += 1
            return nil
        }
        return (Int(header.headerLength)..<count, header.payloadType)
    }

    /// Where `sendFrame` and `sendTalk` put the time of sending: behind what the codec looks at.
    package static let stampOffset = 8

    /// The time that is written in a payload of ours.
    package static func stamp(in payload: UnsafeRawBufferPointer) -> Instant? {
        guard payload.count >= stampOffset + 8 else { return nil }
        return Instant(nanoseconds: payload.loadUnaligned(fromByteOffset: stampOffset, as: UInt64.self))
    }

    static func stamp(_ payload: inout Bytes, _ now: Instant) {
        guard payload.count >= stampOffset + 8 else { return }
        payload.withUnsafeMutableBytes {
            $0.storeBytes(of: now.nanoseconds, toByteOffset: stampOffset, as: UInt64.self)
        }
    }

    /// One packet of Opus.
    package func sendTalk(
        section: Int, size: Int, timestamp: UInt32, sequence: inout SequenceNumber, now: Instant
    ) {
        var payload = Bytes(repeating: 0x78, count: max(size, 16))
        Self.stamp(&payload, now)
        sendMedia(
            payload, section: section, type: Self.opus, sequence: sequence, timestamp: timestamp, marker: false,
            now: now)
        sequence &+= 1
    }
}
