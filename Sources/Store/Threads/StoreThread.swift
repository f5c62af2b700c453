// Threads of our own for calls that block: SQLite, name resolution, files.

import Base
import CShims
import Glibc

package enum StoreThread {
    /// Runs `body` on a new detached thread. `name` shows in `top -H`; the kernel keeps 15 bytes of it.
    ///
    /// The default stack of 8 MiB is only reserved, and SQLite's parser recurses: it is left as it is.
    package static func start(_ name: StaticString, _ body: @escaping @Sendable () -> Void) throws(StoreError) {
        let box = Unmanaged.passRetained(Box(name: name, body: body))
        var thread = pthread_t()
        // Owned by the new thread, which releases it: hence `passRetained` here and `takeRetainedValue` there.
        let code = pthread_create(&thread, nil, { StoreThread.run($0) }, box.toOpaque())
        guard code == 0 else {
            box.release()
            throw .unavailable("\(SystemError("start a thread", code: code))")
        }
        pthread_detach(thread)
    }

    private final class Box {
        let name: StaticString
        let body: @Sendable () -> Void
        init(name: StaticString, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    private static func run(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let argument else { return nil }
        let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
        plexi_name_thread("\(box.name)")
        box.body()
        return nil
    }
}
