// A request's way: id, path, owner, route, caller, limits, body, idempotency, operation, answer.
//
// Each step is a method below, in that order; a step that fails throws a `RequestFault`, which the path's owner words.

import Accounts
package import Base
import Crypto
package import Net
import Store
package import Wire

package struct APIService: Sendable {
    package struct Options: Sendable {
        /// The largest JSON body; files have limits of their own.
        package var bodyLimit = 1 << 20
        package var jsonLimits = JSONLimits()
        package var cors = CORSPolicy(origins: [])
        /// Files for browsers, at every path that no dialect has a row for.
        package var web: WebPages?

        package init() {}
    }

    private static let log = Logger("api")

    let formats: [Dialect: any DialectFormat]
    let router: Router
    let services: Services
    let limiter: RateLimiter
    let load: LoadMonitor
    let idempotency: IdempotencyStore
    let options: Options
    let clock: Clock
    let metrics: RequestMetrics
    let requestIDs = RequestIDs()

    package init(
        tables: [DialectTable] = DialectTables.all, services: Services, limiter: RateLimiter, load: LoadMonitor,
        idempotency: IdempotencyStore, options: Options, clock: Clock, metrics: RequestMetrics
    ) {
        formats = Dictionary(uniqueKeysWithValues: tables.map { ($0.dialect, $0.format) })
        precondition(formats.count == Dialect.allCases.count, "every dialect has a table, if only for its failures")
        router = Router(tables.flatMap(\.routes))
        self.services = services
        self.limiter = limiter
        self.load = load
        self.idempotency = idempotency
        self.options = options
        self.clock = clock
        self.metrics = metrics
    }
}

extension APIService: HTTPService {
    package func respond(to request: HTTPRequest) async -> HTTPResponse {
        let begun = Instant.now()
        var progress = Progress(request, ids: requestIDs, time: clock.now())
        var response: HTTPResponse
        do {
            response = try await answer(request, &progress)
        } catch {
            response = failure(error, progress)
        }
        addStandardHeaders(to: &response, request, progress)
        record(response.status, request, progress, since: begun)
        return response
    }

    package func refuse(_ fault: HTTPFault, path: String?) -> HTTPResponse {
        let dialect = PathClaims.owner(ofUnread: path ?? "")
        let requestID = requestIDs.make()
        let context = EnvelopeContext(requestID: requestID, requestIDIsFromClient: false, time: clock.now())
        var response = render(format(dialect).problem(for: .malformed(fault)), dialect, context)
        response.headers.append(SecurityHeaders.plain)
        response.headers.add("X-Request-ID", requestID)
        metrics.refused(fault.status)
        Self.log.info(
            "request refused",
            [.requestID(requestID), .count("status", fault.status.code), .text("reason", fault.reason)])
        return response
    }
}

/// What is known of a request so far: a failure at any step is answered with what there is.
private struct Progress {
    let requestID: String
    let requestIDIsFromClient: Bool
    let time: Timestamp
    var dialect = Dialect.manual
    var route: Route?
    var caller: Principal?
    var verdict: RateLimiter.Verdict?
    /// Of a file for browsers, which is no route.
    var isPage = false

    init(_ request: HTTPRequest, ids: RequestIDs, time: Timestamp) {
        let sent = RequestIDs.accept(request.head.headers["x-request-id"])
        requestID = sent ?? ids.make()
        requestIDIsFromClient = sent != nil
        self.time = time
    }

    var context: EnvelopeContext {
        EnvelopeContext(requestID: requestID, requestIDIsFromClient: requestIDIsFromClient, time: time)
    }
}

extension APIService {
    private func answer(_ request: HTTPRequest, _ progress: inout Progress) async throws -> HTTPResponse {
        let head = request.head
        if head.method == .options, head.path == "*" { return allowing(HTTPMethod.allCases, head) }
        progress.dialect = PathClaims.owner(ofUnread: head.path)
        let segments = try Self.segments(head.path)
        progress.dialect = PathClaims.owner(of: segments)
        if head.method == .options {
            var response = allowing(methods(at: segments), head)
            addAcceptedTypes(at: segments, to: &response.headers)
            if Tus.isRoot(segments) { Tus.addAbilities(services.files, to: &response.headers) }
            return response
        }

        if let page = page(head, segments) {
            progress.isPage = true
            return page
        }
        let match: Router.Match
        do {
            match = try find(head, segments)
        } catch {
            // Nobody was identified, and no dialect has a number for this: by address, for all of them together.
            try limit(.unrouted, of: .manual, nil, request, &progress)
            throw error
        }
        let sole = match.routes.count == 1 ? match.routes[0] : nil
        progress.route = sole
        if let sole { progress.dialect = sole.dialect }

        // A failed authentication counts against the address before it is reported: guessing tokens is limited too.
        var refusal: RequestFault?
        do { progress.caller = try await identify(request, match) } catch { refusal = error }
        // Where two documents claim the path, what the request says decides whose number counts.
        let isShared = match.routes.count > 1 && progress.caller != nil
        if !isShared { try limit(match.routes.first, request, &progress) }
        if let refusal { throw refusal }
        // Before the choice between two claimants: the path's owner words it.
        let bringsToken = try sole?.isSocket == true && QueryParameters(head.query).contains(Route.tokenParameter)
        let saysLater = sole?.asksLater == true && head.headers.contains("upgrade")
        if progress.caller == nil, !match.isForAnyone, !bringsToken, !saysLater { throw RequestFault.missingToken }

        let query: QueryParameters
        let body: JSONBody
        let route: Route
        do {
            query = try QueryParameters(head.query)
            body = try await JSONBody.read(request, match.routes, options)
            route = try choose(match, head, query, body)
        } catch {
            if isShared { try limit(match.routes.first, request, &progress) }
            throw error
        }
        progress.route = route
        progress.dialect = route.dialect
        if isShared { try limit(route, request, &progress) }
        try authorise(progress.caller, route, match)
        if route.isSocket { try checkUpgrade(request, progress.caller) }

        let call = Call(
            services: services, request: request, route: route, requestID: progress.requestID,
            requestIDIsFromClient: progress.requestIDIsFromClient, time: progress.time, caller: progress.caller,
            origin: RequestOrigin(request, requestID: progress.requestID), parameters: parameters(route, match),
            query: try query.validated(against: route.query), body: try body.validated(against: route.body),
            bodyBytes: body.bytes)
        let reply = try await idempotently(call, body.bytes, route.operation)
        return HTTPResponse(reply.status ?? route.status, headers: reply.headers, body: reply.body)
    }

    // MARK: Route

    /// A path is the same with and without a trailing slash, so that the empty segment behind it is dropped.
    private static func segments(_ path: String) throws(RequestFault) -> [String] {
        do {
            var segments = try URLPath.segments(path)
            if segments.last == "" { segments.removeLast() }
            return segments
        } catch {
            throw .malformed(HTTPFault(error.status, error.reason, field: error.field))
        }
    }

    private func find(_ head: RequestHead, _ segments: [String]) throws(RequestFault) -> Router.Match {
        let routing = PathClaims.routingSegments(segments)
        switch router.route(head.method, routing) {
        case .found(let match): return match
        case .wrongMethod(let allowed): throw .methodNotAllowed(allowed: allowed)
        case .notFound:
            if let what = PathClaims.missingFeature(at: routing) ?? PathClaims.missingFeature(at: segments[...]) {
                throw .notBuiltYet(what: what)
            }
            throw .notFound
        }
    }

    /// A file for browsers, where no dialect has a row.
    private func page(_ head: RequestHead, _ segments: [String]) -> HTTPResponse? {
        guard let web = options.web, head.method.isSafe else { return nil }
        let routing = PathClaims.routingSegments(segments)
        guard case .notFound = router.route(head.method, routing), PathClaims.missingFeature(at: routing) == nil else {
            return nil
        }
        return web.answer(head, at: segments)
    }

    private func choose(
        _ match: Router.Match, _ head: RequestHead, _ query: QueryParameters, _ body: JSONBody
    ) throws(RequestFault) -> Route {
        let dialect = PathClaims.choose(
            among: match.routes.map(\.dialect), hasTrailingSlash: head.path.hasSuffix("/"),
            mentions: { query.contains($0) || body.contains($0) })
        guard let route = match.routes.first(where: { $0.dialect == dialect }) else { throw .notFound }
        return route
    }

    private func parameters(_ route: Route, _ match: Router.Match) -> [(name: String, value: String)] {
        if match.parameterValues.isEmpty { return [] }
        return zip(route.parameterNames, match.parameterValues).map { ($0, $1) }
    }

    private func methods(at segments: [String]) -> [HTTPMethod] {
        let routing = PathClaims.routingSegments(segments)
        return HTTPMethod.allCases.filter { method in
            if method == .options { return true }
            if case .found = router.route(method, routing) { return true }
            return false
        }
    }

    /// The answer to OPTIONS, which is also what a browser asks before a request to another origin.
    private func allowing(_ methods: [HTTPMethod], _ head: RequestHead) -> HTTPResponse {
        var response = HTTPResponse(.noContent)
        response.headers.add("Allow", methods.map(\.rawValue).joined(separator: ", "))
        if let origin = head.headers["origin"] {
            options.cors.addPreflightHeaders(for: origin, methods: methods, to: &response.headers)
        }
        return response
    }

    /// What may be sent there, where it is not JSON (RFC 9725 §4.2, RFC 5789 §3.1).
    private func addAcceptedTypes(at segments: [String], to headers: inout ResponseHeaders) {
        let routing = PathClaims.routingSegments(segments)
        if let type = textType(.post, routing) { headers.add("Accept-Post", type) }
        if let type = textType(.patch, routing) { headers.add("Accept-Patch", type) }
    }

    private func textType(_ method: HTTPMethod, _ segments: ArraySlice<String>) -> String? {
        guard case .found(let match) = router.route(method, segments),
            let body = match.routes.first?.body
        else { return nil }
        switch body {
        case .text(let type, _), .stream(let type): return type
        case .none, .json, .optionalJSON: return nil
        }
    }

    // MARK: Caller

    private func identify(_ request: HTTPRequest, _ match: Router.Match) async throws(RequestFault) -> Principal? {
        guard let credential = Authentication.credential(request.head) else { return nil }
        do {
            return try await Authentication.principal(credential, request.head, services.accounts)
        } catch {
            // A stale cookie or token must not keep anybody from logging in again.
            if match.isForAnyone { return nil }
            throw error
        }
    }

    private func authorise(_ caller: Principal?, _ route: Route, _ match: Router.Match) throws(RequestFault) {
        if case .everyone = route.access { return }
        guard let caller else {
            // Who brings a token in the query is the operation's to check.
            if route.isSocket { return }
            throw .missingToken
        }
        let named: String? =
            if case .adminOrSelf(let name) = route.access {
                parameters(route, match).first { $0.name == name }?.value
            } else { nil }
        try route.access.check(caller, route.method, named: named)
    }

    /// Unlike with `fetch`, a browser does not ask before it opens a socket for a page of another origin, and it sends
    /// the cookie along (RFC 6455 §10.2). So the origin is asked for here, and a cookie counts only with one that is known
    /// by name.
    private func checkUpgrade(_ request: HTTPRequest, _ caller: Principal?) throws(RequestFault) {
        guard request.head.headers.contains("upgrade") else { throw .upgradeRequired }
        let origin = request.head.headers["origin"]
        let usesCookie = caller?.needsCSRF ?? false
        let named = options.cors.origins.filter { $0 != "*" }
        let policy: OriginPolicy = named.count < options.cors.origins.count && !usesCookie ? .any : .only(named)
        guard policy.admits(origin, host: request.head.headers["host"], isSecure: request.connection.isSecure),
            !usesCookie || origin != nil
        else { throw .foreignOrigin }
    }

    // MARK: Limits

    private func limit(
        _ route: Route?, _ request: HTTPRequest, _ progress: inout Progress
    ) throws(RequestFault) {
        guard let route else { return }
        // Who logs in is not known yet, or not to be believed: authentication counts by address.
        let caller = route.limit == .authentication ? nil : progress.caller
        try limit(route.limit, of: route.dialect, caller, request, &progress)
    }

    /// Counts the request against `caller`, or against its address where that is `nil`.
    private func limit(
        _ limitClass: LimitClass, of dialect: Dialect, _ caller: Principal?, _ request: HTTPRequest,
        _ progress: inout Progress
    ) throws(RequestFault) {
        let tier = RateTier(progress.caller)
        guard let limit = limiter.limit(dialect, limitClass, tier, underLoad: load.isOverloaded) else { return }
        let key = RateLimiter.Key(
            dialect: dialect, limitClass: limitClass, caller: .init(caller, request.connection))
        let verdict = limiter.take(limit, for: key, at: request.loop.now)
        progress.verdict = verdict
        if !verdict.isAllowed { throw .rateLimited(retryAfter: max(1, verdict.secondsToReset)) }
    }

    // MARK: Answers

    private func failure(_ error: any Error, _ progress: Progress) -> HTTPResponse {
        failure(error, progress.dialect, progress.context)
    }

    func failure(_ error: any Error, _ dialect: Dialect, _ context: EnvelopeContext) -> HTTPResponse {
        let format = format(dialect)
        let problem: Problem
        if let fault = error as? RequestFault {
            problem = format.problem(for: fault)
        } else if let fault = error as? FieldFault {
            problem = format.problem(for: .validation(fault))
        } else if let domain = format.problem(for: error) {
            problem = domain
        } else {
            Self.log.error("an operation failed", [.requestID(context.requestID), .error(error)])
            problem = format.problem(for: .internalError)
        }
        var response = render(problem, dialect, context)
        if case .methodNotAllowed(let allowed)? = error as? RequestFault {
            response.headers.add("Allow", allowed.map(\.rawValue).joined(separator: ", "))
        }
        // RFC 9110 §15.5.17.
        if case .rangeNotSatisfiable(let length)? = error as? DownloadFault {
            response.headers.add("Content-Range", ByteRanges.contentRange(unsatisfiedOf: length))
        }
        // RFC 9110 §15.5.22.
        if case .upgradeRequired? = error as? RequestFault { response.headers.add("Upgrade", "websocket") }
        return response
    }

    private func render(_ problem: Problem, _ dialect: Dialect, _ context: EnvelopeContext) -> HTTPResponse {
        let format = format(dialect)
        var headers = ResponseHeaders()
        headers.add("Content-Type", format.errorType)
        if problem.status == .unauthorized { headers.add("WWW-Authenticate", "Bearer") }
        if let seconds = problem.retryAfter { headers.add("Retry-After", seconds) }
        return HTTPResponse(problem.status, headers: headers, body: .bytes(format.envelope(problem, context)))
    }

    private func format(_ dialect: Dialect) -> any DialectFormat {
        formats[dialect] ?? ManualFormat()
    }

    private func addStandardHeaders(to response: inout HTTPResponse, _ request: HTTPRequest, _ progress: Progress) {
        let policy = progress.isPage ? WebPages.contentSecurityPolicy : progress.route?.contentSecurityPolicy
        response.headers.append(SecurityHeaders.headers(isSecure: request.connection.isSecure, policy: policy))
        response.headers.add("X-Request-ID", progress.requestID)
        if progress.route.map(Tus.serves) == true { Tus.addVersion(to: &response.headers) }
        if let verdict = progress.verdict { response.headers.add(verdict, at: progress.time) }
        options.cors.addHeaders(for: request.head.headers["origin"], to: &response.headers)
    }

    private func record(_ status: HTTPStatus, _ request: HTTPRequest, _ progress: Progress, since begun: Instant) {
        let duration = Instant.now() - begun
        metrics.record(progress.dialect, status, duration)
        let level: LogLevel = status.code >= 500 ? .warning : status.code >= 400 ? .info : .debug
        guard LogOutput.isEnabled(level) else { return }
        let fields: [LogField] = [
            .requestID(progress.requestID), .text("method", request.head.method.rawValue),
            // The pattern, not the path: paths hold ids and names.
            .text("route", progress.route?.path ?? "none"), .text("dialect", progress.dialect.rawValue),
            .count("status", status.code), .milliseconds("ms", duration),
            .personal("remote", request.connection.remoteAddress),
        ]
        switch level {
        case .warning: Self.log.warning("request failed", fields)
        case .info: Self.log.info("request refused", fields)
        default: Self.log.debug("request", fields)
        }
    }
}
