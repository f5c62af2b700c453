// What the kernel answered, with the words that go to a person.

import Glibc

package struct SystemError: Error, Equatable, CustomStringConvertible {
    package let code: Int32
    /// What was tried, e.g. `bind 127.0.0.1:8000`.
    package let operation: String

    package init(_ operation: String, code: Int32 = errno) {
        self.code = code
        self.operation = operation
    }

    package var description: String { "\(operation): \(String(cString: strerror(code)))" }
}
