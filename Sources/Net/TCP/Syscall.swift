// One way to call the kernel.

import Base
import Glibc

enum Syscall {
    /// For calls that move bytes on a non-blocking descriptor. `nil` when it would block; again when a signal
    /// interrupted it. A descriptor or an address that the kernel does not know is a bug of ours, not of the world.
    @inline(__always)
    static func transfer(_ operation: StaticString, _ call: () -> Int) throws(SystemError) -> Int? {
        while true {
            let result = call()
            if result >= 0 { return result }
            let code = errno
            if code == EAGAIN { return nil }
            guard code == EINTR else { throw failure(operation, code) }
        }
    }

    /// For all others: the result, or the error.
    @inline(__always)
    @discardableResult
    static func check(_ operation: @autoclosure () -> String, _ call: () -> Int32) throws(SystemError) -> Int32 {
        while true {
            let result = call()
            if result >= 0 { return result }
            let code = errno
            guard code == EINTR else { throw SystemError(operation(), code: code) }
        }
    }

    private static func failure(_ operation: StaticString, _ code: Int32) -> SystemError {
        precondition(code != EBADF && code != EFAULT, "a closed descriptor or a wild pointer was given to the kernel")
        return SystemError("\(operation)", code: code)
    }
}
