// A place in memory that fails on purpose: after so many writes, as a process that is killed or a disk that is full does;
// and that loses what was not flushed, as a machine without power does.

package import Backup
package import Base
import Synchronization

package final class MemoryPlace: Place {
    package enum Fault: Error { case dead }

    private struct State {
        var files: [String: Bytes] = [:]
        /// What survives a power failure.
        var durable: [String: Bytes] = [:]
        var writesLeft = Int.max
        var writes = 0
        var isAway = false
    }

    package let name: String
    private let state = Mutex(State())

    package init(_ name: String) { self.name = name }

    /// After so many more puts, deletes and flushes everything fails, until it is called again.
    package func fail(afterWrites count: Int) { state.withLock { $0.writesLeft = count } }
    package func goAway(_ isAway: Bool = true) { state.withLock { $0.isAway = isAway } }
    package var writes: Int { state.withLock { $0.writes } }

    /// What was flushed is there; of the rest each file is there whole, cut, or not at all.
    package func losePower(using random: inout SplitMix) {
        var generator = random
        state.withLock { state in
            var files = state.durable
            for (name, bytes) in state.files.sorted(by: { $0.key < $1.key }) where files[name] != bytes {
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: files[name] = bytes
                case 1: files[name] = Bytes(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)))
                default: break
                }
            }
            state.files = files
            state.durable = files
        }
        random = generator
    }

    package var files: [String: Bytes] { state.withLock { $0.files } }

    /// A test's hand: bytes under a name, or none.
    package func set(_ name: String, _ bytes: Bytes?) {
        state.withLock { state in
            state.files[name] = bytes
            state.durable[name] = bytes
        }
    }

    private func write(_ body: (inout State) -> Void) throws(BackupError) {
        try state.withLock { state throws(BackupError) in
            guard state.writesLeft > 0, !state.isAway else { throw .unavailable("\(name) is away") }
            state.writesLeft -= 1
            state.writes += 1
            body(&state)
        }
    }

    package func put(_ name: String, _ bytes: Bytes) async throws(BackupError) {
        try write { $0.files[name] = bytes }
    }

    package func get(_ name: String) async throws(BackupError) -> Bytes? {
        try state.withLock { state throws(BackupError) in
            if state.isAway { throw .unavailable("\(self.name) is away") }
            return state.files[name]
        }
    }

    package func delete(_ name: String) async throws(BackupError) { try write { $0.files[name] = nil } }

    package func list(_ folder: String?) async throws(BackupError) -> [PlaceFile] {
        try state.withLock { state throws(BackupError) in
            if state.isAway { throw .unavailable("\(name) is away") }
            return state.files.filter { folder == nil || $0.key.hasPrefix("\(folder ?? "")/") }
                .map { PlaceFile(name: $0.key, length: Int64($0.value.count)) }
        }
    }

    package func flush() async throws(BackupError) { try write { $0.durable = $0.files } }
}
