// Request ids: the client's own where it sends a sane one, else made here.

import Base
import Synchronization

final class RequestIDs: Sendable {
    /// What is longer, or holds anything but visible ASCII, is replaced: it goes into headers, logs and answers.
    static let lengthMax = 128

    /// Random once per process and then counted: an id must be unique, not secret, and the kernel's random source
    /// costs two system calls a request.
    private let seed = UUID.random()
    private let next = Atomic<UInt64>(0)

    func make() -> String {
        let count = next.wrappingAdd(1, ordering: .relaxed).newValue
        // An odd multiplier permutes the numbers: neighbours look different, none comes twice.
        let low = (seed.low ^ (count &* 0x9E37_79B9_7F4A_7C15)) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return UUID(high: seed.high, low: low).description
    }

    static func accept(_ header: String?) -> String? {
        guard let header, (1...lengthMax).contains(header.utf8.count) else { return nil }
        return header.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? header : nil
    }
}
