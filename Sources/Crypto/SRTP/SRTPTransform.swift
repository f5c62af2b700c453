// The keyed cipher of one direction and one kind of packet (RTP or RTCP). Everything is allocated in `init`; a packet
// costs neither an allocation nor a lock. What was tried and measured is in docs/media/dtls-srtp.md.

import Base
import COpenSSL
import CShims

/// Addresses of a cipher's memory, to be asked for before a packet needs it, and for nothing else: they may be of a cipher
/// that is gone.
package struct SRTPPlaces: BitwiseCopyable {
    /// Of OpenSSL's context only the beginning is known; how long it is, it does not say.
    private static let contextBytes: UInt = 192

    fileprivate let context: UnsafeRawPointer
    fileprivate let parameters: UnsafePointer<OSSL_PARAM>
    fileprivate let keyed: UnsafePointer<plexi_hmac_sha1>?

    @inline(__always)
    package func prefetch() {
        plexi_prefetch(context, Self.contextBytes)
        plexi_prefetch(parameters, UInt(SRTPTransform.parameterCount * MemoryLayout<OSSL_PARAM>.stride))
        if let keyed { plexi_prefetch(keyed, UInt(MemoryLayout<plexi_hmac_sha1>.size)) }
    }
}

struct SRTPTransform: ~Copyable {
    /// What a nonce or a counter block is made of: eight and eight bytes as they lie in memory.
    private typealias Block = (UInt64, UInt64)

    private let context: OpaquePointer
    /// GCM's nonce and tag as parameter lists, kept: `EVP_CipherInit_ex2` asks for the length of a nonce by such a list,
    /// and `EVP_CIPHER_CTX_ctrl` builds one each time. The addresses are put in per packet. For encryption the nonce, an
    /// end, the tag, an end; for decryption, which is given both at once, the nonce, the tag, an end.
    private let parameters: UnsafeMutablePointer<OSSL_PARAM>
    fileprivate static let parameterCount = 4
    private let tag: UnsafeMutablePointer<OSSL_PARAM>
    /// CM only: the hash states that hold the authentication key.
    private let keyed: UnsafeMutablePointer<plexi_hmac_sha1>?
    private let salt: (high: UInt64, low: UInt64)
    let isAEAD: Bool

    init(_ profile: SRTPProfile, _ keys: SRTPSessionKeys, encrypting: Bool) throws(CryptoError) {
        // Whatever may fail comes before the first stored property.
        let context = try Self.keyedContext(profile, keys, encrypting)
        self.context = context
        isAEAD = profile.isAEAD
        salt = keys.salt.withExposedBytes { bytes in
            var words: Block = (0, 0)
            withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: bytes) }
            return (UInt64(bigEndian: words.0), UInt64(bigEndian: words.1))
        }
        parameters = .allocate(capacity: Self.parameterCount)
        parameters.initialize(repeating: OSSL_PARAM_construct_end(), count: Self.parameterCount)
        parameters[0] = plexi_cipher_nonce()
        tag = parameters + (encrypting ? 2 : 1)
        tag.pointee = OSSL_PARAM_construct_octet_string(plexi_cipher_param_tag(), nil, profile.tagCount)
        keyed = profile.isAEAD ? nil : Self.hashStates(keys.authentication)
    }

    private static func keyedContext(
        _ profile: SRTPProfile, _ keys: SRTPSessionKeys, _ encrypting: Bool
    ) throws(CryptoError) -> OpaquePointer {
        guard let context = EVP_CIPHER_CTX_new() else { throw OpenSSLFailure.error() }
        let cipher = SRTPAlgorithms.cipher(of: profile).pointer
        let started = keys.cipher.withExposedBytes {
            EVP_CipherInit_ex2(
                context, cipher, $0.bindMemory(to: UInt8.self).baseAddress, nil, encrypting ? 1 : 0, nil)
        }
        guard started == 1, !profile.isAEAD || takesNonces(context) else {
            EVP_CIPHER_CTX_free(context)
            throw OpenSSLFailure.error()
        }
        return context
    }

    /// Asked once, so that a provider which does not know the parameter is found when a session is made.
    private static func takesNonces(_ context: OpaquePointer) -> Bool {
        var zeros: Block = (0, 0)
        return withUnsafeMutableBytes(of: &zeros) { zeros in
            var nonce = plexi_cipher_nonce()
            nonce.data = zeros.baseAddress
            return EVP_CIPHER_CTX_set_params(context, [nonce, OSSL_PARAM_construct_end()]) == 1
        }
    }

    private static func hashStates(_ key: Secret) -> UnsafeMutablePointer<plexi_hmac_sha1> {
        let states = UnsafeMutablePointer<plexi_hmac_sha1>.allocate(capacity: 1)
        key.withExposedBytes { plexi_hmac_sha1_init(states, $0.bindMemory(to: UInt8.self).baseAddress, $0.count) }
        return states
    }

    deinit {
        // OpenSSL wipes the key schedule.
        EVP_CIPHER_CTX_free(context)
        parameters.deallocate()
        if let keyed {
            OPENSSL_cleanse(keyed, MemoryLayout<plexi_hmac_sha1>.size)
            keyed.deallocate()
        }
    }

    /// Where the memory is that a packet needs besides `self`.
    var places: SRTPPlaces {
        SRTPPlaces(
            context: UnsafeRawPointer(context), parameters: UnsafePointer(parameters),
            keyed: keyed.map { UnsafePointer($0) })
    }

    // MARK: - AEAD (RFC 7714)

    /// Encrypts `count` bytes in place and puts the 16-byte tag where told. `more` is authenticated after `header`.
    func seal(
        _ body: UnsafeMutableRawPointer, count: Int, header: UnsafeRawPointer, headerCount: Int,
        more: UInt32?, tagAt place: UnsafeMutableRawPointer, ssrc: UInt32, index: UInt64
    ) -> Bool {
        guard set(nonce(ssrc, index)), authenticate(header, headerCount, more), apply(body, count) else {
            return failed()
        }
        var none: Int32 = 0
        tag.pointee.data = place
        guard EVP_EncryptFinal_ex(context, place.assumingMemoryBound(to: UInt8.self), &none) == 1,
            EVP_CIPHER_CTX_get_params(context, tag) == 1
        else { return failed() }
        return true
    }

    /// Decrypts in place; false when the tag does not fit.
    func open(
        _ body: UnsafeMutableRawPointer, count: Int, header: UnsafeRawPointer, headerCount: Int,
        more: UInt32?, tagAt place: UnsafeMutableRawPointer, ssrc: UInt32, index: UInt64
    ) -> Bool {
        tag.pointee.data = place
        guard set(nonce(ssrc, index)), authenticate(header, headerCount, more), apply(body, count) else {
            return failed()
        }
        var none: Int32 = 0
        var nowhere: UInt64 = 0
        let fits = withUnsafeMutableBytes(of: &nowhere) {
            EVP_DecryptFinal_ex(context, $0.bindMemory(to: UInt8.self).baseAddress, &none) == 1
        }
        return fits || failed()
    }

    /// RFC 7714 §8.1 and §9.1: 16 zero bits, SSRC, 48-bit index; over them the salt.
    private func nonce(_ ssrc: UInt32, _ index: UInt64) -> Block {
        let high = salt.high ^ (UInt64(ssrc) << 16 | index >> 32)
        let low = salt.low ^ index << 32
        return (high.bigEndian, low.bigEndian)
    }

    private func authenticate(_ header: UnsafeRawPointer, _ count: Int, _ more: UInt32?) -> Bool {
        var done: Int32 = 0
        guard EVP_CipherUpdate(context, nil, &done, header.assumingMemoryBound(to: UInt8.self), Int32(count)) == 1
        else { return false }
        guard let more else { return true }
        return withUnsafeBytes(of: more.bigEndian) {
            EVP_CipherUpdate(context, nil, &done, $0.bindMemory(to: UInt8.self).baseAddress, 4) == 1
        }
    }

    // MARK: - Counter mode and HMAC (RFC 3711)

    /// Encrypts or decrypts in place, which is the same.
    func crypt(_ body: UnsafeMutableRawPointer, count: Int, ssrc: UInt32, index: UInt64) -> Bool {
        begin(counter(ssrc, index)) && apply(body, count) || failed()
    }

    /// HMAC-SHA1 over the packet and, for RTP, the rollover counter; the tag is its first ten bytes.
    func authenticator(_ packet: UnsafeRawPointer, count: Int, rollover: UInt32?) -> InlineArray<20, UInt8> {
        var mac = InlineArray<20, UInt8>(repeating: 0)
        guard let keyed else { preconditionFailure("only counter mode has a separate authenticator") }
        withUnsafeMutableBytes(of: &mac) { mac in
            var suffix = (rollover ?? 0).bigEndian
            plexi_hmac_sha1_tag(keyed, packet, count, &suffix, rollover == nil ? 0 : 4, mac.baseAddress)
        }
        return mac
    }

    /// RFC 3711 §4.1.1: salt, SSRC from bit 64, index from bit 16.
    private func counter(_ ssrc: UInt32, _ index: UInt64) -> Block {
        let high = salt.high ^ UInt64(ssrc)
        let low = salt.low ^ index << 16
        return (high.bigEndian, low.bigEndian)
    }

    // MARK: - OpenSSL

    /// GCM: the key stays; the nonce is new, and for decryption the tag.
    private func set(_ nonce: Block) -> Bool {
        withUnsafeBytes(of: nonce) {
            parameters.pointee.data = UnsafeMutableRawPointer(mutating: $0.baseAddress)
            return EVP_CIPHER_CTX_set_params(context, parameters) == 1
        }
    }

    /// Counter mode: the same.
    private func begin(_ block: Block) -> Bool {
        withUnsafeBytes(of: block) {
            EVP_CipherInit_ex2(context, nil, nil, $0.bindMemory(to: UInt8.self).baseAddress, -1, nil) == 1
        }
    }

    private func apply(_ body: UnsafeMutableRawPointer, _ count: Int) -> Bool {
        guard count > 0 else { return true }
        let bytes = body.assumingMemoryBound(to: UInt8.self)
        var done: Int32 = 0
        return EVP_CipherUpdate(context, bytes, &done, bytes, Int32(count)) == 1
    }

    /// The queue of errors is the thread's, and others read it.
    private func failed() -> Bool {
        ERR_clear_error()
        return false
    }
}
