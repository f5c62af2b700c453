// What can go wrong with files: one enum, so that each dialect maps it by one exhaustive `switch`.

package import Accounts
package import Store

package enum FileError: Error, Sendable, Equatable {
    /// Also for who may not know of it.
    case notFound(FileThing)
    case tooLarge(limit: Int64)
    case empty
    case quotaExceeded(BlobUsage)
    case typeNotAllowed(String)
    /// It is not kept, or not given out.
    case virusDetected(name: String?)
    /// A picture that cannot be cleaned of what it tells; why.
    case unreadableImage(String)
    /// It waits for its scan.
    case scanPending
    /// Only who uploaded it, and administrators.
    case notUploader
    case invalid(FileField, String)
    case limitReached(FileThing, Int)
    /// A full disk, a store or a scanner that is away: a sentence for the operator's log, not for clients.
    case unavailable(String)
    /// Another request writes to the upload.
    case uploadBusy
    /// The upload has `received` bytes: that is where to go on.
    case wrongOffset(received: Int64)
    case checksumMismatch
    /// Over, ended or refused.
    case uploadOver
    /// A right in the conversation, or the conversation itself.
    case chat(ChatError)
    case store(StoreError)
}

package enum FileThing: String, Sendable { case file, thumbnail, link, upload, part }

package enum FileField: String, Sendable {
    case file, description
    case expiresInHours = "expires_in_hours"
    case maxDownloads = "max_downloads"
    case length
}

extension FileError: StoreFailureConvertible {
    package init(_ failure: StoreError) { self = .store(failure) }

    init(_ error: ChatError) {
        if case .store(let error) = error { self = .store(error) } else { self = .chat(error) }
    }

    init(_ error: BlobLedgerError) {
        switch error {
        case .quotaExceeded(let usage): self = .quotaExceeded(usage)
        case .tooLarge(let limit): self = .tooLarge(limit: limit)
        case .reservationOver: self = .uploadOver
        case .blob(let error): self.init(error)
        case .store(let error): self = .store(error)
        }
    }

    init(_ error: BlobError) {
        switch error {
        case .notFound: self = .unavailable("the content of a file is not in the store")
        case .tooLarge(let limit): self = .tooLarge(limit: limit)
        case .outOfRange: self = .unavailable("the content of a file is shorter than it was")
        case .unavailable(let words), .corrupt(let words): self = .unavailable(words)
        }
    }

    /// Whatever a body of a transaction or an upload threw that is ours.
    init?(any error: any Error) {
        switch error {
        case let error as FileError: self = error
        case let error as BlobLedgerError: self.init(error)
        case let error as BlobError: self.init(error)
        case let error as ChatError: self.init(error)
        case let error as StoreError: self = .store(error)
        default: return nil
        }
    }
}
