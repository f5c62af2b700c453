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
    /// A user; whether they have part in what is asked for is the domain's decision.
    case participant
    /// The same for whose it is, or who has this scope.
    case owner(or: Scopes)
    /// A user; whether they are this in the conversation or organisation that is named is the domain's decision.
    case standing(Standing)
}

/// What the documents want somebody to be in what they ask for; the words are those of `endpoints.tsv`.
package enum Standing: String, Sendable {
    case member, moderator, admin, owner, author
    case authorOrModerator = "author|moderator"
    case organizationAdmin = "org-admin"
    case organizationOwner = "org-owner"
    case uploaderOrAdmin = "uploader|admin"
}

/// Which of its dialect's rate limits a route counts against.
package enum LimitClass: String, Sendable, CaseIterable {
    case standard, authentication, messages, upload, search, admin, callInitiation
    /// What no route answers: an unknown path (404), another method (405), a row that is not built yet (501).
    case unrouted
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
    /// Text of another type than JSON, read whole; longer is 413, another type 415.
    case text(contentType: String, limit: Int)
    /// Read by the operation itself, as it comes.
    case stream(contentType: String)
}

package typealias Operation = @Sendable (Call) async throws -> Reply

/// A reference, because a request hands its row from step to step: copying the fields cost more than the look-up.
package final class Route: Sendable {
    package let dialect: Dialect
    package let method: HTTPMethod
    package let path: String
    package let access: RouteAccess
    package let status: HTTPStatus
    /// The status of an answer without a body, where a row has both kinds.
    package let emptyStatus: HTTPStatus?
    package let limit: LimitClass
    package let query: [Parameter]
    package let body: RouteBody
    /// What the answer's body looks like, envelope included; `nil` for no body.
    package let answer: Schema?
    /// The type of an answer that is not JSON; shown in the OpenAPI document.
    package let answerType: String
    package let summary: String
    /// Pages whose scripts and styles need more than design.md's `default-src 'self'`.
    package let contentSecurityPolicy: String?
    /// Becomes a WebSocket.
    package let isSocket: Bool
    /// A socket that may open before it is known who is there: its first message says so.
    package let asksLater: Bool
    package let operation: Operation
    /// The names between braces in `path`, in order.
    let parameterNames: [String]

    init(
        dialect: Dialect = .manual, method: HTTPMethod, path: String, access: RouteAccess, status: HTTPStatus,
        emptyStatus: HTTPStatus? = nil, limit: LimitClass, query: [Parameter], body: RouteBody, answer: Schema?,
        answerType: String = "application/json", summary: String, contentSecurityPolicy: String? = nil,
        isSocket: Bool = false, asksLater: Bool = false, operation: @escaping Operation
    ) {
        self.dialect = dialect
        self.method = method
        self.path = path
        self.access = access
        self.status = status
        self.emptyStatus = emptyStatus
        self.limit = limit
        self.query = query
        self.body = body
        self.answer = answer
        self.answerType = answerType
        self.summary = summary
        self.contentSecurityPolicy = contentSecurityPolicy
        self.isSocket = isSocket
        self.asksLater = asksLater
        self.operation = operation
        parameterNames = Router.parameterNames(ofPattern: path)
    }

    package func allowing(_ policy: String) -> Route { with(dialect, answerType, policy) }

    package func answering(_ type: String) -> Route { with(dialect, type, contentSecurityPolicy) }

    /// A row is written without its dialect; its table knows it.
    func of(_ dialect: Dialect) -> Route { with(dialect, answerType, contentSecurityPolicy) }

    private func with(_ dialect: Dialect, _ answerType: String, _ policy: String?) -> Route {
        Route(
            dialect: dialect, method: method, path: path, access: access, status: status,
            emptyStatus: emptyStatus, limit: limit, query: query, body: body, answer: answer, answerType: answerType,
            summary: summary, contentSecurityPolicy: policy, isSocket: isSocket, asksLater: asksLater,
            operation: operation)
    }
}

extension Route {
    /// A row that becomes a WebSocket. Browsers can set no header there, so a caller may come as `?token=` instead: the
    /// kernel lets it pass, and the operation has to look at it (`SocketCaller`).
    package static func socket(
        _ path: String, _ access: RouteAccess, _ summary: String, query: [Parameter] = [], asksLater: Bool = false,
        _ operation: @escaping Operation
    ) -> Route {
        let token = Parameter(tokenParameter, .text, "An access or signaling token, where no header can be set")
        return Route(
            method: .get, path: path, access: access, status: .switchingProtocols, limit: .standard,
            query: [token] + query, body: .none, answer: nil, summary: summary, isSocket: true,
            asksLater: asksLater, operation: operation)
    }

    static let tokenParameter = "token"

    package static func get(
        _ path: String, _ access: RouteAccess, _ summary: String, limit: LimitClass = .standard,
        query: [Parameter] = [],
        answer: Schema?, _ operation: @escaping Operation
    ) -> Route {
        Route(
            method: .get, path: path, access: access, status: .ok, limit: limit, query: query,
            body: .none, answer: answer, summary: summary, operation: operation)
    }

    package static func post(
        _ path: String, _ access: RouteAccess, _ summary: String, status: HTTPStatus = .ok,
        limit: LimitClass = .standard,
        body: RouteBody = .none, answer: Schema?, _ operation: @escaping Operation
    ) -> Route {
        Route(
            method: .post, path: path, access: access, status: status, limit: limit, query: [],
            body: body, answer: answer, summary: summary, operation: operation)
    }

    package static func put(
        _ path: String, _ access: RouteAccess, _ summary: String, limit: LimitClass = .standard, body: RouteBody,
        answer: Schema?, _ operation: @escaping Operation
    ) -> Route {
        Route(
            method: .put, path: path, access: access, status: .ok, limit: limit, query: [],
            body: body, answer: answer, summary: summary, operation: operation)
    }

    package static func patch(
        _ path: String, _ access: RouteAccess, _ summary: String, orEmpty: HTTPStatus? = nil,
        limit: LimitClass = .standard, body: RouteBody, answer: Schema?, _ operation: @escaping Operation
    ) -> Route {
        Route(
            method: .patch, path: path, access: access, status: .ok, emptyStatus: orEmpty, limit: limit, query: [],
            body: body, answer: answer, summary: summary, operation: operation)
    }

    package static func delete(
        _ path: String, _ access: RouteAccess, _ summary: String, status: HTTPStatus = .noContent,
        limit: LimitClass = .standard, query: [Parameter] = [], answer: Schema? = nil,
        _ operation: @escaping Operation
    ) -> Route {
        Route(
            method: .delete, path: path, access: access, status: status, limit: limit, query: query,
            body: .none, answer: answer, summary: summary, operation: operation)
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
        self.routes = routes.map { $0.of(dialect) }
    }
}

/// What an operation answers: a status other than the route's own only where the documents have one.
package struct Reply: Sendable {
    package var status: HTTPStatus?
    package var headers: ResponseHeaders
    package var body: HTTPResponse.Body

    package init(
        status: HTTPStatus? = nil, headers: ResponseHeaders = ResponseHeaders(), body: HTTPResponse.Body = .none
    ) {
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
