import Base
import Synchronization
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct TapPipeTests {
    private final class Wakes: Sendable {
        let count = Atomic<Int>(0)
        func add() { count.add(1, ordering: .releasing) }
        var value: Int { count.load(ordering: .acquiring) }
    }

    /// What a packet of this number looks like.
    private static func packet(_ number: Int) -> (packet: TapPacket, descriptor: Bytes, payload: Bytes) {
        let payload = Bytes(repeating: UInt8(truncatingIfNeeded: number), count: number % 1_400)
        let descriptor = Bytes(repeating: UInt8(truncatingIfNeeded: number + 1), count: number % 7 == 0 ? 40 : 0)
        let packet = TapPacket(
            track: 1, stream: 2, layer: 0, payloadType: 96, sequence: UInt64(number),
            arrival: Instant(nanoseconds: UInt64(number)), timestamp: UInt32(number), flags: .marker, spatial: 0,
            temporal: 1, audioLevel: TapPacket.noLevel, orientation: TapPacket.noOrientation,
            descriptorLength: UInt8(descriptor.count), payloadLength: UInt16(payload.count))
        return (packet, descriptor, payload)
    }

    private static func push(_ number: Int, into pipe: TapPipe) -> Bool {
        let (packet, descriptor, payload) = packet(number)
        return descriptor.withUnsafeBytes { descriptor in
            payload.withUnsafeBytes { pipe.push(packet, descriptor: descriptor, payload: $0) }
        }
    }

    /// The numbers of packets that are there, each with all that it says.
    private static func drain(_ pipe: TapPipe) -> [Int] {
        var numbers: [Int] = []
        pipe.begin()
        while case .packet(let heard) = pipe.next() {
            let number = Int(heard.sequence)
            let (packet, descriptor, payload) = packet(number)
            #expect(heard == packet)
            #expect(Bytes(pipe.descriptor) == descriptor)
            #expect(Bytes(pipe.payload) == payload)
            numbers.append(number)
        }
        return numbers
    }

    private static func event(_ number: Int) -> TapEvent {
        .held(track: UInt32(number), true, at: Instant(nanoseconds: 0))
    }

    @Test func `what lies in the ring is plain memory`() {
        #expect(_isPOD(TapPacket.self))
        #expect(_isPOD(TapReport.self))
        #expect(_isPOD(TapGap.self))
        #expect(_isPOD(TapPipe.Header.self))
        #expect(MemoryLayout<TapPipe.Header>.size <= TapPipe.bodyOffset)
        #expect(MemoryLayout<TapPacket>.alignment <= TapPipe.bodyOffset)
    }

    @Test func `what is published is heard once and in order, and wakes once`() {
        let wakes = Wakes()
        let pipe = TapPipe(capacity: 1 << 17) { wakes.add() }
        #expect(Self.push(1, into: pipe))
        #expect(Self.push(2, into: pipe))
        #expect(Self.drain(pipe) == [])
        #expect(wakes.value == 0)
        pipe.publish()
        pipe.publish()
        #expect(Self.push(3, into: pipe))
        pipe.publish()
        #expect(wakes.value == 1)
        #expect(Self.drain(pipe) == [1, 2, 3])
        #expect(Self.push(4, into: pipe))
        pipe.publish()
        #expect(wakes.value == 2)
        #expect(Self.drain(pipe) == [4])
        #expect(pipe.unread == 0)
    }

    @Test func `the ring goes round many times`() {
        let pipe = TapPipe(capacity: 1 << 17) {}
        for number in 0..<5_000 {
            #expect(Self.push(number, into: pipe))
            pipe.publish()
            guard number % 50 == 49 else { continue }
            #expect(Self.drain(pipe) == Array(number - 49...number))
        }
    }

    @Test func `a full pipe refuses until a quarter of it is free, and then goes on`() {
        let capacity = 1 << 17
        let pipe = TapPipe(capacity: capacity) {}
        var taken = 0
        while Self.push(1_000 + taken % 3, into: pipe) { taken += 1 }
        pipe.publish()
        #expect(pipe.unread > capacity / 2)
        #expect(pipe.unread <= capacity - TapPipe.reserve)
        pipe.begin()
        var read = 0
        while pipe.unread > capacity * 3 / 4 - 2_000 {
            #expect(!Self.push(1_000, into: pipe) || pipe.unread <= capacity * 3 / 4)
            _ = pipe.next()
            read += 1
        }
        #expect(Self.push(2_000, into: pipe))
        pipe.publish()
        #expect(Self.drain(pipe).last == 2_000)
        #expect(read > 1)
    }

    @Test func `events are told however full the ring is, in their places`() {
        let pipe = TapPipe(capacity: 1 << 17) {}
        #expect(Self.push(1_399, into: pipe))
        pipe.push(Self.event(1))
        while Self.push(1_399, into: pipe) {}
        for number in 2...1_000 { pipe.push(Self.event(number)) }
        #expect(!Self.push(0, into: pipe))
        let listener = TapListener(pipe)
        listener.read(2)
        #expect(listener.packets.count == 1)
        #expect(listener.events == [Self.event(1)])
        listener.read()
        #expect(listener.events == (1...1_000).map(Self.event))
        #expect(listener.end == nil)
    }

    @Test(arguments: [false, true]) func `a reader that leaves too many events loses the pipe, and not what was in it`(
        full: Bool
    ) {
        let wakes = Wakes()
        let pipe = TapPipe(capacity: 1 << 17) { wakes.add() }
        if full { while Self.push(1_399, into: pipe) {} }
        for number in 0..<TapPipe.eventLimit { pipe.push(Self.event(number)) }
        let listener = TapListener(pipe)
        pipe.push(Self.event(-1 & 0xFFFF))
        pipe.push(Self.event(9))
        #expect(!Self.push(1, into: pipe))
        listener.read()
        #expect(listener.end == .overrun)
        #expect(listener.events == (0..<TapPipe.eventLimit).map(Self.event))
        #expect(wakes.value == 1)
    }

    @Test func `the end is told after everything, again and again`() {
        let wakes = Wakes()
        let pipe = TapPipe(capacity: 1 << 17) { wakes.add() }
        #expect(Self.push(5, into: pipe))
        pipe.close(.stopped)
        pipe.close(.overrun)
        #expect(wakes.value == 1)
        #expect(!Self.push(6, into: pipe))
        let listener = TapListener(pipe)
        listener.read()
        #expect(listener.packets.map(\.packet.sequence) == [5])
        #expect(listener.end == .stopped)
        guard case .ended(.stopped) = pipe.next() else {
            Issue.record("the end is told once only")
            return
        }
    }

    @Test func `two threads: nothing that was taken is lost or torn, nobody sleeps over it`() async {
        let wakes = Wakes()
        let pipe = TapPipe(capacity: 1 << 17) { wakes.add() }
        let total = 60_000
        async let sent = Task.detached { () -> [Int] in
            var taken: [Int] = []
            for number in 0..<total {
                if Self.push(number, into: pipe) { taken.append(number) }
                if number % 7 == 0 { pipe.publish() }
            }
            pipe.close(.stopped)
            return taken
        }.value
        async let received = Task.detached { () -> ([Int], Bool) in
            var numbers: [Int] = []
            var seen = 0
            let limit = Instant.now() + .seconds(30)
            // Reads only when woken: a lost wake would leave the last items unread.
            while Instant.now() < limit {
                let count = wakes.value
                guard count != seen else {
                    await Task.yield()
                    continue
                }
                seen = count
                numbers += Self.drain(pipe)
                if case .ended = pipe.next() { return (numbers, true) }
            }
            return (numbers, false)
        }.value
        let (one, other) = await (sent, received)
        #expect(one == other.0)
        #expect(other.1)
        #expect(one.count > 100)
    }
}
