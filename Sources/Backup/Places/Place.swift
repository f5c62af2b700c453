// A place: somewhere that files of a repository lie. Two implementations, a folder and S3, run one conformance suite in
// TestKit, together with the one in memory that fails on purpose.

package import Base

package struct PlaceFile: Sendable, Hashable {
    package let name: String
    package let length: Int64

    package init(name: String, length: Int64) {
        self.name = name
        self.length = length
    }
}

/// Called by several tasks at once. Names are those of `RepositoryFile`: no place has to defend itself against others.
/// What cannot be done now throws `unavailable`, with the place's name and what to do.
package protocol Place: Sendable {
    /// For people: a path, or endpoint and bucket. Never a secret.
    var name: String { get }

    /// All of it, or nothing; what was there under the name is replaced. Durable only after a later `flush`.
    func put(_ name: String, _ bytes: Bytes) async throws(BackupError)

    /// `nil` when there is none. A file longer than `BackupLimits.object` throws `damaged`, unread.
    func get(_ name: String) async throws(BackupError) -> Bytes?

    /// No error when there is none.
    func delete(_ name: String) async throws(BackupError)

    /// Every file, in any order, or those in one folder (`locks`). More than the bound of files throws `malformed`.
    func list(_ folder: String?) async throws(BackupError) -> [PlaceFile]

    /// What was put and deleted before is durable when it returns.
    func flush() async throws(BackupError)
}
