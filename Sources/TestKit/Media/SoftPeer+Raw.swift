// What an honest peer never sends: any plain packet, protected with the peer's keys; and what it would rather not know.

package import Base
import Crypto
package import Wire

extension SoftPeer {
    /// Encrypts and sends an RTP packet as it is. False when it is no packet that SRTP can carry.
    @discardableResult
    package func sendRaw(_ plain: Bytes, index: ExtendedSequence) -> Bool {
        guard let packet = protectedRaw(plain, index: index) else { return false }
        push(packet)
        return true
    }

    /// The datagram that `sendRaw` would send.
    package func protectedRaw(_ plain: Bytes, index: ExtendedSequence) -> Bytes? {
        guard phase == .connected, let header = try? RTPHeader(parsing: plain.span.bytes) else { return nil }
        var packet = plain + Bytes(repeating: 0, count: 32)
        let count = packet.withUnsafeMutableBytes { bytes in
            sender?.protectRTP(
                bytes, count: plain.count, headerLength: Int(header.headerLength), ssrc: header.ssrc, index: index)
        }
        return (count ?? nil).map { Bytes(packet[..<$0]) }
    }

    /// Anything, as a datagram.
    package func sendDatagram(_ datagram: Bytes) { push(datagram) }

    /// A plain packet as `sendMedia` makes it, of any source.
    package func plainPacket(
        _ payload: Bytes, ssrc: SSRC, type: UInt8, sequence: SequenceNumber, timestamp: UInt32, marker: Bool = false
    ) -> Bytes {
        rtp(payload, ssrc: ssrc, type: type, sequence: sequence, timestamp: timestamp, marker: marker)
    }

    /// A check of this peer's own, as it would send it from anywhere.
    package func makeCheck() -> Bytes? { ice?.check() }

    package var remoteFragment: String { ice?.remoteFragment ?? "" }

    /// A description that somebody else wrote, with this peer's transport.
    package func offer(adapting text: String) -> String {
        var lines: [String] = []
        for line in text.split(whereSeparator: \.isNewline).map(String.init) {
            if ["a=candidate", "a=ice-", "a=fingerprint", "a=setup"].contains(where: line.hasPrefix) { continue }
            guard line.hasPrefix("m=") else {
                lines.append(line)
                continue
            }
            var parts = line.split(separator: " ").map(String.init)
            parts[1] = "9"
            if parts[2].hasPrefix("RTP/") { parts[2] = "UDP/TLS/RTP/SAVPF" }
            lines.append(parts.joined(separator: " "))
            lines += [
                "a=ice-ufrag:\(credentials.ufrag)",
                "a=ice-pwd:\(credentials.exposedPassword)",
                "a=fingerprint:\(identity.fingerprints[0])", "a=setup:actpass",
            ]
        }
        // `c=` comes before attributes.
        for index in lines.indices where lines[index].hasPrefix("c=") {
            var place = index
            while place > 0, lines[place - 1].hasPrefix("a="), !lines[place - 1].hasPrefix("a=group") {
                lines.swapAt(place, place - 1)
                place -= 1
            }
        }
        return lines.joined(separator: "\r\n") + "\r\n"
    }
}
