// The data channel establishment protocol (DCEP, RFC 8832), and the payload protocol identifiers of data channels
// (RFC 8831 §8).

package import Base

/// What a message of a data channel is, by its payload protocol identifier.
package enum DataChannelPayload: Sendable {
    package static let control: UInt32 = 50
    package static let string: UInt32 = 51
    package static let binary: UInt32 = 53
    /// SCTP has no message without bytes, so these carry one byte that does not count.
    package static let emptyString: UInt32 = 56
    package static let emptyBinary: UInt32 = 57
}

/// How hard a channel tries, and in which order it delivers (RFC 8832 §5.1).
package struct DataChannelReliability: Equatable, Sendable {
    package enum Limit: Equatable, Sendable {
        case reliable
        case retransmissions(UInt32)
        case milliseconds(UInt32)
    }

    package var limit: Limit
    package var isOrdered: Bool

    package init(limit: Limit = .reliable, isOrdered: Bool = true) {
        self.limit = limit
        self.isOrdered = isOrdered
    }
}

package enum DataChannelMessage: Equatable, Sendable {
    case open(DataChannelOpen)
    case acknowledge

    /// The first byte of each.
    private static let acknowledgeType: UInt8 = 2
    private static let openType: UInt8 = 3

    package init(parsing bytes: RawSpan) throws(WireError) {
        var reader = ByteReader(bytes)
        switch try reader.readUInt8() {
        case Self.acknowledgeType: self = .acknowledge
        case Self.openType: self = .open(try DataChannelOpen(parsing: &reader))
        default: throw .invalid("an unknown DCEP message")
        }
    }

    package var encoded: Bytes {
        switch self {
        case .acknowledge: return [Self.acknowledgeType]
        case .open(let open):
            var bytes = [Self.openType]
            open.write(into: &bytes)
            return bytes
        }
    }
}

package struct DataChannelOpen: Equatable, Sendable {
    /// Longer labels and protocols are refused, though the format carries 65,535 bytes: they are kept per channel and
    /// sent to every member of a room. Browsers' own tests use a few dozen bytes.
    package static let longestText = 256

    package var reliability: DataChannelReliability
    package var priority: UInt16
    package var label: String
    package var `protocol`: String

    package init(
        label: String, protocol: String = "", reliability: DataChannelReliability = .init(), priority: UInt16 = 256
    ) {
        self.label = label
        self.protocol = `protocol`
        self.reliability = reliability
        self.priority = priority
    }

    // RFC 8832 §5.1
    // | message type  | channel type  |            priority           |
    // |                     reliability parameter                     |
    // |         label length          |        protocol length        |
    // |                  label, then protocol (UTF-8)                 |
    fileprivate init(parsing reader: inout ByteReader) throws(WireError) {
        let kind = try reader.readUInt8()
        priority = try reader.readUInt16()
        let parameter = try reader.readUInt32()
        let labelCount = Int(try reader.readUInt16())
        let protocolCount = Int(try reader.readUInt16())
        guard labelCount <= Self.longestText, protocolCount <= Self.longestText else {
            throw .invalid("a label or protocol beyond the bound")
        }
        label = try Self.text(labelCount, &reader)
        `protocol` = try Self.text(protocolCount, &reader)
        guard reader.isAtEnd else { throw .invalid("bytes after the protocol") }
        let isOrdered = kind & 0x80 == 0
        switch kind & 0x7F {
        case 0: reliability = .init(limit: .reliable, isOrdered: isOrdered)
        case 1: reliability = .init(limit: .retransmissions(parameter), isOrdered: isOrdered)
        case 2: reliability = .init(limit: .milliseconds(parameter), isOrdered: isOrdered)
        default: throw .invalid("an unknown channel type")
        }
    }

    private static func text(_ count: Int, _ reader: inout ByteReader) throws(WireError) -> String {
        let span = try reader.readSpan(count)
        var bytes: Bytes = []
        bytes.reserveCapacity(count)
        bytes.append(span)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .invalid("a text that is not UTF-8") }
        return text
    }

    fileprivate func write(into bytes: inout Bytes) {
        let (kind, parameter): (UInt8, UInt32) =
            switch reliability.limit {
            case .reliable: (0, 0)
            case .retransmissions(let count): (1, count)
            case .milliseconds(let time): (2, time)
            }
        bytes.append(kind | (reliability.isOrdered ? 0 : 0x80))
        bytes.append(bigEndian: priority)
        bytes.append(bigEndian: parameter)
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: label.utf8.count))
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: `protocol`.utf8.count))
        bytes.append(contentsOf: label.utf8)
        bytes.append(contentsOf: `protocol`.utf8)
    }
}
