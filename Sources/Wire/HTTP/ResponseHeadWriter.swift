// The head of an answer as bytes (RFC 9112 §4–§6), and the frames of a chunked body.

package import Base

/// How the client will know where the body ends.
package enum ResponseFraming: Sendable, Equatable {
    /// There is none by the status (1xx, 204, 304): nothing is written about it.
    case none
    /// Also for an answer to HEAD, whose body is not sent.
    case length(Int64)
    /// Never to an HTTP/1.0 client.
    case chunked
    /// The connection is closed after the body.
    case untilClose
}

/// What is said about the connection.
package enum ConnectionOption: Sendable, Equatable {
    /// HTTP/1.1 stays open without a word.
    case persistent
    /// An HTTP/1.0 client asked for it.
    case keepAlive
    case close
    /// 101: the headers say to which protocol.
    case upgrade
}

package enum ResponseHeadWriter {
    /// `date` is an IMF-fixdate; the caller keeps it for a second. An empty one is not written.
    package static func write(
        _ status: HTTPStatus, _ headers: ResponseHeaders, framing: ResponseFraming, connection: ConnectionOption,
        date: Bytes, into bytes: inout Bytes
    ) {
        // Answers to pipelined requests share a buffer; reserving for each would copy all of them each time.
        if bytes.isEmpty { bytes.reserveCapacity(headers.encoded.count + 160) }
        bytes.append("HTTP/1.1 ")
        bytes.appendDigits(Int64(status.code))
        bytes.append(0x20)
        bytes.append(status.reason)
        bytes.append("\r\n")
        if !date.isEmpty {
            bytes.append("Date: ")
            bytes.append(contentsOf: date)
            bytes.append("\r\n")
        }
        bytes.append(contentsOf: headers.encoded)
        append(framing, to: &bytes)
        append(connection, to: &bytes)
        bytes.append("\r\n")
    }

    /// The interim answer for a client that waits with its body.
    package static let `continue` = Bytes("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    private static func append(_ framing: ResponseFraming, to bytes: inout Bytes) {
        switch framing {
        case .none, .untilClose: break
        case .chunked: bytes.append("Transfer-Encoding: chunked\r\n")
        case .length(let length):
            bytes.append("Content-Length: ")
            bytes.appendDigits(length)
            bytes.append("\r\n")
        }
    }

    private static func append(_ connection: ConnectionOption, to bytes: inout Bytes) {
        switch connection {
        case .persistent: break
        case .keepAlive: bytes.append("Connection: keep-alive\r\n")
        case .close: bytes.append("Connection: close\r\n")
        case .upgrade: bytes.append("Connection: Upgrade\r\n")
        }
    }
}

/// The frames around the pieces of a chunked body.
package enum ChunkWriter {
    /// After the data of each chunk.
    package static let chunkEnd = Bytes("\r\n".utf8)
    /// After the last chunk; there are no trailers.
    package static let bodyEnd = Bytes("0\r\n\r\n".utf8)

    /// Before `size` bytes of data. A chunk of none would end the body: it is not written.
    package static func begin(_ size: Int, into bytes: inout Bytes) {
        guard size > 0 else { return }
        let digits = (size.bitWidth - size.leadingZeroBitCount + 3) / 4
        for digit in (0..<digits).reversed() {
            let value = UInt8(truncatingIfNeeded: size >> (digit * 4)) & 15
            bytes.append(value < 10 ? 0x30 + value : 0x57 + value)
        }
        bytes.append("\r\n")
    }

    /// A whole chunk.
    package static func append(_ data: Bytes, into bytes: inout Bytes) {
        guard !data.isEmpty else { return }
        begin(data.count, into: &bytes)
        bytes.append(contentsOf: data)
        bytes.append("\r\n")
    }
}

extension Bytes {
    mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { unsafe append(contentsOf: $0) }
    }

    /// Decimal digits, without the cost of a generic integer from another module.
    mutating func appendDigits(_ value: Int64) {
        var digits = InlineArray<20, UInt8>(repeating: 0x30)
        var rest = value.magnitude
        var start = digits.count
        repeat {
            start &-= 1
            digits[start] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest != 0
        if value < 0 { append(0x2D) }
        for index in start..<digits.count { append(digits[index]) }
    }
}
