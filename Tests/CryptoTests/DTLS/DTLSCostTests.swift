import Base
import Crypto
import Glibc
import Testing

/// Not a check: prints what a handshake costs. `PLEXI_MEASURE=1`, and a release build for figures worth keeping.
@Suite(.serialized, .enabled(if: getenv("PLEXI_MEASURE") != nil, "PLEXI_MEASURE is not set"))
struct DTLSCostTests {
    private func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
    }

    @Test func `handshakes and what stays of them`() throws {
        let (ours, theirs) = (try DTLSIdentity.make(), try DTLSIdentity.make())
        let count = 1_000
        var servers: [DTLSSession] = []
        servers.reserveCapacity(count + 20)
        var (before, start) = (0, 0.0)
        for number in 0..<count + 20 {
            // What is allocated once is there after the first twenty.
            if number == 20 { (before, start) = (ResidentMemory.bytes, processorTime()) }
            var link = try DTLSLink(theirs, ours, seed: UInt64(number))
            link.shakeHands()
            servers.append(link.server)
        }
        let spent = (processorTime() - start) / Double(count)
        let kept = Double(ResidentMemory.bytes - before) / Double(count) / 1_024
        #expect(servers.allSatisfy { $0.phase == .established })
        var sessions: [DTLSSession] = []
        let empty = ResidentMemory.bytes
        for _ in 0..<count {
            let session = try DTLSSession(.client, ours)
            session.start(now: Instant(nanoseconds: 1))
            sessions.append(session)
        }
        let waiting = Double(ResidentMemory.bytes - empty) / Double(count) / 1_024
        print(
            "handshake, both sides: \(spent) ms of CPU; \(kept) KiB per live server, \(waiting) KiB per waiting client")
        #expect(sessions.count == count)
    }
}
