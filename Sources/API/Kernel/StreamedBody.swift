// What tells a streamed body from another one: its hash, as far as the operation has read it.
//
//     SHA-256 of the headers that say what the body is for, and of what was read  | 32
//     bytes that were read                                                        |  8, big-endian
//     1: that was all, 0: the answer did not wait for the rest                    |  1
//
// An operation that refuses early (no room, no right) leaves the rest unread: then only as much is compared.

import Base
import Crypto
import Net
import Wire

/// `@unchecked Sendable`: a body has one reader, and the fingerprint is asked for when that is done.
final class StreamedBody: @unchecked Sendable {
    private static let size = SHA256.count + 9
    /// What tus says of its body outside of it.
    private static let headers: [StaticString] = [
        "upload-length", "upload-metadata", "upload-offset", "upload-checksum",
    ]

    private var hash = SHA256Stream()
    private var count: UInt64 = 0
    private var isEnded = false

    init(_ head: RequestHead) {
        for name in Self.headers { hash.update(Bytes("\(head.headers[name] ?? "")\n".utf8)) }
    }

    /// `nil` is the end.
    func take(_ piece: Bytes?) {
        guard let piece else {
            isEnded = true
            return
        }
        hash.update(piece)
        count &+= UInt64(piece.count)
    }

    func fingerprint() -> Bytes {
        hash.finish() + (0..<8).map { UInt8(truncatingIfNeeded: count >> (56 - 8 * UInt64($0))) } + [isEnded ? 1 : 0]
    }

    /// Whether this body, of which nothing has been read yet, is the one of a fingerprint. No more is read of it than was
    /// read then.
    func `is`(_ fingerprint: Bytes, _ body: RequestBody) async throws(RequestFault) -> Bool {
        guard fingerprint.count == Self.size else { return false }
        let wanted = fingerprint[SHA256.count..<(Self.size - 1)].reduce(0) { $0 << 8 | UInt64($1) }
        let wasWhole = fingerprint[Self.size - 1] == 1
        if wasWhole, let length = body.length, UInt64(clamping: length) != wanted { return false }
        while count < wanted {
            guard let piece = try await next(body) else { return false }
            guard wanted - count < UInt64(piece.count) else {
                take(piece)
                continue
            }
            if wasWhole { return false }
            take(Bytes(piece.prefix(Int(wanted - count))))
        }
        if wasWhole, try await next(body) != nil { return false }
        return hash.finish() == Bytes(fingerprint.prefix(SHA256.count))
    }

    private func next(_ body: RequestBody) async throws(RequestFault) -> Bytes? {
        do throws(RequestBodyError) {
            return try await body.next()
        } catch {
            switch error {
            case .tooLarge(let limit): throw .bodyTooLarge(limit: limit)
            case .aborted(let fault): throw .malformed(fault)
            }
        }
    }
}
