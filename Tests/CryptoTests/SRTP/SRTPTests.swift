import Base
import TestKit
import Testing
import Wire

@testable import Crypto

@Suite struct SRTPTests {
    @Test func `session keys are those of RFC 3711`() throws {
        for vector in try MediaVectors.list("crypto/srtp/rfc-key-derivation.json") {
            let key = Secret(try MediaVectors.hex(vector, "master_key"))
            let salt = Secret(try MediaVectors.hex(vector, "master_salt"))
            let keys = try SRTPKeyDerivation.derive(.aes128CMSHA1_80, key: key, salt: salt, forRTCP: false)
            #expect(keys.cipher.exposedBytes == (try MediaVectors.hex(vector, "label_00_cipher_key")))
            #expect(keys.salt.exposedBytes == (try MediaVectors.hex(vector, "label_02_cipher_salt")))
            #expect(keys.authentication.exposedBytes == (try MediaVectors.hex(vector, "label_01_auth_key_first20")))
            let long = try SRTPKeyDerivation.stream(.aes128CMSHA1_80, key, salt, 1, 94)
            #expect(long.exposedBytes == (try MediaVectors.hex(vector, "label_01_auth_key_94_bytes")))
        }
    }

    @Test func `GCM packets are those of RFC 7714, and what is only authentic is refused`() throws {
        for vector in try MediaVectors.list("crypto/srtp/rfc7714-gcm.json") {
            let profile = try #require(SRTPProfile(named: vector["profile"]?.stringValue))
            let keys = SRTPSessionKeys(
                cipher: Secret(try MediaVectors.hex(vector, "session_key")),
                salt: Secret(try MediaVectors.hex(vector, "session_salt")), authentication: Secret([]))
            let index = UInt32(try #require(vector["rtcp_srtcp_index"]?.integerValue))
            var sender = try SRTPSender(profile, session: keys, firstRTCPIndex: index)
            var receiver = try SRTPReceiver(profile, session: keys)
            var window = SRTPReplayWindow()
            var rtp = Slot(try MediaVectors.hex(vector, "rtp_plain"))
            let madeRTP = rtp.protectRTP(&sender, rollover: 0)
            #expect(madeRTP)
            #expect(rtp.packet == (try MediaVectors.hex(vector, "srtp_encrypted")))
            let openedRTP = rtp.unprotectRTP(&receiver, &window) == .plain(rtp.count)
            #expect(openedRTP)
            #expect(rtp.packet == (try MediaVectors.hex(vector, "rtp_plain")))
            var rtcp = Slot(try MediaVectors.hex(vector, "rtcp_plain"))
            let madeRTCP = rtcp.protectRTCP(&sender)
            #expect(madeRTCP)
            #expect(rtcp.packet == (try MediaVectors.hex(vector, "srtcp_encrypted")))
            var rtcpWindow = SRTPReplayWindow()
            let openedRTCP = rtcp.unprotectRTCP(&receiver, &rtcpWindow) == .plain(rtcp.count)
            #expect(openedRTCP)
            #expect(rtcp.packet == (try MediaVectors.hex(vector, "rtcp_plain")))
            var clear = Slot(try MediaVectors.hex(vector, "srtcp_auth_only"))
            var fresh = SRTPReplayWindow()
            let clearRefused = clear.unprotectRTCP(&receiver, &fresh) == .forged
            #expect(clearRefused)
        }
    }

    @Test func `packets of each profile are those of the vectors`() throws {
        var count = 0
        for vector in try MediaVectors.list("crypto/srtp/profile-packets.json") {
            guard let profile = SRTPProfile(named: vector["profile"]?.stringValue) else { continue }
            count += 1
            let key = Secret(try MediaVectors.hex(vector, "master_key"))
            let salt = Secret(try MediaVectors.hex(vector, "master_salt").prefix(profile.saltCount))
            let index = UInt32(try #require(vector["srtcp_index"]?.integerValue))
            var sender = try SRTPSender(profile, key: key, salt: salt, firstRTCPIndex: index)
            var rtp = Slot(try MediaVectors.hex(vector, "rtp_plain"))
            let madeRTP = rtp.protectRTP(&sender, rollover: UInt32(try #require(vector["roc"]?.integerValue)))
            #expect(madeRTP)
            #expect(rtp.packet == (try MediaVectors.hex(vector, "srtp")))
            var rtcp = Slot(try MediaVectors.hex(vector, "rtcp_plain"))
            let madeRTCP = rtcp.protectRTCP(&sender)
            #expect(madeRTCP)
            #expect(rtcp.packet == (try MediaVectors.hex(vector, "srtcp")))
        }
        #expect(count >= 2)
    }

    /// Rollovers, reordering, replays, forgeries, shapes of headers; each entry is one receiver from its start.
    @Test func `sequences of packets get their verdicts`() throws {
        var profiles: Set<SRTPProfile> = []
        for vector in try MediaVectors.list("crypto/srtp/generated-sequences.json") {
            guard let profile = SRTPProfile(named: vector["profile"]?.stringValue) else { continue }
            profiles.insert(profile)
            let name = vector["name"]?.stringValue ?? ""
            let key = Secret(try MediaVectors.hex(vector, "master_key"))
            let salt = Secret(try MediaVectors.hex(vector, "master_salt"))
            var receiver = try SRTPReceiver(profile, key: key, salt: salt)
            var windows: [UInt32: SRTPReplayWindow] = [:]
            for (number, step) in try #require(vector["steps"]?.arrayValue).enumerated() {
                let accepted = step["verdict"]?.stringValue == "accept"
                let isRTP = step["kind"]?.stringValue == "rtp"
                var slot = Slot(try MediaVectors.hex(step, isRTP ? "srtp" : "srtcp"))
                let stream = isRTP ? slot.ssrc : slot.bytes[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
                var window = windows[stream] ?? SRTPReplayWindow()
                let verdict =
                    isRTP ? slot.unprotectRTP(&receiver, &window) : slot.unprotectRTCP(&receiver, &window)
                #expect((verdict == .plain(slot.count)) == accepted, "\(name), step \(number)")
                guard accepted else { continue }
                windows[stream] = window
                let plain = try MediaVectors.hex(step, "plain")
                #expect(slot.packet == plain, "\(name), step \(number)")
                var back = Slot(plain)
                let index = UInt32(step["srtcp_index"]?.integerValue ?? 1)
                var sender = try SRTPSender(profile, key: key, salt: salt, firstRTCPIndex: index)
                let roc = UInt32(step["roc"]?.integerValue ?? 0)
                let madeRTP = isRTP ? back.protectRTP(&sender, rollover: roc) : back.protectRTCP(&sender)
                #expect(madeRTP)
                #expect(back.packet == (try MediaVectors.hex(step, isRTP ? "srtp" : "srtcp")), "\(name), \(number)")
            }
        }
        #expect(profiles.count == 3)
    }

    @Test(arguments: SRTPProfile.allCases)
    func `every flipped bit is noticed, and leaves window and error queue as they were`(_ profile: SRTPProfile) throws {
        let (key, salt) = (SecureRandom.secret(profile.keyCount), SecureRandom.secret(profile.saltCount))
        var sender = try SRTPSender(profile, key: key, salt: salt)
        var receiver = try SRTPReceiver(profile, key: key, salt: salt)
        var rtp = Slot([0x80, 0x60, 0, 9, 0, 0, 0, 1, 1, 2, 3, 4, 0xAA, 0xBB, 0xCC], room: 64)
        var rtcp = Slot([0x80, 0xC8, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8], room: 64)
        let madeBoth = rtp.protectRTP(&sender, rollover: 0) && rtcp.protectRTCP(&sender)
        #expect(madeBoth)
        for isRTP in [true, false] {
            let good = isRTP ? rtp : rtcp
            var window = SRTPReplayWindow()
            for bit in 0..<good.count * 8 {
                // Flags that change where the header ends would only test the test's parser.
                if isRTP && bit < 8 { continue }
                var bad = good
                bad.bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                let verdict = isRTP ? bad.unprotectRTP(&receiver, &window) : bad.unprotectRTCP(&receiver, &window)
                #expect(verdict == .forged, "bit \(bit)")
                #expect(window.isFresh && OpenSSLFailure.take() == "OpenSSL gave no reason")
            }
            var genuine = good
            let verdict = isRTP ? genuine.unprotectRTP(&receiver, &window) : genuine.unprotectRTCP(&receiver, &window)
            #expect(verdict == .plain(genuine.count) && !window.isFresh)
            var again = good
            let second = isRTP ? again.unprotectRTP(&receiver, &window) : again.unprotectRTCP(&receiver, &window)
            #expect(second == .replayed)
        }
    }

    @Test(arguments: SRTPProfile.allCases)
    func `no length or room traps or writes beyond`(_ profile: SRTPProfile) throws {
        let (key, salt) = (SecureRandom.secret(profile.keyCount), SecureRandom.secret(profile.saltCount))
        var sender = try SRTPSender(profile, key: key, salt: salt)
        var receiver = try SRTPReceiver(profile, key: key, salt: salt)
        for count in 0..<64 {
            for header in [0, 11, 12, count, count + 1, 1 << 40] {
                var window = SRTPReplayWindow()
                var slot = Bytes(repeating: 0x80, count: count)
                let opened = slot.withUnsafeMutableBytes {
                    receiver.unprotectRTP(
                        $0, count: count, headerLength: header, ssrc: 1, sequenceNumber: 1, window: &window)
                }
                let fits = header >= 12 && header + profile.rtpOverhead <= count
                #expect(opened == (fits ? .forged : .tooShort))
                let made = slot.withUnsafeMutableBytes {
                    sender.protectRTP($0, count: count, headerLength: header, ssrc: 1, index: UInt64(count))
                }
                #expect(made == nil, "there is no room for a tag")
            }
            var window = SRTPReplayWindow()
            var slot = Bytes(repeating: 0x80, count: count)
            let opened = slot.withUnsafeMutableBytes { receiver.unprotectRTCP($0, count: count, window: &window) }
            #expect(opened == (count >= 8 + profile.rtcpOverhead ? .forged : .tooShort))
            #expect(slot.withUnsafeMutableBytes { sender.protectRTCP($0, count: count) } == nil)
        }
        var exact = Slot(Bytes(repeating: 0x80, count: 40), room: 40 + profile.rtcpOverhead)
        let exactFits = exact.protectRTCP(&sender) && exact.count == 40 + profile.rtcpOverhead
        #expect(exactFits)
    }

    @Test func `keys of the wrong size are refused, and the RTCP index is never used twice`() throws {
        for profile in SRTPProfile.allCases {
            let (key, salt) = (SecureRandom.secret(profile.keyCount), SecureRandom.secret(profile.saltCount))
            #expect(throws: CryptoError.self) { try makeSender(profile, SecureRandom.secret(15), salt) }
            #expect(throws: CryptoError.self) { try makeSender(profile, key, SecureRandom.secret(13)) }
            var sender = try SRTPSender(profile, key: key, salt: salt, firstRTCPIndex: 0x7FFF_FFFF)
            var last = Slot(Bytes(repeating: 0x80, count: 12))
            let lastFits = last.protectRTCP(&sender)
            #expect(lastFits)
            var beyond = Slot(Bytes(repeating: 0x80, count: 12))
            let beyondRefused = !beyond.protectRTCP(&sender)
            #expect(beyondRefused)
            #expect(beyond.packet == Bytes(repeating: 0x80, count: 12))
        }
    }

    private func makeSender(_ profile: SRTPProfile, _ key: Secret, _ salt: Secret) throws {
        _ = try SRTPSender(profile, key: key, salt: salt)
    }
}

@Suite struct SRTPReplayWindowTests {
    /// Against a set of everything that was accepted.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `it agrees with a set that forgets nothing`(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var window = SRTPReplayWindow()
        var seen: Set<UInt64> = []
        var highest: UInt64 = 60_000
        for _ in 0..<50_000 {
            let index: UInt64 =
                switch Int.random(in: 0..<20, using: &random) {
                case 0: highest + UInt64.random(in: 0...3_000, using: &random)
                case 1...9: highest + UInt64.random(in: 0...3, using: &random)
                default: highest - min(highest, UInt64.random(in: 0...1_200, using: &random))
                }
            let tooOld = !seen.isEmpty && highest > index && highest - index >= SRTPReplayWindow.depth
            #expect(window.check(index) == (!tooOld && !seen.contains(index)))
            guard window.check(index) else { continue }
            window.accept(index)
            highest = seen.isEmpty ? index : max(highest, index)
            seen.insert(index)
            #expect(window.highest == highest && !window.check(index))
        }
    }

    /// (highest index so far, number received, index expected)
    @Test(arguments: [
        (0x0_0005, 0x0006, 0x0_0006), (0x0_FFFF, 0x0000, 0x1_0000), (0x1_0000, 0xFFFF, 0x0_FFFF),
        (0x1_7FFF, 0xFFFF, 0x1_FFFF), (0x1_7FFE, 0xFFFF, 0x0_FFFF), (0x1_8001, 0x0000, 0x2_0000),
        (0x1_8000, 0x0000, 0x1_0000), (0x0_0005, 0xFFFF, 0x0_FFFF), (0xFFFF_FFFF_FFFF, 0, 0xFFFF_FFFF_0000),
    ])
    func `the rollover counter is the nearest`(highest: Int, number: Int, expected: Int) {
        var window = SRTPReplayWindow()
        #expect(window.index(of: UInt16(number)) == UInt64(number))
        window.accept(UInt64(highest))
        #expect(window.index(of: UInt16(number)) == UInt64(expected))
    }

    @Test func `it is copied as plain bytes`() {
        #expect(MemoryLayout<SRTPReplayWindow>.size <= 144)
        requirePlain(SRTPReplayWindow.self)
    }

    private func requirePlain<Value: BitwiseCopyable>(_: Value.Type) {}
}
