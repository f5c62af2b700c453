// What several benchmarks need: arguments, waiting for async code, percentiles.

import Base
import Glibc
import Synchronization

enum Arguments {
    /// The word after `--name`.
    static func value(_ name: String) -> String? {
        let arguments = CommandLine.arguments
        guard let index = arguments.firstIndex(of: "--" + name), index + 1 < arguments.count else { return nil }
        return arguments[index + 1]
    }

    static func integer(_ name: String, default value: Int) -> Int { self.value(name).flatMap { Int($0) } ?? value }
}

/// Runs async code to its end while the main thread waits. An error ends the program with its words.
func runToEnd(_ body: @escaping @Sendable () async throws -> Void) {
    // `@unchecked`: a semaphore is made for several threads.
    struct Semaphore: @unchecked Sendable { let pointer = UnsafeMutablePointer<sem_t>.allocate(capacity: 1) }
    let done = Semaphore()
    sem_init(done.pointer, 0, 0)
    Task {
        do {
            try await body()
        } catch {
            print("plexibench: \(error)")
            exit(1)
        }
        sem_post(done.pointer)
    }
    while sem_wait(done.pointer) != 0 {}
    done.pointer.deallocate()
}

/// How long each of many operations took.
final class Latencies: Sendable {
    private let samples = Mutex<[Int64]>([])

    func add(_ durations: [Duration]) { samples.withLock { $0 += durations.map(\.nanoseconds) } }

    var count: Int { samples.withLock { $0.count } }

    /// `p50 0.12 ms, p99 1.50 ms, max 3.10 ms`
    var summary: String {
        let sorted = samples.withLock { $0.sorted() }
        guard let last = sorted.last else { return "no samples" }
        func text(_ nanoseconds: Int64) -> String {
            let hundredths = nanoseconds / 10_000
            return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100) ms"
        }
        func percentile(_ share: Double) -> String { text(sorted[Int(Double(sorted.count - 1) * share)]) }
        return "p50 \(percentile(0.5)), p99 \(percentile(0.99)), max \(text(last))"
    }
}
