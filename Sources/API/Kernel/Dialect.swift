// A dialect: how one of the five documents, or we ourselves (`media`), wrap values and failures.

package import Base
package import Wire

package enum Dialect: String, Sendable, CaseIterable {
    case manual, reference, design, calls, rooms
    /// Ours: WHIP and WHEP, which have documents of their own.
    case media
}

/// A failure in the words of one dialect, ready to be wrapped in its error envelope.
package struct Problem: Sendable {
    package var status: HTTPStatus
    package var code: String
    package var message: String
    package var details: JSONObject
    /// Seconds for `Retry-After`, where waiting helps.
    package var retryAfter: Int?

    package init(
        _ status: HTTPStatus, _ code: String, _ message: String, details: JSONObject = JSONObject(),
        retryAfter: Int? = nil
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.retryAfter = retryAfter
    }
}

/// What goes around a value or a failure.
package struct EnvelopeContext: Sendable {
    package let requestID: String
    /// True when the client sent the id: manual.md echoes only those.
    package let requestIDIsFromClient: Bool
    package let time: Timestamp
}

/// Implemented once per dialect, in its folder.
package protocol DialectFormat: Sendable {
    /// The failures that every route can have.
    func problem(for fault: RequestFault) -> Problem
    /// Failures of the domain. `nil` when the error is none of the domain's: the kernel reports an internal error.
    func problem(for error: any Error) -> Problem?
    func envelope(_ problem: Problem, _ context: EnvelopeContext) -> Bytes
    /// The error envelope as a schema, for the OpenAPI document.
    var errorSchema: Schema { get }
    /// The envelope's content type.
    var errorType: String { get }
}

extension DialectFormat {
    package var errorType: String { "application/json" }
}
