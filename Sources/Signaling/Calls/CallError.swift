// What can go wrong with a call: one enum, so that each dialect maps it by one exhaustive `switch`.

package import Accounts
import Base
package import Store

package enum CallError: Error, Sendable, Equatable {
    /// There is no such call, or the caller has no part in it: never told apart.
    case notFound
    /// Somebody who is to be called does not exist, or cannot be called.
    case unknownUser
    case validation(field: String, reason: String)
    /// Whoever asks is in another call.
    case alreadyInCall(CallID)
    /// Another device of the same user has taken it.
    case answeredElsewhere
    case over(CallState)
    case locked
    /// The host has taken them out.
    case removed
    /// Only the host may do this.
    case notHost
    /// Not in the call, or not any more.
    case notJoined
    /// The token or key does not carry the scope `calls`.
    case scopeMissing
    /// What the host has taken away cannot be switched on.
    case notPermitted
    case callFull(limit: Int)
    /// So many calls were begun by this user lately.
    case tooManyInitiations(limit: Int, retryAfter: Duration)
    /// So many calls are on at once on this server.
    case serverFull(limit: Int)
    /// The server takes no part in calls, or is stopping.
    case unavailable(String)
    case recording(RecordingError)
    /// A token, a user or a right; worded as accounts word it.
    case account(AccountError)
    case store(StoreError)
}

extension CallError: StoreFailureConvertible {
    package init(_ failure: StoreError) { self = .store(failure) }
}
