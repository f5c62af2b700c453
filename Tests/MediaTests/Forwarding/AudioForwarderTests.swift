import Base
import TestKit
import Testing

@testable import Media

@Suite struct AudioForwarderTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func packet(
        _ source: UInt32, _ index: Int, isSilenced: Bool = false, at milliseconds: Int? = nil
    ) -> AudioInput {
        AudioInput(
            source: source, sequence: UInt64(source) * 1_000 + UInt64(index),
            timestamp: UInt32(truncatingIfNeeded: Int(source) * 77_777_777 + index * 960),
            arrival: start + .milliseconds(milliseconds ?? index * 20), isSilenced: isSilenced)
    }

    @Test func `changes of source go on in number and in time`() throws {
        var forwarder = AudioForwarder()
        var rewrites: [Rewrite] = []
        for index in 0..<150 {
            forwarder.select(UInt32(1 + index / 50))
            for source in UInt32(1)...3 {
                if case .forward(let rewrite) = forwarder.offer(packet(source, index)) { rewrites.append(rewrite) }
            }
        }
        #expect(rewrites.count == 150)
        for (one, next) in zip(rewrites, rewrites.dropFirst()) {
            #expect(next.sequence == one.sequence + 1)
            #expect(next.timestamp &- one.timestamp == 960)
        }
        #expect(rewrites.indices.filter { rewrites[$0].marker } == [0, 50, 100])
    }

    @Test func `silence leaves no gap in numbers, but takes its time`() {
        var forwarder = AudioForwarder()
        forwarder.select(1)
        var rewrites: [Rewrite] = []
        for index in 0..<30 {
            let verdict = forwarder.offer(packet(1, index, isSilenced: (10..<20).contains(index)))
            if case .forward(let rewrite) = verdict { rewrites.append(rewrite) }
        }
        #expect(rewrites.count == 20)
        #expect(rewrites[19].sequence - rewrites[0].sequence == 19)
        #expect(rewrites[19].timestamp &- rewrites[0].timestamp == 29 * 960)
        #expect(rewrites[10].marker && !rewrites[11].marker)
    }

    @Test func `late packets get the number kept, lost ones leave a gap`() {
        var forwarder = AudioForwarder()
        forwarder.select(1)
        var numbers: [Int: UInt64] = [:]
        for index in [0, 1, 3, 4, 2, 5, 7, 2] {
            if case .forward(let rewrite) = forwarder.offer(packet(1, index)) { numbers[index] = rewrite.sequence }
        }
        let first = numbers[0] ?? 0
        for index in [0, 1, 2, 3, 4, 5, 7] { #expect(numbers[index] == first + UInt64(index)) }
        forwarder.select(nil)
        guard case .drop(.paused) = forwarder.offer(packet(1, 8)) else { return #expect(Bool(false)) }
    }
}
