// Whether the machine is over the marks at which limits fall.

package import Base
import Glibc
import Synchronization

/// Readings of the machine, in percent.
package struct MachineLoad: Sendable {
    package var cpu: Double
    package var memory: Double
    package var disk: Double

    package init(cpu: Double, memory: Double, disk: Double) {
        self.cpu = cpu
        self.memory = memory
        self.disk = disk
    }
}

/// Samples `/proc` once a second on a loop's timer; asking is one relaxed load.
package final class LoadMonitor: Sendable {
    package struct Marks: Sendable {
        package var cpu: Double
        package var memory: Double
        package init(cpu: Double = 80, memory: Double = 90) {
            self.cpu = cpu
            self.memory = memory
        }
    }

    private struct CPUTicks {
        var busy: UInt64 = 0
        var total: UInt64 = 0
    }

    private static let sampleInterval = Duration.seconds(1)

    private let marks: Marks
    private let diskFolder: String
    private let overloaded = Atomic<Bool>(false)
    private let load = Mutex(MachineLoad(cpu: 0, memory: 0, disk: 0))
    private let lastTicks = Mutex(CPUTicks())

    package init(marks: Marks, diskFolder: String) {
        self.marks = marks
        self.diskFolder = diskFolder
    }

    package var isOverloaded: Bool { overloaded.load(ordering: .relaxed) }
    package var current: MachineLoad { load.withLock { $0 } }

    /// Begins sampling. Call on the loop's thread.
    package func start(on loop: any EventLoop) {
        sample()
        _ = loop.schedule(after: Self.sampleInterval) { [self] in start(on: loop) }
    }

    func sample() {
        let reading = MachineLoad(cpu: cpuPercent(), memory: Self.memoryPercent(), disk: diskPercent())
        load.withLock { $0 = reading }
        overloaded.store(reading.cpu > marks.cpu || reading.memory > marks.memory, ordering: .relaxed)
    }

    private func cpuPercent() -> Double {
        let fields = Self.lines(of: "/proc/stat").first?.split(separator: " ").dropFirst().prefix(8)
        let numbers = (fields ?? []).compactMap { UInt64($0) }
        guard numbers.count == 8 else { return 0 }
        let total = numbers.reduce(0, &+)
        let ticks = CPUTicks(busy: total &- numbers[3] &- numbers[4], total: total)
        let before = lastTicks.withLock { last in
            defer { last = ticks }
            return last
        }
        let elapsed = ticks.total &- before.total
        return elapsed == 0 || before.total == 0 ? 0 : 100 * Double(ticks.busy &- before.busy) / Double(elapsed)
    }

    private static func memoryPercent() -> Double {
        var total = 0.0
        var available = 0.0
        for line in lines(of: "/proc/meminfo") {
            let words = line.split(separator: " ")
            guard words.count > 1, let kibibytes = Double(words[1]) else { continue }
            if words[0] == "MemTotal:" { total = kibibytes }
            if words[0] == "MemAvailable:" { available = kibibytes }
        }
        return total == 0 ? 0 : 100 * (1 - available / total)
    }

    /// What this process holds of the machine's memory now, in bytes; 0 where `/proc` does not tell.
    static func residentBytes() -> Int {
        let words = lines(of: "/proc/self/statm").first?.split(separator: " ") ?? []
        guard words.count > 1, let pages = Int(words[1]) else { return 0 }
        return pages.multipliedReportingOverflow(by: Int(sysconf(Int32(_SC_PAGESIZE)))).partialValue
    }

    private func diskPercent() -> Double {
        var status = statvfs()
        guard unsafe statvfs(diskFolder, &status) == 0, status.f_blocks > 0 else { return 0 }
        return 100 * (1 - Double(status.f_bavail) / Double(status.f_blocks))
    }

    /// `/proc` files are small and made by the kernel at once: one read suffices and does not block.
    private static func lines(of path: String) -> [Substring] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        let text = unsafe String(unsafeUninitializedCapacity: 16_384) { buffer in
            unsafe max(0, read(descriptor, buffer.baseAddress, buffer.count))
        }
        return text.split(separator: "\n")
    }
}
