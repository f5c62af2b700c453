import Accounts
import Base
import Chat
import Net
import Store
import TestKit
import Testing
import Wire

@testable import API

/// What can be wrong with any request, in the five formats: status and code, as `docs/protocol/dialects.md` shows them.
@Suite struct FaultFormatTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let fault: RequestFault
        /// manual, reference, design, calls, rooms.
        let expected: [String]
        var testDescription: String { name }

        init(_ name: String, _ fault: RequestFault, _ expected: String...) {
            self.name = name
            self.fault = fault
            self.expected = expected
        }
    }

    private static let dialects: [Dialect] = [.manual, .reference, .design, .calls, .rooms]

    private static let jsonFault: RequestFault = {
        do throws(JSONError) {
            _ = try JSONValue(parsing: Bytes("{".utf8))
        } catch {
            return .invalidJSON(error)
        }
        return .internalError
    }()

    private static func field(_ rule: FieldFault.Rule) -> RequestFault {
        .validation(FieldFault("email", rule, "is wrong"))
    }

    static let rows = [
        Row(
            "bad framing", .malformed(HTTPFault(.badRequest, "Content-Length twice", field: "Content-Length")),
            "400 invalid_payload", "400 BAD_REQUEST", "400 BAD_REQUEST", "400 BAD_REQUEST",
            "400 VALIDATION_INVALID_FORMAT"),
        Row(
            "no JSON", jsonFault, "400 invalid_payload", "400 BAD_REQUEST", "400 BAD_REQUEST", "400 BAD_REQUEST",
            "400 VALIDATION_INVALID_FORMAT"),
        Row(
            "missing field", field(.required), "400 invalid_payload", "422 VALIDATION_ERROR", "400 VALIDATION_ERROR",
            "422 VALIDATION_ERROR", "422 VALIDATION_REQUIRED_FIELD"),
        Row(
            "format", field(.format), "400 invalid_payload", "422 VALIDATION_ERROR", "400 VALIDATION_ERROR",
            "422 VALIDATION_ERROR", "422 VALIDATION_INVALID_FORMAT"),
        Row(
            "length", field(.length), "400 invalid_payload", "422 VALIDATION_ERROR", "400 VALIDATION_ERROR",
            "422 VALIDATION_ERROR", "422 VALIDATION_LENGTH_EXCEEDED"),
        Row(
            "value", field(.value), "400 invalid_payload", "422 VALIDATION_ERROR", "400 VALIDATION_ERROR",
            "422 VALIDATION_ERROR", "422 VALIDATION_INVALID_VALUE"),
        Row(
            "media type", .unsupportedMediaType(expected: "application/json"), "415 unsupported_media_type",
            "415 UNSUPPORTED_MEDIA_TYPE", "415 UNSUPPORTED_MEDIA_TYPE", "415 UNSUPPORTED_MEDIA_TYPE",
            "415 VALIDATION_INVALID_FORMAT"),
        Row(
            "too large", .bodyTooLarge(limit: 9), "413 payload_too_large", "413 PAYLOAD_TOO_LARGE",
            "413 PAYLOAD_TOO_LARGE", "413 PAYLOAD_TOO_LARGE", "413 VALIDATION_LENGTH_EXCEEDED"),
        Row(
            "not found", .notFound, "404 not_found", "404 RESOURCE_NOT_FOUND", "404 NOT_FOUND", "404 NOT_FOUND",
            "404 RESOURCE_NOT_FOUND"),
        Row(
            "method", .methodNotAllowed(allowed: [.get]), "405 method_not_allowed", "405 METHOD_NOT_ALLOWED",
            "405 METHOD_NOT_ALLOWED", "405 METHOD_NOT_ALLOWED", "405 RESOURCE_NOT_FOUND"),
        Row(
            "not built", .notBuiltYet(what: "Calls"), "501 not_implemented", "501 NOT_IMPLEMENTED",
            "501 NOT_IMPLEMENTED", "501 NOT_IMPLEMENTED", "501 RESOURCE_NOT_FOUND"),
        Row(
            "no token", .missingToken, "401 invalid_token", "401 AUTHENTICATION_REQUIRED", "401 UNAUTHORIZED",
            "401 UNAUTHORIZED", "401 AUTH_TOKEN_INVALID"),
        Row(
            "bad token", .invalidToken, "401 invalid_token", "401 AUTHENTICATION_REQUIRED", "401 UNAUTHORIZED",
            "401 UNAUTHORIZED", "401 AUTH_TOKEN_INVALID"),
        Row(
            "old token", .expiredToken, "401 invalid_token", "401 TOKEN_EXPIRED", "401 TOKEN_EXPIRED",
            "401 TOKEN_EXPIRED", "401 AUTH_TOKEN_EXPIRED"),
        Row(
            "no CSRF token", .missingCSRFToken, "403 csrf_token_required", "403 INSUFFICIENT_PERMISSIONS",
            "403 FORBIDDEN", "403 FORBIDDEN", "403 RESOURCE_ACCESS_DENIED"),
        Row(
            "scope", .insufficientScope(needed: ["backups"]), "403 insufficient_scope", "403 INSUFFICIENT_PERMISSIONS",
            "403 FORBIDDEN", "403 FORBIDDEN", "403 RESOURCE_ACCESS_DENIED"),
        Row(
            "rate", .rateLimited(retryAfter: 60), "429 too_many_requests", "429 RATE_LIMIT_EXCEEDED",
            "429 RATE_LIMITED", "429 RATE_LIMITED", "429 RATE_LIMIT_EXCEEDED"),
        Row(
            "idempotency mismatch", .idempotencyMismatch, "422 idempotency_mismatch", "422 IDEMPOTENCY_MISMATCH",
            "422 IDEMPOTENCY_MISMATCH", "422 IDEMPOTENCY_MISMATCH", "422 VALIDATION_INVALID_VALUE"),
        Row(
            "idempotency pending", .idempotencyPending, "409 idempotency_pending", "409 IDEMPOTENCY_PENDING",
            "409 CONFLICT", "409 CONFLICT", "409 RESOURCE_ALREADY_EXISTS"),
        Row(
            "upgrade", .upgradeRequired, "426 upgrade_required", "426 UPGRADE_REQUIRED", "426 UPGRADE_REQUIRED",
            "426 UPGRADE_REQUIRED", "426 UPGRADE_REQUIRED"),
        Row(
            "unavailable", .unavailable(reason: "away", retryAfter: 1), "503 service_unavailable",
            "503 SERVICE_UNAVAILABLE", "503 SERVICE_UNAVAILABLE", "503 SERVICE_UNAVAILABLE", "503 SERVICE_UNAVAILABLE"),
        Row(
            "internal", .internalError, "500 internal_error", "500 INTERNAL_SERVER_ERROR", "500 INTERNAL_ERROR",
            "500 INTERNAL_ERROR", "500 INTERNAL_ERROR"),
    ]

    private static func format(_ dialect: Dialect) throws -> any DialectFormat {
        try #require(DialectTables.all.first { $0.dialect == dialect }?.format)
    }

    @Test(arguments: rows)
    func `a failure has its status and code in every dialect, in a valid envelope`(_ row: Row) throws {
        for (dialect, expected) in zip(Self.dialects, row.expected) {
            let format = try Self.format(dialect)
            let problem = format.problem(for: row.fault)
            #expect("\(problem.status.code) \(problem.code)" == expected, "\(dialect)")
            let context = EnvelopeContext(
                requestID: "r-1", requestIDIsFromClient: true, time: Timestamp(secondsSinceEpoch: 0))
            let json = try JSONValue(parsing: format.envelope(problem, context))
            try format.errorSchema.validate(json)
            #expect(!problem.message.isEmpty)
        }
    }

    @Test(arguments: dialects)
    func `a refused field is named with its reason`(_ dialect: Dialect) throws {
        let details = try Self.format(dialect).problem(for: Self.field(.format)).details
        #expect(details == JSONObject([("field", .string("email")), ("reason", .string("is wrong"))]))
    }

    @Test(arguments: dialects)
    func `every failure of the domain has words`(_ dialect: Dialect) throws {
        let errors: [AccountError] = [
            .invalidCredentials, .mfaInvalid, .challengeInvalid, .tokenExpired, .tokenInvalid, .refreshInvalid,
            .refreshReused, .resetInvalid, .validation(ValidationFault(.email, .format, "x")),
            .alreadyExists(.username),
            .notFound, .forbidden(.lastAdministrator), .inactive, .throttled(retryAfter: .milliseconds(200)),
            .limitReached(3), .busy, .undeliverable, .store(.unavailable("disk full")), .store(.corrupt("x")),
        ]
        let format = try Self.format(dialect)
        for error in errors {
            let problem = try #require(format.problem(for: error))
            #expect((400...599).contains(problem.status.code))
            #expect(!problem.code.isEmpty && !problem.message.isEmpty)
        }
        #expect(format.problem(for: AccountError.throttled(retryAfter: .milliseconds(200)))?.retryAfter == 1)
        #expect(format.problem(for: AccountError.store(.corrupt("x")))?.status == .internalServerError)
        #expect(format.problem(for: AccountError.store(.unavailable("disk full")))?.status == .serviceUnavailable)
    }

    @Test(arguments: [Dialect.reference, .design, .calls, .rooms])
    func `every failure of chat has words in each dialect that has chat`(_ dialect: Dialect) throws {
        let refusals: [ChatRefusal] = [
            .notMember, .lacks(.send), .lacks(.delete), .lacks(.manageMessages), .notAuthor, .rank, .lastOwner,
            .archived, .removed, .direct, .inviteOnly, .systemMessage,
        ]
        let things: [ChatThing] = [
            .conversation, .message, .organization, .member, .user, .invitation, .reaction, .device,
        ]
        let limits: [ChatLimit] = [
            .conversations, .organizations, .invitations, .pins, .reactions, .emoji, .devices, .oneTimeKeys,
        ]
        let rules: [ChatFault.Rule] = [.required, .format, .tooShort, .tooLong, .value]
        let errors: [ChatError] =
            refusals.map(ChatError.forbidden) + things.map(ChatError.notFound)
            + limits.map { .limitReached($0, 3) } + rules.map { .validation(ChatFault(.content, $0, "is wrong")) } + [
                .messageTooLong(limit: 9), .versionConflict(current: 2), .alreadyMember, .full(limit: 2),
                .invitationInvalid, .throttled(retryAfter: .milliseconds(200)), .account(.notFound),
                .store(.unavailable("disk full")), .store(.corrupt("x")),
            ]
        let format = try Self.format(dialect)
        for error in errors {
            let problem = try #require(format.problem(for: error))
            #expect((400...599).contains(problem.status.code))
            #expect(!problem.code.isEmpty && !problem.message.isEmpty)
        }
        #expect(format.problem(for: ChatError.throttled(retryAfter: .milliseconds(200)))?.retryAfter == 1)
        #expect(format.problem(for: ChatError.store(.corrupt("x")))?.status == .internalServerError)
        #expect(format.problem(for: ChatError.store(.unavailable("disk full")))?.status == .serviceUnavailable)
        // A field has the name that the dialect's clients know it by.
        let named = { (field: ChatFault.Field) in
            format.problem(for: ChatError.validation(ChatFault(field, .value, "is wrong")))?.details["field"]
        }
        #expect(named(.title) == .string(dialect == .design || dialect == .rooms ? "name" : "title"))
        #expect(named(.content) == .string("content"))
    }

    @Test(arguments: [
        ("/nothing", Dialect.manual), ("/api/v1/users", .reference), ("/v1/x", .design), ("/api/v1/calls/x", .calls),
        ("/chatrooms", .rooms), ("/api/v1/calls/x/", .calls), ("no path", .manual),
    ])
    func `what could not be read is refused by the owner of its path`(_ path: String, _ dialect: Dialect) async throws {
        try await APIHarness.run { api in
            let fault = HTTPFault(.requestTimeout, "the request did not come in time")
            let answer = TestAnswer(api.api.refuse(fault, path: path == "no path" ? nil : path))
            #expect(answer.status == 408)
            try Self.format(dialect).errorSchema.validate(try #require(answer.json))
            #expect(answer.headers("x-request-id").count == 1)
            #expect(answer.header("x-content-type-options") == "nosniff")
        }
    }

    @Test(arguments: [
        ("/api/v1/users/%zz", "error.timestamp"), ("/v1/users/%00", "meta.timestamp"),
        ("/api/v1/calls/%2f", "error_code"),
        ("/users/%ff", "error.code"), ("/cluster/..", "detail"), ("/%zz", "detail"),
    ])
    func `a path that cannot be read is refused by its owner`(_ path: String, _ member: String) async throws {
        try await APIHarness.run { api in
            let answer = try await api.get(path)
            #expect(answer.status == 400)
            #expect(answer[member] != nil, "\(answer.text)")
        }
    }

    @Test(arguments: [
        ("POST", "/cluster/nodes", "code", "not_implemented"),
        ("GET", "/api/v1/cluster/nodes", "code", "not_implemented"),
        ("GET", "/api/v1/ai/chat", "error.code", "NOT_IMPLEMENTED"),
    ])
    func `a row that is not built says so in its dialect`(
        _ method: String, _ path: String, _ member: String, _ code: String
    ) async throws {
        try await APIHarness.run { api in
            let answer = try await api.send(TestRequest(try #require(HTTPMethod(rawValue: method)), path))
            #expect(answer.status == 501)
            #expect(answer.string(member) == code)
        }
    }
}
