// reference.md, "Authentication Endpoints" and "Multi-Factor Authentication".

import Accounts
import Base
import Wire

extension ReferenceRoutes {
    static var auth: [Route] {
        [
            .post(
                "/api/v1/auth/login", .everyone, "Log in with a name or an e-mail address", limit: .authentication,
                body: .json(
                    .object([
                        .required("username", AccountFields.username), .required("password", AccountFields.password),
                        .optional("mfa_code", .nullable(AccountFields.code)),
                        .optional("remember_me", .nullable(.boolean)),
                    ])), answer: ReferencePresenter.tokenSchema
            ) { call in
                do {
                    let signedIn = try await call.accounts.login(
                        try call.text("username"), password: try call.secret("password"),
                        mfaCode: call.optionalText("mfa_code"), session: session(call), origin: call.origin)
                    return tokens(signedIn.tokens, call)
                } catch AccountError.mfaRequired(let challenge) {
                    return ReferencePresenter.mfaRequired(challenge)
                }
            },
            .post(
                "/api/v1/auth/mfa/verify", .everyone, "Complete a login with its second factor", limit: .authentication,
                body: .json(
                    .object([
                        .required("temp_token", AccountFields.token), .required("mfa_code", AccountFields.code),
                        .required("method", .choice(MFAMethod.codeMethods)),
                    ])), answer: ReferencePresenter.tokenSchema
            ) { call in
                let signedIn = try await call.accounts.completeMFA(
                    temporaryToken: try call.secret("temp_token"), method: MFAMethod(name: try call.text("method")),
                    proof: .code(try call.text("mfa_code")), origin: call.origin)
                return tokens(signedIn.tokens, call)
            },
            .post(
                "/api/v1/auth/refresh", .everyone, "A new access token for a refresh token", limit: .authentication,
                body: .json(.object([.required("refresh_token", AccountFields.token)])),
                answer: ReferencePresenter.tokenSchema
            ) { call in
                ReferencePresenter.tokens(
                    try await call.accounts.refresh(try call.secret("refresh_token"), origin: call.origin))
            },
            .post(
                "/api/v1/auth/logout", .user, "End this session", limit: .authentication,
                answer: ReferencePresenter.messageSchema
            ) { call in
                try await call.accounts.logout(try call.principal, origin: call.origin)
                var reply = ReferencePresenter.message("Logged out")
                call.removeCookies(from: &reply.headers)
                return reply
            },
        ]
    }

    /// The document's "Session Cookies" are set by the same login that answers with tokens.
    private static func session(_ call: Call) -> SessionRequest {
        SessionRequest(isRemembered: call.body["remember_me"]?.boolValue ?? false, wantsCookie: true)
    }

    static func tokens(_ tokens: SessionTokens, _ call: Call) -> Reply {
        var reply = ReferencePresenter.tokens(tokens)
        call.addCookies(tokens, to: &reply.headers)
        return reply
    }
}
