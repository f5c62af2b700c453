import Base
import Glibc
import TestKit
import Testing
import Wire

@testable import Media

/// Not a check but a measurement, printed; `PLEXI_SCTP_BENCH=1` runs it, and only a release build means something.
@Suite(.enabled(if: getenv("PLEXI_SCTP_BENCH") != nil)) struct SCTPThroughputTests {
    @Test(arguments: [16, 100, 1_000, 60_000])
    func `bytes from one association to another without a network`(size: Int) {
        var random = SplitMix(seed: 1)
        var left = SCTPAssociation(random: &random)
        var right = SCTPAssociation(random: &random)
        var now = Instant(nanoseconds: 1_000_000_000)
        var packet: Bytes = []
        left.connect(now: now)
        func exchange() -> Int {
            var received = 0
            while left.nextPacket(into: &packet, now: now) { right.receive(packet.span.bytes, now: now) }
            while let event = right.nextEvent() { if case .message = event { received += 1 } }
            while right.nextPacket(into: &packet, now: now) { left.receive(packet.span.bytes, now: now) }
            while left.nextEvent() != nil {}
            return received
        }
        for _ in 0..<4 { _ = exchange() }
        let payload = Bytes(repeating: 7, count: size)
        let total = size < 10_000 ? 400_000 : 4_000
        var sent = 0
        var received = 0
        let start = Instant.now()
        while received < total {
            for _ in 0..<32 where sent < total && left.send(payload, on: 1, protocolID: 53, now: now) == .accepted {
                sent += 1
            }
            received += exchange()
            now = now + .milliseconds(1)
            left.handleTimeout(now: now)
            right.handleTimeout(now: now)
        }
        let time = (Instant.now() - start).inSeconds
        print(
            "sctp \(size) bytes: \(time * 1e9 / Double(total)) ns a message, \(Double(size * total) / time / 1e6) MB/s")
        #expect(received == total)
    }
}
