// What can go wrong with a recording: one enum, worded by each dialect.

import Base
package import Store

package enum RecordingError: Error, Sendable, Equatable {
    /// There is no such recording, or it is none of the caller's business: never told apart.
    case notFound
    /// The server's policy does not let the caller record.
    case notAllowed
    case callNotOngoing(CallState)
    case alreadyOn(RecordingID)
    case notOn
    /// This server asks nobody: its recordings are announced.
    case consentNotAsked
    case tooManyAnswers(limit: Int)
    /// Whoever answers is not in the call.
    case notInCall
    /// What the caller wants of it is the owner's.
    case notOwner
    case legalHold
    case tooManyShares(limit: Int)
    case validation(field: String, reason: String)
    /// There is no recorder, or it cannot begin; the reason is for whoever asks.
    case unavailable(String)
    case store(StoreError)
}

extension RecordingError: StoreFailureConvertible {
    package init(_ failure: StoreError) { self = .store(failure) }
}
