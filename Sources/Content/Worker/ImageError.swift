// What can be wrong with a file that a worker was to read, and with the worker.

package enum ImageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Its first bytes are no image's that is read.
    case notAnImage
    /// The same for `document`.
    case notADocument
    /// An image that cannot be read on this machine; which, and what is missing.
    case unsupported(String)
    /// More bytes than are read, or than an answer may have.
    case tooLarge(limit: Int)
    /// By its header, before any of it was decoded; or it wants more memory than these pixels do.
    case tooManyPixels(limit: Int)
    /// Truncated, or not what its header says.
    case damaged
    /// The worker was stopped for it.
    case timedOut
    /// The worker ended over it: it took too much memory or time, or tried what it may not.
    case workerDied
    /// Too many images wait; try later.
    case busy
    /// No worker can be had on this machine; why, and what to do.
    case unavailable(String)

    package var description: String {
        switch self {
        case .notAnImage: "not an image of a kind that is read (JPEG, PNG, GIF, WebP)"
        case .notADocument: "not a document of a kind that is read (PDF)"
        case .unsupported(let what): what
        case .tooLarge(let limit): "larger than \(limit) bytes"
        case .tooManyPixels(let limit): "more than \(limit) pixels, or more memory than they need"
        case .damaged: "truncated or damaged"
        case .timedOut: "took too long to read"
        case .workerDied: "the process that read it ended over it"
        case .busy: "too many images wait to be read; try later"
        case .unavailable(let why): why
        }
    }

    /// Whether trying again later can help: the file is not at fault.
    package var isTemporary: Bool {
        switch self {
        case .busy, .unavailable: true
        default: false
        }
    }
}
