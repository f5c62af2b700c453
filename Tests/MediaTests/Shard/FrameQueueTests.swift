import Base
import CShims
import Glibc
import Testing
import Wire

@testable import Media

@Suite struct FrameQueueTests {
    private func pair() -> (Int32, Int32) {
        var ends: [Int32] = [0, 0]
        _ = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
        return (ends[0], ends[1])
    }

    @Test func `a slow connection loses whole datagrams, large ones first, and frames stay in step`() throws {
        let (near, far) = pair()
        defer {
            close(near)
            close(far)
        }
        var queue = FrameQueue()
        var expected: [Int] = []
        var received = Bytes()
        var wasBlocked = false
        var droppedSmall = 0
        var droppedLarge = 0
        for number in 0..<3_000 {
            let size = number % 3 == 0 ? 100 : 1_100 + number % 7
            let datagram = Bytes(repeating: UInt8(truncatingIfNeeded: size), count: size)
            let taken = datagram.withUnsafeBytes { bytes in
                bytes.baseAddress.map { queue.append($0, size) } ?? false
            }
            if taken {
                expected.append(size)
            } else if size == 100 {
                droppedSmall += 1
            } else {
                droppedLarge += 1
            }
            let outcome = queue.write(to: near)
            #expect(outcome != .failed)
            if outcome == .blocked { wasBlocked = true }
            // Reads much less than comes, for a while.
            if number > 300, number % 4 == 0 { read(far, into: &received, 2_000) }
        }
        while !queue.isEmpty {
            _ = queue.write(to: near)
            read(far, into: &received, 100_000)
        }
        while read(far, into: &received, 100_000) {}
        #expect(wasBlocked)
        #expect(droppedLarge > 100)
        #expect(droppedSmall == 0)
        var sizes: [Int] = []
        var deframer = StreamDeframer()
        var offset = 0
        while case .frame(let range) = try deframer.next(in: received.span.bytes, from: &offset) {
            #expect(received[range].allSatisfy { $0 == UInt8(truncatingIfNeeded: range.count) })
            sizes.append(range.count)
        }
        #expect(sizes == expected)
    }

    @discardableResult
    private func read(_ descriptor: Int32, into bytes: inout Bytes, _ count: Int) -> Bool {
        var buffer = Bytes(repeating: 0, count: count)
        let taken = plexi_stream_read(descriptor, &buffer, UInt(count))
        if taken > 0 { bytes += buffer[..<taken] }
        return taken > 0
    }

    @Test func `the peer's end shows when writing`() {
        let (near, far) = pair()
        close(far)
        var queue = FrameQueue()
        let taken = withUnsafeBytes(of: UInt64(1)) { bytes in bytes.baseAddress.map { queue.append($0, 8) } ?? false }
        #expect(taken)
        #expect(queue.write(to: near) == .failed)
        close(near)
    }

    @Test func `a number of an ended connection does not name its successor`() throws {
        var table = ConnectionTable()
        let firstNumber = table.nextNumber()
        let first = try #require(firstNumber)
        let address = TransportAddress(IPAddress(v4: 1), 1)
        let connection = StreamConnection(
            descriptor: -1, path: MediaPath(remote: address, socket: first), opened: .now())
        table.insert(connection)
        #expect(table[first] === connection)
        table.remove(connection)
        let secondNumber = table.nextNumber()
        let second = try #require(secondNumber)
        table.insert(
            StreamConnection(descriptor: -1, path: MediaPath(remote: address, socket: second), opened: .now()))
        #expect(first != second)
        #expect(table[first] == nil)
        #expect(table[second] != nil)
        #expect(ConnectionTable.isConnection(second))
        #expect(!ConnectionTable.isConnection(3))
    }

    @Test func `counts of sources come back to nothing`() {
        var counts = SourceCounts()
        let one = IPAddress(v6: 0x2001_0DB8_0000_0001, 1)
        let neighbour = IPAddress(v6: 0x2001_0DB8_0000_0001, 2)
        var admitted = 0
        for _ in 0..<ConnectionLimits.unprovenPerSource {
            if counts.admit(one) { admitted += 1 }
            if counts.admit(neighbour) { admitted += 1 }
        }
        // One network of 64 bits is one source.
        #expect(admitted == ConnectionLimits.unprovenPerSource)
        counts.proved(one)
        let admitsAnother = counts.admit(one)
        #expect(admitsAnother)
        counts.ended(one, wasProven: true)
        for _ in 0..<ConnectionLimits.unprovenPerSource { counts.ended(neighbour, wasProven: false) }
        #expect(counts.isEmpty)
    }
}
