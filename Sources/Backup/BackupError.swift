// What is wrong with a repository, a place or a source: docs/formats/backup.md, "What is wrong with a repository".

package import Base

package enum BackupError: Error, Equatable {
    case damaged(file: String, place: String, reason: String)
    /// `missed`: each piece that is not to be had, and why.
    case lost(object: String, found: Int, needed: Int, missed: [String])
    case foreign(file: String)
    case notAuthentic(file: String)
    case wrongKey(file: String)
    case replayed(sequence: UInt64)
    case missingRecord(sequence: UInt64)
    case rolledBack(known: UInt64, newest: UInt64)
    case forked(sequence: UInt64)
    case missingBlock(item: String)
    case malformed(String)
    case newerVersion(file: String)
    case locked(holder: String, purpose: String, since: Timestamp)
    case lockLost
    /// A place, a source or a target cannot be used now; the text says which, why, and what to do.
    case unavailable(String)
    case noRepository
    case repositoryExists
    case notFound(String)
    /// Asked for something that cannot be; the text says what to do instead.
    case refused(String)
    case cancelled
}

extension BackupError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .damaged(let file, let place, let reason): "\(file) in \(place) is damaged: \(reason)"
        case .lost(let object, let found, let needed, let missed):
            "\(object) is lost: \(found) of the \(needed) pieces that are needed are there; missed: "
                + missed.joined(separator: "; ")
        case .foreign(let file): "\(file) belongs to another repository"
        case .notAuthentic(let file): "\(file) was not signed by a key that is trusted here, or was changed"
        case .wrongKey(let file): "the keys given do not open \(file); bring those that the repository was made with"
        case .replayed(let sequence): "record \(sequence) was removed, and is there again: it is no backup"
        case .missingRecord(let sequence): "record \(sequence) should be there, and is not in any place"
        case .rolledBack(let known, let newest):
            "the repository is older than it was: record \(known) was seen here, and now the newest is \(newest)"
        case .forked(let sequence): "record \(sequence) does not follow the one before, or there are two of it"
        case .missingBlock(let item): "a block of \(item) is in no pack"
        case .malformed(let reason): "not the form of a backup repository: \(reason)"
        case .newerVersion(let file): "\(file) was written by a newer version; use that one"
        case .locked(let holder, let purpose, let since):
            "\(holder) is at work here (\(purpose)) since \(since.rfc3339)"
        case .lockLost: "the lock on the repository is gone: something else may have written; try again"
        case .unavailable(let reason), .refused(let reason): reason
        case .noRepository: "there is no repository in these places; make one first"
        case .repositoryExists: "there is a repository in these places already"
        case .notFound(let what): "there is no \(what)"
        case .cancelled: "cancelled"
        }
    }

    /// What untyped code in between threw.
    static func wrapping(_ error: any Error) -> BackupError {
        if let error = error as? BackupError { return error }
        return error is CancellationError ? .cancelled : .unavailable("\(error)")
    }
}

/// Runs what throws anything (task groups, closures), and gives its errors their type.
func typed<Value>(_ body: () async throws -> Value) async throws(BackupError) -> Value {
    do { return try await body() } catch { throw .wrapping(error) }
}
