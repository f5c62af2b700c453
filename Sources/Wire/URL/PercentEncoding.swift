// Percent-encoding (RFC 3986 §2.1).

package import Base

package enum PercentEncoding {
    /// What may stay as it is.
    package enum Kept: Sendable {
        /// Letters, digits and `-._~`: safe in every part of a URL.
        case unreserved
        /// RFC 8187 `attr-char`, for `filename*`.
        case attribute
        /// Unreserved and `/`: for whole paths.
        case path
    }

    /// `nil` for a `%` without two hexadecimal digits after it.
    package static func decode(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool = false) -> Bytes? {
        var decoded = Bytes()
        decoded.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            guard byte == 0x25 else {
                decoded.append(plusIsSpace && byte == 0x2B ? 0x20 : byte)
                continue
            }
            guard bytes.endIndex - index >= 2, let high = Hex.value(of: bytes[index]),
                let low = Hex.value(of: bytes[index + 1])
            else { return nil }
            decoded.append(high << 4 | low)
            index += 2
        }
        return decoded
    }

    package static func encode(_ text: String, keeping kept: Kept = .unreserved) -> String {
        var encoded = Bytes()
        encoded.reserveCapacity(text.utf8.count)
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            if keeps(byte, kept) {
                encoded.append(byte)
            } else {
                encoded.append(0x25)
                encoded.append(digits[Int(byte >> 4)])
                encoded.append(digits[Int(byte & 15)])
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    private static func keeps(_ byte: UInt8, _ kept: Kept) -> Bool {
        switch kept {
        case .unreserved: ByteSet.unreserved.contains(byte)
        case .path: ByteSet.unreserved.contains(byte) || byte == 0x2F
        case .attribute: ByteSet.token.contains(byte) && byte != 0x25 && byte != 0x27 && byte != 0x2A
        }
    }
}
