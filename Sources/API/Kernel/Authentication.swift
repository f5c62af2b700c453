// Who calls: a bearer token, an API key or the session cookie, in this order.

import Accounts
import Base
import Net
import Store
import Wire

enum Authentication {
    static let csrfHeader: StaticString = "x-csrf-token"

    static func credential(_ head: RequestHead) -> Credential? {
        // RFC 9110 §5.3: the header comes once. Of two, a proxy may have checked the other one.
        if isRepeated("authorization", head) { return .bearer("") }
        if isRepeated("x-api-key", head) { return .apiKey("") }
        if let header = head.headers["authorization"] {
            // Another scheme is a credential that we cannot read, not the absence of one.
            let isBearer = header.utf8.count > 7 && header.prefix(7).lowercased() == "bearer "
            return .bearer(isBearer ? String(header.dropFirst(7)) : "")
        }
        if let key = head.headers["x-api-key"] { return .apiKey(key) }
        guard head.headers.contains("cookie") else { return nil }
        return Cookies(head.headers)[SessionCookie.name].map(Credential.cookie)
    }

    private static func isRepeated(_ name: StaticString, _ head: RequestHead) -> Bool {
        head.headers.contains(name) && head.headers.values(of: name).count > 1
    }

    static func principal(
        _ credential: Credential, _ head: RequestHead, _ accounts: AccountService
    ) async throws(RequestFault) -> Principal {
        let principal: Principal
        do {
            principal = try await accounts.authenticator.authenticate(credential)
        } catch {
            throw fault(error)
        }
        guard principal.needsCSRF, !head.method.isSafe, let session = principal.session else { return principal }
        guard let token = head.headers[csrfHeader], accounts.authenticator.csrf.isValid(token, for: session) else {
            throw .missingCSRFToken
        }
        return principal
    }

    /// Why a credential is refused is the same question in every dialect.
    private static func fault(_ error: AccountError) -> RequestFault {
        if case .tokenExpired = error { return .expiredToken }
        if case .store(let failure) = error, case .unavailable(let reason) = failure {
            return .unavailable(reason: "The database is not available: \(reason)", retryAfter: 1)
        }
        return .invalidToken
    }
}
