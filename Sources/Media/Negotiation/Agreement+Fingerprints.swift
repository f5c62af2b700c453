// Fingerprints in the terms of a description and of the handshake.

import Crypto
import Wire

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
