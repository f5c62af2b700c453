// A route is a row of data: method, path, who may call it, what it takes and gives, and one closure.

package import Accounts
package import Base
package import Net
package import Wire

/// Who may call a route.
package enum RouteAccess: Sendable {
    case everyone
    /// Any authenticated principal whose token carries user rights.
    case user
    case admin
    /// The user that the path parameter names, or an administrator.
    case adminOrSelf(parameter: String)
    /// Any one of these scopes.
    case scope(Scopes)
}

/// Which of its dialect's rate limits a route counts against.
package enum LimitClass: String, Sendable, CaseIterable {
    case standard, authentication, messages, upload, search, admin, callInitiation
    /// Health, metrics and documentation: what monitors ask must be answered under load too.
    case unlimited
}

package struct Parameter: Sendable {
    package let name: String
    package let schema: Schema
    package let note: String

    package init(_ name: String, _ schema: Schema, _ note: String = "") {
        self.name = name
        self.schema = schema
        self.note = note
    }
}

package enum RouteBody: Sendable {
    case none
    case json(Schema)
    /// May be left out altogether.
    case optionalJSON(Schema)
    /// Read by the operation itself, as it comes.
    case stream(contentType: String)
}

package typealias Operation = @Sendable (Call) async throws -> Reply

package struct Route: Sendable {
    package var dialect: Dialect
    package var method: HTTPMethod
    package var path: String
    package var access: RouteAccess
    package var status: HTTPStatus
    package var limit: LimitClass
    package var query: [Parameter]
    package var body: RouteBody
    /// What the answer's body looks like, envelope included; `nil` for no body.
    package var answer: Schema?
    /// The type of an answer that is not JSON; shown in the OpenAPI document.
    package var answerType = "application/json"
    package var summary: String
    /// Pages whose scripts and styles need more than design.md's `default-src 'self'`.
    package var contentSecurityPolicy: String?
    package var operation: Operation

    package func allowing(_ policy: String) -> Route {
        var route = self
        route.contentSecurityPolicy = policy
        return route
    }

    package func answering(_ type: String) -> Route {
        var route = self
        route.answerType = type
        return route
    }
}

extension Route {
    package static func get(
        _ path: String, _ access: RouteAccess, _ summary: String, limit: LimitClass = .standard, query: [Parameter] = [],
        answer: Schema?, _ operation: @escaping Operation
    ) -> Route {
        Route(
            dialect: .manual, method: .get, path: path, access: access, status: .ok, limit: limit, query: query,
            body: .none, answer: answer, summary: summary, contentSecurityPolicy: nil, operation: operation)
    }

    package static func post(
        _ path: String, _ access: RouteAccess, _ summary: String, status: HTTPStatus = .ok, limit: LimitClass = .standard,
        body: RouteBody = .none, answer: Schema?, _ operation: @escaping Operation
    ) -> Route {
        Route(
            dialect: .manual, method: .post, path: path, access: access, status: status, limit: limit, query: [],
            body: body, answer: answer, summary: summary, contentSecurityPolicy: nil, operation: operation)
    }

    package static func put(
        _ path: String, _ access: RouteAccess, _ summary: String, limit: LimitClass = .standard, body: RouteBody,
        answer: Schema?, _ operation: @escaping Operation
    ) -> Route {
        Route(
            dialect: .manual, method: .put, path: path, access: access, status: .ok, limit: limit, query: [],
            body: body, answer: answer, summary: summary, contentSecurityPolicy: nil, operation: operation)
    }

    package static func delete(
        _ path: String, _ access: RouteAccess, _ summary: String, status: HTTPStatus = .noContent,
        limit: LimitClass = .standard, answer: Schema? = nil, _ operation: @escaping Operation
    ) -> Route {
        Route(
            dialect: .manual, method: .delete, path: path, access: access, status: status, limit: limit, query: [],
            body: .none, answer: answer, summary: summary, contentSecurityPolicy: nil, operation: operation)
    }
}

/// The routes of one dialect, and how it speaks.
package struct DialectTable: Sendable {
    package let dialect: Dialect
    package let format: any DialectFormat
    package let routes: [Route]

    package init(_ dialect: Dialect, _ format: any DialectFormat, _ routes: [Route]) {
        self.dialect = dialect
        self.format = format
        self.routes = routes.map { route in
            var route = route
            route.dialect = dialect
            return route
        }
    }
}

/// What an operation answers: a status other than the route's own only where the documents have one.
package struct Reply: Sendable {
    package var status: HTTPStatus?
    package var headers: ResponseHeaders
    package var body: HTTPResponse.Body

    package init(status: HTTPStatus? = nil, headers: ResponseHeaders = ResponseHeaders(), body: HTTPResponse.Body = .none) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package static let empty = Reply()

    /// A JSON body; Content-Type is added by the kernel.
    package static func json(_ bytes: Bytes) -> Reply {
        Reply(headers: ResponseHeaders(["Content-Type": "application/json"]), body: .bytes(bytes))
    }
}
