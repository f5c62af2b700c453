// Who may call a route, decided from what the token says; what depends on the thing that is asked for (membership,
// ownership) is the domain's decision.

import Accounts
import Base
import Net
import Wire

extension RouteAccess {
    /// `named` is the path parameter of `.adminOrSelf`.
    func check(_ caller: Principal, _ method: HTTPMethod, named: String?) throws(RequestFault) {
        if case .everyone = self { return }
        // An API key may be narrower than its owner.
        let needed: Access = method.isSafe ? .read : .write
        guard caller.access.contains(needed) else { throw .insufficientScope(needed: needed.names) }
        switch self {
        case .everyone: return
        case .user, .participant, .standing:
            guard caller.scopes.contains(.profile) else { throw .insufficientScope(needed: Scopes.profile.names) }
        case .admin:
            guard caller.isAdmin else { throw .insufficientScope(needed: ["admin"]) }
        case .adminOrSelf:
            if caller.isAdmin { return }
            guard caller.scopes.contains(.profile) else { throw .insufficientScope(needed: Scopes.profile.names) }
            // Somebody else's account: a user may not change it, whether it exists or not.
            guard named.flatMap({ UserID($0) }) == caller.user else { throw .insufficientScope(needed: ["admin"]) }
        case .owner(let scopes):
            guard caller.isAdmin || !caller.scopes.isDisjoint(with: scopes.union(.calls)) else {
                throw .insufficientScope(needed: scopes.union(.calls).names)
            }
        case .scope(let scopes):
            guard caller.isAdmin || !caller.scopes.isDisjoint(with: scopes) else {
                throw .insufficientScope(needed: scopes.names)
            }
        }
    }
}

extension RateTier {
    init(_ caller: Principal?) {
        guard let caller else {
            self = .anonymous
            return
        }
        self =
            switch caller.kind {
            case .node: .node
            case .user, .admin, .service: caller.isAdmin ? .admin : caller.tier == .premium ? .premium : .user
            }
    }
}

extension RateLimiter.Caller {
    init(_ caller: Principal?, _ connection: ConnectionInfo) {
        if let caller {
            self = .principal(high: caller.user.uuid.high, low: caller.user.uuid.low)
        } else {
            self = .address(Self.network(of: connection.remoteAddress.exposed))
        }
    }

    /// An IPv4 address, or the first 64 bits of an IPv6 one.
    private static func network(of text: String) -> Bytes {
        guard let address = IPAddress(text) else { return Bytes(text.utf8) }
        return address.isV6 ? Bytes(address.bytes.prefix(8)) : address.bytes
    }
}

extension RequestOrigin {
    init(_ request: HTTPRequest, requestID: String) {
        self.init(
            address: request.connection.remoteAddress,
            userAgent: request.head.headers["user-agent"].map(Private.init), requestID: requestID)
    }
}

extension Reply {
    init(_ stored: IdempotencyStore.StoredReply) {
        var headers = stored.headers
        headers.add("Idempotent-Replayed", "true")
        self.init(status: stored.status, headers: headers, body: stored.body.isEmpty ? .none : .bytes(stored.body))
    }
}

extension IdempotencyStore.StoredReply {
    init(_ reply: Reply, _ status: HTTPStatus) {
        self.init(status: reply.status ?? status, headers: reply.headers, body: reply.body)
    }

    init(_ response: HTTPResponse) {
        self.init(status: response.status, headers: response.headers, body: response.body)
    }

    private init(status: HTTPStatus, headers: ResponseHeaders, body: HTTPResponse.Body) {
        // Mutating routes answer with JSON or with nothing: streams come from GET alone.
        let bytes: Bytes = if case .bytes(let bytes) = body { bytes } else { [] }
        self.init(status: status, headers: headers, body: bytes)
    }
}
