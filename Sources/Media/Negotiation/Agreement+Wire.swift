// The agreed picture in the terms of the packets: numbers of extensions, codecs that fit each other.

import Crypto
package import Wire

extension ExtensionMap {
    /// For who reads and writes packets.
    package var wire: RTPExtensionMap {
        var map = RTPExtensionMap()
        for kind in HeaderExtension.allCases {
            guard let number = self[kind], let wire = RTPExtensionKind(uri: kind.uri) else { continue }
            _ = map.set(number, wire)
        }
        return map
    }
}

extension SDPFingerprint {
    init?(_ fingerprint: DTLSFingerprint) {
        guard let hash = Hash(rawValue: fingerprint.algorithm.rawValue) else { return nil }
        self.init(hash: hash, bytes: fingerprint.bytes)
    }
}

extension DTLSFingerprint {
    init?(_ fingerprint: SDPFingerprint) {
        guard let algorithm = Algorithm(rawValue: fingerprint.hash.rawValue) else { return nil }
        self.init(algorithm, bytes: fingerprint.bytes)
    }
}
