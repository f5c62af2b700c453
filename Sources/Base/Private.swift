// Personal data and secrets are wrapped where they enter, and unwrapped by name where they are used, so that a log
// line or an error text cannot print them by accident.

import CShims

/// Personal data: names, addresses, e-mail. Prints as a placeholder.
package struct Private<Value: Sendable>: Sendable, CustomStringConvertible, CustomReflectable {
    package let exposed: Value
    package init(_ value: Value) { exposed = value }
    package var description: String { "‹private›" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension Private: Equatable where Value: Equatable {}
extension Private: Hashable where Value: Hashable {}

/// Key material, passwords, tokens. Prints as a placeholder, is overwritten when the last copy goes, and compares in
/// constant time only (`Crypto.constantTimeEquals`).
package struct Secret: Sendable, CustomStringConvertible, CustomReflectable {
    /// `@unchecked`: the memory is written once, before the object is shared, and again only in `deinit`.
    private final class Storage: @unchecked Sendable {
        let bytes: UnsafeMutableBufferPointer<UInt8>

        init(_ source: some Collection<UInt8>) {
            let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: source.count)
            _ = buffer.initialize(fromContentsOf: source)
            bytes = buffer
        }

        deinit {
            // Volatile, so that the compiler does not drop a write that nobody reads: see CShims.
            plexi_zeroise(bytes.baseAddress, UInt(bytes.count))
            bytes.deallocate()
        }
    }

    private let storage: Storage

    package init(_ bytes: some Collection<UInt8>) { storage = Storage(bytes) }

    /// A secret that came as text (a password in a request body).
    package init(text: String) { storage = Storage(Bytes(text.utf8)) }

    package var count: Int { storage.bytes.count }

    package func withExposedBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(storage.bytes))
    }

    /// A copy that is not overwritten later: for handing to an interface that wants bytes.
    package var exposedBytes: Bytes { Bytes(storage.bytes) }

    package var description: String { "‹secret›" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
