// The signals of the process as events of a loop.

package import Base
import Glibc

package enum ProcessSignal: Int32, Sendable, CaseIterable {
    case hangUp = 1
    case interrupt = 2
    case terminate = 15
}

package enum ProcessSignals {
    /// Calls `handler` on the shard's thread for each of these signals, instead of their default effect, for the rest
    /// of the process's life. SIGPIPE is ignored from here on: a broken connection is an error of a call, no death.
    package static func watch(
        on shard: Shard, _ handler: @escaping @Sendable (ProcessSignal) -> Void
    ) async throws(SystemError) {
        signal(SIGPIPE, SIG_IGN)
        let result: Result<Void, SystemError> = await withCheckedContinuation { continuation in
            shard.submit {
                continuation.resume(
                    returning: Result { () throws(SystemError) in
                        for signal in ProcessSignal.allCases {
                            try shard.watchSignal(signal.rawValue) { handler(signal) }
                        }
                    })
            }
        }
        try result.get()
    }
}
