// `Upload-Metadata` and `Upload-Checksum` of tus 1.0: names with values in Base64.

package import Base

/// `filename aGVsbG8udHh0,is_confidential`: pairs apart by commas; a name may stand without a value.
package struct UploadMetadata: Sendable, Equatable {
    /// More is refused; clients send two or three.
    package static let maximumCount = 32

    private let pairs: [String: Bytes]

    /// `nil` for what is malformed, or has a name twice.
    package init?(_ text: String) {
        var pairs: [String: Bytes] = [:]
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split(separator: " ", omittingEmptySubsequences: true)
            guard let name = words.first, words.count <= 2, pairs.count < Self.maximumCount,
                name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), pairs[String(name)] == nil
            else { return nil }
            guard words.count == 2 else {
                pairs[String(name)] = []
                continue
            }
            guard let value = Base64.decode(words[1]) else { return nil }
            pairs[String(name)] = value
        }
        self.pairs = pairs
    }

    package func contains(_ name: String) -> Bool { pairs[name] != nil }

    /// `nil` where there is none, and for what is not text: invalid UTF-8, or with a NUL.
    package func text(_ name: String) -> String? {
        guard let bytes = pairs[name], !bytes.contains(0) else { return nil }
        return String(validating: bytes)
    }
}

/// `sha256 9f86d0…` in Base64.
package struct UploadChecksum: Sendable, Equatable {
    package enum Algorithm: String, Sendable, CaseIterable { case sha1, sha256 }

    package let algorithm: Algorithm
    package let hash: Bytes

    /// `nil` for another algorithm, or for what is no hash of it.
    package init?(_ text: String) {
        let words = text.split(separator: " ")
        guard words.count == 2, let algorithm = Algorithm(rawValue: String(words[0])),
            let hash = Base64.decode(words[1]), hash.count == (algorithm == .sha1 ? 20 : 32)
        else { return nil }
        self.algorithm = algorithm
        self.hash = hash
    }
}
