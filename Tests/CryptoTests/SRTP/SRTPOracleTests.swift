import Base
import Crypto
import Glibc
import TestKit
import Testing

/// libsrtp 2, loaded while running: `PLEXI_LIBSRTP2` is its path, or it is where the system keeps libraries. Its
/// headers are not needed: the two structures that are passed are laid out here.
private final class LibSRTP {
    nonisolated(unsafe) private static let handle =
        getenv("PLEXI_LIBSRTP2").flatMap { dlopen($0, RTLD_NOW) } ?? dlopen("libsrtp2.so.1", RTLD_NOW)
    static var isThere: Bool { handle != nil }

    private typealias Start = @convention(c) () -> Int32
    private typealias SetPolicy = @convention(c) (UnsafeMutableRawPointer, Int32) -> Int32
    private typealias Create =
        @convention(c) (UnsafeMutablePointer<UnsafeMutableRawPointer?>, UnsafeMutableRawPointer) -> Int32
    private typealias Free = @convention(c) (UnsafeMutableRawPointer?) -> Int32
    private typealias Apply =
        @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int32>) -> Int32

    private static func symbol<Function>(_ name: String, as: Function.Type) -> Function {
        guard let address = dlsym(handle, name) else { fatalError("libsrtp has no \(name)") }
        return unsafeBitCast(address, to: Function.self)
    }

    private static let started: Bool = symbol("srtp_init", as: Start.self)() == 0

    private var session: UnsafeMutableRawPointer?

    /// `srtp_policy_t` of 2.x on 64 bits: the kind of SSRC at 0, two crypto policies of 24 bytes from 8, the key at
    /// 56, the replay window at 88.
    init(_ profile: SRTPProfile, key: Bytes, salt: Bytes, sending: Bool) throws {
        try #require(Self.started)
        let policy = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 8)
        policy.initializeMemory(as: UInt8.self, repeating: 0, count: 128)
        let secret = UnsafeMutablePointer<UInt8>.allocate(capacity: 64)
        defer {
            policy.deallocate()
            secret.deallocate()
        }
        for (offset, byte) in (key + salt).enumerated() { secret[offset] = byte }
        policy.storeBytes(of: sending ? 3 : 2, toByteOffset: 0, as: Int32.self)
        let rtp = Self.symbol("srtp_crypto_policy_set_from_profile_for_rtp", as: SetPolicy.self)
        let rtcp = Self.symbol("srtp_crypto_policy_set_from_profile_for_rtcp", as: SetPolicy.self)
        try #require(rtp(policy + 8, Int32(profile.rawValue)) == 0)
        try #require(rtcp(policy + 32, Int32(profile.rawValue)) == 0)
        policy.storeBytes(of: secret, toByteOffset: 56, as: UnsafeMutablePointer<UInt8>.self)
        policy.storeBytes(of: UInt(SRTPReplayWindow.depth), toByteOffset: 88, as: UInt.self)
        try #require(Self.symbol("srtp_create", as: Create.self)(&session, policy) == 0)
    }

    deinit { _ = Self.symbol("srtp_dealloc", as: Free.self)(session) }

    /// The packet, or `nil` when libsrtp refused it.
    func apply(_ function: String, _ packet: Bytes) -> Bytes? {
        // libsrtp wants aligned memory with room behind.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2_048, alignment: 16)
        defer { memory.deallocate() }
        memory.copyBytes(from: packet)
        var count = Int32(packet.count)
        guard Self.symbol(function, as: Apply.self)(session, memory.baseAddress, &count) == 0 else { return nil }
        return Bytes(memory.prefix(Int(count)))
    }
}

@Suite(.serialized, .enabled(if: LibSRTP.isThere, "libsrtp2 is not installed (PLEXI_LIBSRTP2 names another place)"))
struct SRTPOracleTests {
    private static let cases = SRTPProfile.allCases.flatMap { profile in [1, 2, 3].map { (profile, UInt64($0)) } }

    /// One stream of a source: its numbers roll over on the way.
    private struct Source {
        let ssrc: UInt32
        var index: UInt64

        mutating func next(_ random: inout SplitMix) -> Bytes {
            index += UInt64(Int.random(in: 0..<20, using: &random) == 0 ? Int.random(in: 2...700, using: &random) : 1)
            let hasExtension = Bool.random(using: &random)
            let sources = Int.random(in: 0..<20, using: &random) == 0 ? Int.random(in: 1...15, using: &random) : 0
            var packet: Bytes = [0x80 | (hasExtension ? 0x10 : 0) | UInt8(sources), 0x60]
            packet += [UInt8(truncatingIfNeeded: index >> 8), UInt8(truncatingIfNeeded: index), 1, 2, 3, 4]
            packet += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: ssrc >> $0) }
            packet += Bytes(repeating: 0x55, count: sources * 4)
            if hasExtension { packet += [0xBE, 0xDE, 0, 2, 0x10, 0xAA, 0x20, 0xBB, 0x31, 1, 2, 0] }
            let payload = Int.random(in: 0..<4, using: &random) == 0 ? 1_150 : Int.random(in: 0...160, using: &random)
            return packet + (0..<payload).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
    }

    private static func report(_ ssrc: UInt32, _ random: inout SplitMix) -> Bytes {
        let words = Int.random(in: 1...40, using: &random)
        let head: Bytes =
            [0x80, 0xC9, 0, UInt8(words + 1)] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: ssrc >> $0) }
        return head + (0..<words * 4).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private static func secrets(_ profile: SRTPProfile, _ random: inout SplitMix) -> (key: Bytes, salt: Bytes) {
        (
            (0..<profile.keyCount).map { _ in UInt8.random(in: 0...255, using: &random) },
            (0..<profile.saltCount).map { _ in UInt8.random(in: 0...255, using: &random) }
        )
    }

    @Test(arguments: cases)
    func `what we send, libsrtp opens`(_ profile: SRTPProfile, _ seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let (key, salt) = Self.secrets(profile, &random)
        let oracle = try LibSRTP(profile, key: key, salt: salt, sending: false)
        var sender = try SRTPSender(profile, key: Secret(key), salt: Secret(salt))
        var sources = (0..<3).map {
            Source(ssrc: 1_000 + $0, index: UInt64.random(in: 29_000...32_000, using: &random))
        }
        for round in 0..<6_000 {
            let place = Int.random(in: 0..<3, using: &random)
            let plain = sources[place].next(&random)
            var slot = Slot(plain)
            let madeRTP = slot.protectRTP(&sender, rollover: UInt32(sources[place].index >> 16))
            #expect(madeRTP)
            #expect(oracle.apply("srtp_unprotect", slot.packet) == plain, "packet \(round)")
            guard round % 7 == 0 else { continue }
            let report = Self.report(sources[place].ssrc, &random)
            var rtcp = Slot(report)
            let madeRTCP = rtcp.protectRTCP(&sender)
            #expect(madeRTCP)
            #expect(oracle.apply("srtp_unprotect_rtcp", rtcp.packet) == report, "report \(round)")
        }
        #expect(sources.contains { $0.index > 0xFFFF }, "a rollover happened")
    }

    /// With loss, reordering, duplicates and forgeries on the way; libsrtp's own receiver is asked for its verdict.
    @Test(arguments: cases)
    func `what libsrtp sends, we open, with the verdicts of libsrtp`(_ profile: SRTPProfile, _ seed: UInt64) throws {
        var random = SplitMix(seed: seed &+ 100)
        let (key, salt) = Self.secrets(profile, &random)
        let far = try LibSRTP(profile, key: key, salt: salt, sending: true)
        let judge = try LibSRTP(profile, key: key, salt: salt, sending: false)
        var receiver = try SRTPReceiver(profile, key: Secret(key), salt: Secret(salt))
        var source = Source(ssrc: 77, index: 31_000)
        var window = SRTPReplayWindow()
        var reports = SRTPReplayWindow()
        var onTheWay: [Bytes] = []
        var verdicts = [0, 0]
        for round in 0..<8_000 {
            onTheWay.append(try #require(far.apply("srtp_protect", source.next(&random))))
            if round % 9 == 0 {
                let plain = Self.report(77, &random)
                var slot = Slot(try #require(far.apply("srtp_protect_rtcp", plain)))
                let openedRTCP = slot.unprotectRTCP(&receiver, &reports) == .plain(plain.count) && slot.packet == plain
                #expect(openedRTCP)
            }
            while onTheWay.count > Int.random(in: 0..<40, using: &random) {
                let place = Int.random(in: 0..<min(onTheWay.count, 30), using: &random)
                let isLost = Int.random(in: 0..<20, using: &random) == 0
                let isRepeated = Int.random(in: 0..<20, using: &random) == 0
                var packet = isRepeated ? onTheWay[place] : onTheWay.remove(at: place)
                if isLost { continue }
                if Int.random(in: 0..<30, using: &random) == 0 { packet[packet.count - 1] ^= 1 }
                let expected = judge.apply("srtp_unprotect", packet)
                var slot = Slot(packet)
                let verdict = slot.unprotectRTP(&receiver, &window)
                #expect((verdict == .plain(slot.count)) == (expected != nil), "round \(round), \(verdict)")
                #expect(expected == nil || slot.packet == expected, "round \(round)")
                verdicts[expected == nil ? 0 : 1] += 1
            }
        }
        #expect(verdicts[0] > 100 && verdicts[1] > 4_000 && source.index > 0xFFFF)
    }
}
