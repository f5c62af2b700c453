// Idempotency-Key around an operation. A body in memory is hashed before; one that the operation reads itself is hashed
// while it comes, and compared when the key comes again.

import Accounts
import Base
import Crypto
import Net
import Wire

extension APIService {
    func idempotently(
        _ call: Call, _ body: Bytes, _ operation: @escaping Operation
    ) async throws -> Reply {
        guard !call.route.method.isSafe, let key = call.request.head.headers["idempotency-key"] else {
            return try await operation(call)
        }
        guard IdempotencyStore.keyLengths.contains(key.utf8.count) else {
            throw RequestFault.validation(
                FieldFault("Idempotency-Key", .length, "must be 1 to 255 characters long"))
        }
        let id = IdempotencyStore.identity(
            caller: call.caller?.user.description ?? call.request.connection.remoteAddress.exposed,
            method: call.route.method, path: call.request.head.path, key: key)
        let streamed = call.route.readsBodyItself ? StreamedBody(call.request.head) : nil
        switch try await idempotency.begin(
            id, fingerprint: streamed == nil ? SHA256.hash(body) : nil, at: call.time)
        {
        case .mismatch: throw RequestFault.idempotencyMismatch
        case .pending: throw RequestFault.idempotencyPending
        case .replay(let stored, let fingerprint):
            if let streamed, try await !streamed.is(fingerprint, call.request.body) {
                throw RequestFault.idempotencyMismatch
            }
            return Reply(stored)
        case .fresh: break
        }
        guard let streamed else { return try await run(call, id, operation) }
        let body = call.request.body.observed { streamed.take($0) }
        return try await run(call.with(body), id, operation) { streamed.fingerprint() }
    }

    /// `fingerprint`: what is known of a streamed body when the answer is there.
    private func run(
        _ call: Call, _ id: Bytes, _ operation: Operation, _ fingerprint: () -> Bytes? = { nil }
    ) async throws -> Reply {
        let reply: Reply
        do {
            reply = try await operation(call)
        } catch {
            let response = failure(error, call.route.dialect, call.context)
            try await idempotency.finish(id, with: .init(response), fingerprint: fingerprint())
            throw error
        }
        try await idempotency.finish(id, with: .init(reply, call.route.status), fingerprint: fingerprint())
        return reply
    }
}

extension Route {
    fileprivate var readsBodyItself: Bool {
        if case .stream = body { true } else { false }
    }
}

extension Call {
    /// The same with a body that is listened to.
    fileprivate func with(_ body: RequestBody) -> Call {
        Call(
            services: services,
            request: HTTPRequest(
                head: request.head, body: body, connection: request.connection, loop: request.loop),
            route: route, requestID: requestID, requestIDIsFromClient: requestIDIsFromClient, time: time,
            caller: caller, origin: origin, parameters: parameters, query: query, body: self.body,
            bodyBytes: bodyBytes)
    }
}
