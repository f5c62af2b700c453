// One request as an operation sees it: everything resolved and checked.

package import Accounts
package import Base
package import Net
package import Wire

package struct Call: Sendable {
    package let services: Services
    package let request: HTTPRequest
    package let route: Route
    package let requestID: String
    package let requestIDIsFromClient: Bool
    package let time: Timestamp
    /// Who calls; `nil` only on routes for everyone.
    package let caller: Principal?
    /// What of the request goes into audit entries and sessions.
    package let origin: RequestOrigin
    let parameters: [(name: String, value: String)]
    /// Query parameters that the route declares, checked against their schemas.
    let query: JSONObject
    /// The body, checked against the route's schema; empty where there is none.
    package let body: JSONObject
    /// The body as it came; empty where the route reads it itself.
    let bodyBytes: Bytes

    package var context: EnvelopeContext {
        EnvelopeContext(requestID: requestID, requestIDIsFromClient: requestIDIsFromClient, time: time)
    }

    /// The caller of a route that is not for everyone: the kernel has checked that there is one.
    package var principal: Principal {
        get throws(RequestFault) {
            guard let caller else { throw .missingToken }
            return caller
        }
    }

    /// A path parameter as an identifier. One that is none names nothing that exists.
    package func identifier<Kind>(
        _ name: String, _ kind: Kind.Type = Kind.self
    ) throws(RequestFault) -> Identifier<Kind> {
        guard let identifier = Identifier<Kind>(parameter(name)) else { throw .notFound }
        return identifier
    }

    package func parameter(_ name: String) -> String { parameters.first { $0.name == name }?.value ?? "" }

    package func queryText(_ name: String) -> String? { query[name]?.stringValue }
    package func queryFlag(_ name: String) -> Bool? { query[name]?.boolValue }
    package func queryInteger(_ name: String, default fallback: Int) -> Int {
        query[name]?.integerValue.map(Int.init) ?? fallback
    }

    /// A required string of the body. The schema has been checked, so that it is there.
    package func text(_ name: String) throws(RequestFault) -> String {
        guard let text = body[name]?.stringValue else {
            throw .validation(FieldFault(name, .required, "is required"))
        }
        return text
    }

    package func optionalText(_ name: String) -> String? { body[name]?.stringValue }

    /// Whether the client wrote the field at all; `null` counts.
    package func mentions(_ name: String) -> Bool { body[name] != nil }
}
