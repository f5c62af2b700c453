import Base
import Crypto
import Glibc
import Testing

/// Not a check: prints what a packet costs. `PLEXI_MEASURE=1`, and a release build for figures worth keeping.
@Suite(.serialized, .enabled(if: getenv("PLEXI_MEASURE") != nil, "PLEXI_MEASURE is not set"))
struct SRTPCostTests {
    private static let rounds = 200_000

    /// The best of five, in nanoseconds.
    private func cost(_ body: (Int) -> Void) -> Double {
        (0..<5).map { _ in
            let start = Instant.now()
            for round in 0..<Self.rounds { body(round) }
            return Double((Instant.now() - start).nanoseconds) / Double(Self.rounds)
        }.min() ?? 0
    }

    @Test(arguments: SRTPProfile.allCases, [1_200, 120])
    func `protecting and opening`(_ profile: SRTPProfile, _ count: Int) throws {
        let (key, salt) = (SecureRandom.secret(profile.keyCount), SecureRandom.secret(profile.saltCount))
        var sender = try SRTPSender(profile, key: key, salt: salt)
        var receiver = try SRTPReceiver(profile, key: key, salt: salt)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1_536, alignment: 64)
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: 1_536, alignment: 64)
        defer {
            memory.deallocate()
            copy.deallocate()
        }
        _ = memory.initializeMemory(as: UInt8.self, repeating: 0x80)
        var sum = 0
        let out = cost { round in
            sum &+= sender.protectRTP(memory, count: count, headerLength: 20, ssrc: 7, index: UInt64(round)) ?? 0
        }
        let made = sender.protectRTP(memory, count: count, headerLength: 20, ssrc: 7, index: 9)
        let protected = try #require(made)
        let opening = cost { _ in
            copy.copyMemory(from: UnsafeRawBufferPointer(memory))
            var window = SRTPReplayWindow()
            let verdict = receiver.unprotectRTP(
                copy, count: protected, headerLength: 20, ssrc: 7, sequenceNumber: 9, window: &window)
            if case .plain(let plain) = verdict { sum &+= plain }
        }
        #expect(sum > 0)
        let before = ResidentMemory.bytes
        var more: [SenderBox] = []
        for _ in 0..<4_000 { more.append(SenderBox(try SRTPSender(profile, key: key, salt: salt))) }
        let bytes = (ResidentMemory.bytes - before) / more.count
        print("\(profile) \(count) bytes: protect \(out) ns, unprotect \(opening) ns, sender \(bytes) bytes resident")
    }

    private final class SenderBox {
        let sender: SRTPSender
        init(_ sender: consuming SRTPSender) { self.sender = sender }
    }
}

/// Of this process, from the kernel.
enum ResidentMemory {
    static var bytes: Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = Bytes(repeating: 0, count: 128)
        let count = fread(&line, 1, line.count, file)
        let fields = String(decoding: line[..<count], as: UTF8.self).split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4_096 : 0
    }
}
