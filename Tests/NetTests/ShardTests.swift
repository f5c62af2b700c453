import Base
import Glibc
import Synchronization
import TestKit
import Testing

@testable import Net

@Suite struct ShardTests {
    @Test func `runs submitted work on its own thread, in order`() throws {
        let shard = try Shard()
        let seen = Mutex<[Int]>([])
        for number in 0..<5_000 {
            shard.submit { seen.withLock { $0.append(shard.isCurrent && Shard.current === shard ? number : -1) } }
        }
        shard.stop()
        #expect(seen.withLock { $0 } == Array(0..<5_000))
        #expect(Shard.current == nil)
    }

    @Test func `is where a task with its preference runs, before and after it waits`() async throws {
        let shard = try Shard()
        let places = await Task(executorPreference: shard) {
            let before = shard.isCurrent
            try? await Task.sleep(for: .milliseconds(2))
            return [before, shard.isCurrent]
        }.value
        #expect(places == [true, true])
        shard.stop()
    }

    /// In pieces, each of them another call of an asynchronous function.
    private static func say(_ word: String, _ said: Words) async { said.add(word) }

    private final class Words: Sendable {
        private let words = Mutex<[String]>([])
        func add(_ word: String) { words.withLock { $0.append(word) } }
        var all: [String] { words.withLock { $0 } }
    }

    @Test func `a task with its preference runs on until it waits`() async throws {
        let shard = try Shard()
        let said = Words()
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            shard.submit {
                Task(executorPreference: shard) {
                    await Self.say("begun", said)
                    await Self.say("done", said)
                }
                shard.submit {
                    said.add("next")
                    // What went through the queue once more would come after this.
                    shard.submit { shard.submit { continuation.resume() } }
                }
            }
        }
        #expect(said.all == ["begun", "done", "next"])
        shard.stop()
    }

    /// Only who may raise a priority can take back what the starter's cost.
    @Test(.enabled(if: geteuid() == 0)) func `its thread is as nice as the process, whoever starts it`() async throws {
        let which = Int32(PRIO_PROCESS.rawValue)
        let process = getpriority(which, id_t(getpid()))
        let starter = try BlockingPool(name: "test-starter", threads: 1, queueLimit: 1)
        let started = try await starter.perform {
            setpriority(which, 0, process + 5)
            return (getpriority(which, 0), try? Shard())
        }
        #expect(started.0 == process + 5)
        let shard = try #require(started.1)
        let own = await withCheckedContinuation { continuation in
            shard.submit { continuation.resume(returning: getpriority(which, 0)) }
        }
        #expect(own == process)
        shard.stop()
        starter.stop()
    }

    private actor Counter {
        let shard: Shard
        var count = 0
        init(_ shard: Shard) { self.shard = shard }
        nonisolated var unownedExecutor: UnownedSerialExecutor { shard.asUnownedSerialExecutor() }
        func increment() -> Bool {
            count += 1
            return shard.isCurrent
        }
    }

    @Test func `is the executor of actors that belong to it`() async throws {
        let shard = try Shard()
        let counter = Counter(shard)
        #expect(await counter.increment())
        let onShard = Task(executorPreference: shard) { await counter.increment() }
        #expect(await onShard.value)
        #expect(await counter.count == 2)
        shard.stop()
    }

    @Test func `calls timers in the order of their deadlines, and no cancelled one`() async throws {
        let shard = try Shard()
        let fired: [Int] = await withCheckedContinuation { continuation in
            shard.submit {
                var fired: [Int] = []
                for delay in [9, 3, 7, 1, 5] {
                    _ = shard.schedule(after: .milliseconds(delay)) { fired.append(delay) }
                }
                let cancelled = shard.schedule(after: .milliseconds(4)) { fired.append(-1) }
                _ = shard.schedule(after: .milliseconds(2)) { cancelled.cancel() }
                _ = shard.schedule(after: .milliseconds(20)) { continuation.resume(returning: fired) }
            }
        }
        #expect(fired == [1, 3, 5, 7, 9])
        shard.stop()
    }

    /// A loop that takes its time from before the work would wait for an event that never comes.
    @Test(.timeLimit(.minutes(1))) func `a timer that is due at once rings on a loop with nothing else to do`()
        async throws
    {
        let shard = try Shard()
        defer { shard.stop() }
        for milliseconds in [0, 0, 1, 0, 1, 2] {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                shard.submit {
                    usleep(3_000)  // the loop's clock is behind
                    _ = shard.schedule(after: .milliseconds(milliseconds)) { continuation.resume() }
                }
            }
        }
    }

    @Test func `a timer that an earlier one of the same moment cancels is not called`() async throws {
        let shard = try Shard()
        let calls: Int = await withCheckedContinuation { continuation in
            shard.submit {
                var calls = 0
                var timers: [any ScheduledTimer] = []
                for _ in 0..<2 {
                    timers.append(
                        shard.schedule(after: .zero) {
                            calls += 1
                            for timer in timers { timer.cancel() }
                        })
                }
                _ = shard.schedule(after: .milliseconds(5)) { continuation.resume(returning: calls) }
            }
        }
        #expect(calls == 1)
        shard.stop()
    }

    @Test func `tells a watch that its descriptor is ready, and nothing after the watch is cancelled`() async throws {
        let shard = try Shard()
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let (reader, writer) = (ends[0], ends[1])
        let bytes: [UInt8] = await withCheckedContinuation { continuation in
            shard.submit {
                var seen: [UInt8] = []
                var watch: (any DescriptorWatch)?
                watch = try? shard.watch(reader, for: .readable) { readiness in
                    var byte: UInt8 = 0
                    guard readiness.contains(.readable), read(reader, &byte, 1) == 1 else { return }
                    seen.append(byte)
                    if seen.count < 3 { return }
                    watch?.cancel()
                    close(reader)
                    continuation.resume(returning: seen)
                }
            }
            _ = write(writer, [1, 2, 3, 4] as [UInt8], 4)
        }
        #expect(bytes == [1, 2, 3])
        close(writer)
        shard.stop()
    }

    @Test func `a watch goes on after an error on its descriptor was read`() async throws {
        // A datagram to a closed port: the error comes back on the next call, and the socket is good after it.
        let shard = try Shard()
        let socket = try UDPEnds()
        let errors: Int = await withCheckedContinuation { continuation in
            shard.submit {
                var errors = 0
                var watch: (any DescriptorWatch)?
                watch = try? shard.watch(socket.descriptor, for: .readable) { _ in
                    var byte: UInt8 = 0
                    guard recv(socket.descriptor, &byte, 1, 0) < 0, errno == ECONNREFUSED else { return }
                    errors += 1
                    if errors == 1 { return socket.sendToNobody() }
                    watch?.cancel()
                    continuation.resume(returning: errors)
                }
                socket.sendToNobody()
            }
        }
        #expect(errors == 2)
        close(socket.descriptor)
        shard.stop()
    }

    @Test func `a crowd of jobs does not keep a descriptor waiting`() async throws {
        let shard = try Shard()
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let (reader, writer) = (ends[0], ends[1])
        let isDone = Atomic<Bool>(false)
        await withCheckedContinuation { continuation in
            shard.submit {
                @Sendable func again() {
                    if !isDone.load(ordering: .relaxed) { shard.submit(again) }
                }
                for _ in 0..<2_000 { again() }
                var watch: (any DescriptorWatch)?
                watch = try? shard.watch(reader, for: .readable) { _ in
                    watch?.cancel()
                    isDone.store(true, ordering: .relaxed)
                    continuation.resume()
                }
                _ = write(writer, [1] as [UInt8], 1)
            }
        }
        let wasSeen = isDone.load(ordering: .relaxed)
        #expect(wasSeen)
        shard.stop()
        close(reader)
        close(writer)
    }
}

/// A UDP socket connected to a port of loopback where nobody listens.
private struct UDPEnds: Sendable {
    let descriptor: Int32

    init() throws {
        let other = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        let descriptor = descriptor
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> Int32 in
                guard bind(other, pointer, length) == 0, getsockname(other, pointer, &length) == 0 else { return -1 }
                return connect(descriptor, pointer, length)
            }
        }
        close(other)
        guard code == 0 else { throw SystemError("connect a UDP socket") }
    }

    func sendToNobody() { _ = send(descriptor, [0] as [UInt8], 1, 0) }
}

@Suite struct ConnectionCrowdTests {
    private let start = Instant(nanoseconds: 5_000_000_000)

    @Test func `connections that come one by one are no crowd`() {
        var crowd = ConnectionCrowd()
        for number in 0..<1_000 {
            let isCrowd = crowd.add(1, at: start + .microseconds(number * 60))
            #expect(!isCrowd)
        }
    }

    @Test func `many within a window are a crowd from then on`() {
        var crowd = ConnectionCrowd()
        let seen = (0..<100).map { crowd.add(1, at: start + .microseconds($0 * 25)) }
        #expect(seen == Array(repeating: false, count: 19) + Array(repeating: true, count: 81))
        let burst = crowd.add(ConnectionCrowd.size, at: start + .seconds(1))
        #expect(burst)
    }

    @Test func `a crowd ends with a window in which few come`() {
        var crowd = ConnectionCrowd()
        _ = crowd.add(50, at: start)
        let next = crowd.add(1, at: start + .microseconds(1_500))
        #expect(next)
        let later = crowd.add(1, at: start + .microseconds(2_600))
        #expect(!later)
        _ = crowd.add(50, at: start + .seconds(1))
        let muchLater = crowd.add(1, at: start + .seconds(2))
        #expect(!muchLater)
    }
}

@Suite struct BlockingPoolTests {
    @Test func `runs work on its threads, and refuses what finds too much waiting`() async throws {
        let pool = try BlockingPool(name: "test-pool", threads: 1, queueLimit: 1)
        var gate: [Int32] = [0, 0]
        #expect(pipe(&gate) == 0)
        let (reader, writer) = (gate[0], gate[1])
        let hasBegun = Gauge()
        await withTaskGroup { group in
            group.addTask {
                let answer = try? await pool.perform {
                    hasBegun.set(1)
                    var byte: UInt8 = 0
                    return read(reader, &byte, 1)
                }
                #expect(answer == 1)
            }
            while hasBegun.current == 0 { await Task.yield() }
            group.addTask { #expect((try? await pool.perform { 2 }) == 2) }
            while pool.waitingCount == 0 { await Task.yield() }
            await #expect(throws: BlockingPool.Full(limit: 1)) { try await pool.perform { 3 } }
            _ = write(writer, [1] as [UInt8], 1)
        }
        pool.stop()
        close(reader)
        close(writer)
    }

    @Test func `is an executor of tasks`() async throws {
        let pool = try BlockingPool(name: "test-pool", threads: 2, queueLimit: 1)
        let main = pthread_self()
        let elsewhere = await withTaskExecutorPreference(pool) { pthread_equal(pthread_self(), main) == 0 }
        #expect(elsewhere)
        pool.stop()
    }
}
