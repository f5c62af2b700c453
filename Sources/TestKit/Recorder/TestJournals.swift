// Keys, folders in memory and entries for tests of recordings.

package import Base
package import Crypto
package import Recorder
import Synchronization
package import Vault

/// Keys from a number: the same number, the same keys.
package struct TestJournalKeys: Sendable {
    package let writing: JournalWritingKeys
    package let reading: JournalReadingKeys

    package init(_ number: UInt8 = 1) throws {
        let identity = try XWingPrivateKey(seed: Secret(Bytes(repeating: number, count: XWing.seedCount)))
        let signing = try Ed25519PrivateKey(seed: Secret(Bytes(repeating: number, count: Ed25519PrivateKey.seedCount)))
        writing = JournalWritingKeys(
            recipients: [.hybrid(identity.publicKey)], signer: signing.publicKey, sign: { signing.sign($0) })
        reading = JournalReadingKeys(identities: [.hybrid(identity)], verifiers: [signing.publicKey])
    }
}

/// A folder in memory that can be full, slow, or changed behind the recorder's back.
package final class MemoryJournalFiles: JournalFiles {
    private struct State {
        var files: [String: Bytes] = [:]
        /// Bytes that still fit.
        var room = Int.max
    }

    private let state = Mutex(State())

    package init(_ files: [String: Bytes] = [:]) { state.withLock { $0.files = files } }

    package var files: [String: Bytes] {
        get { state.withLock { $0.files } }
        set { state.withLock { $0.files = newValue } }
    }

    /// Bytes that still fit.
    package var room: Int {
        get { state.withLock { $0.room } }
        set { state.withLock { $0.room = newValue } }
    }

    package func names() throws(JournalError) -> [String] { state.withLock { $0.files.keys.sorted() } }

    package func read(_ name: String, most: Int) throws(JournalError) -> Bytes? {
        guard let bytes = state.withLock({ $0.files[name] }) else { return nil }
        guard bytes.count <= most else { throw .malformed(file: name, reason: "it is too long") }
        return bytes
    }

    package func write(_ bytes: Bytes, to name: String) throws(JournalError) {
        let fits = state.withLock { state in
            guard bytes.count <= state.room else { return false }
            state.room -= bytes.count
            state.files[name] = bytes
            return true
        }
        guard fits else { throw .unavailable("write \(name): the disk is full") }
    }
}
