// What is wrong with a recording: docs/formats/journal.md, "What is wrong with a recording".

import Base

package enum JournalError: Error, Equatable, Sendable {
    case empty
    case damaged(file: String, reason: String)
    case truncated(file: String)
    /// With the number that the file says it is.
    case swapped(file: String, number: UInt32)
    case replayed(file: String, number: UInt32)
    case foreign(file: String)
    case missing(number: UInt32)
    case forked(file: String)
    case notAuthentic(file: String)
    case notInManifest(file: String)
    case wrongKey(file: String)
    case malformed(file: String, reason: String)
    case outOfOrder(file: String, reason: String)
    case newerVersion(file: String)
    /// A folder or a file cannot be used now; the text says which, why, and what to do.
    case unavailable(String)
    /// Asked for something that cannot be; the text says what to do instead.
    case refused(String)
}

extension JournalError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .empty: "there is no segment of a recording in the folder"
        case .damaged(let file, let reason): "\(file) is damaged: \(reason)"
        case .truncated(let file): "\(file) was cut"
        case .swapped(let file, let number): "\(file) is segment \(number): files were exchanged"
        case .replayed(let file, let number): "\(file) is segment \(number) again: an old file was put there"
        case .foreign(let file): "\(file) belongs to another recording"
        case .missing(let number): "segment \(number) should be there, and is not"
        case .forked(let file): "\(file) does not follow the segment before it"
        case .notAuthentic(let file): "\(file) was not signed by a key that is trusted here, or was changed"
        case .notInManifest(let file): "\(file) is not what the manifest says of it"
        case .wrongKey(let file): "the keys given do not open \(file); bring those that the recording was made with"
        case .malformed(let file, let reason): "\(file) does not have the form of a journal: \(reason)"
        case .outOfOrder(let file, let reason): "\(file) is no honest journal: \(reason)"
        case .newerVersion(let file): "\(file) was written by a newer version; use that one"
        case .unavailable(let reason), .refused(let reason): reason
        }
    }
}
