// rooms.md, "Authentication Endpoints".

import Accounts
import Base
import Wire

extension RoomsRoutes {
    static var auth: [Route] {
        [
            .post(
                "/auth/register", .everyone, "Register an account", status: .created, limit: .standard,
                body: .json(
                    .object([
                        .required("username", AccountFields.newUsername), .required("email", AccountFields.email),
                        .required("password", AccountFields.newPassword),
                        .required("display_name", AccountFields.displayName),
                        .optional("public_key", .nullable(AccountFields.publicKey)),
                    ])), answer: RoomsPresenter.envelope(registeredSchema)
            ) { call in
                let registration = Registration(
                    username: try call.text("username"), email: try call.text("email"),
                    password: try call.secret("password"), displayName: try call.text("display_name"),
                    publicKey: call.optionalText("public_key"))
                let signedIn = try await call.accounts.register(registration, session: session, origin: call.origin)
                return RoomsPresenter.reply { json in
                    json.object("user") { json in RoomsPresenter.registeredUser(signedIn.user, into: &json) }
                    RoomsPresenter.tokens(signedIn.tokens, into: &json)
                }
            },
            .post(
                "/auth/login", .everyone, "Log in with a name or an e-mail address",
                body: .json(
                    .object([
                        .required("username", AccountFields.username), .required("password", AccountFields.password),
                        .optional("mfa_code", .nullable(AccountFields.code)),
                    ])), answer: RoomsPresenter.envelope(loggedInSchema)
            ) { call in
                let signedIn = try await call.accounts.login(
                    try call.text("username"), password: try call.secret("password"),
                    mfaCode: call.optionalText("mfa_code"), session: session, origin: call.origin)
                return RoomsPresenter.reply { json in
                    json.object("user") { json in RoomsPresenter.loggedInUser(signedIn.user, into: &json) }
                    RoomsPresenter.tokens(signedIn.tokens, into: &json)
                }
            },
            .post(
                "/auth/refresh", .everyone, "A new access token for a refresh token",
                body: .json(.object([.required("refresh_token", AccountFields.token)])),
                answer: RoomsPresenter.envelope(
                    .object([.required("access_token", .text), .required("expires_in", .count)]))
            ) { call in
                let refreshed = try await call.accounts.refresh(try call.secret("refresh_token"), origin: call.origin)
                return RoomsPresenter.reply { json in
                    json.field("access_token", refreshed.accessToken.exposedText)
                    json.field("expires_in", Int(refreshed.accessLifetime.inSeconds))
                }
            },
            .post("/auth/logout", .user, "End this session", answer: RoomsPresenter.doneEnvelope) { call in
                try await call.accounts.logout(try call.principal, origin: call.origin)
                var reply = RoomsPresenter.done("Logged out successfully")
                call.removeCookies(from: &reply.headers)
                return reply
            },
        ]
    }

    /// The document's refresh answers hold no new refresh token, so its clients keep the first one.
    private static let session = SessionRequest(rotatesRefreshTokens: false)

    private static let tokenProperties: [Property] = [
        .required("access_token", .text), .required("refresh_token", .text), .required("expires_in", .count),
    ]
    private static let registeredSchema = Schema.object(
        [
            .required(
                "user",
                .object([
                    .required("id", .uuid), .required("username", .text), .required("email", .nullable(.text)),
                    .required("display_name", .text), .required("avatar_url", .nullable(.text)),
                    .required("is_verified", .boolean), .required("created_at", .dateTime),
                ]))
        ] + tokenProperties)
    private static let loggedInSchema = Schema.object(
        [
            .required(
                "user",
                .object([
                    .required("id", .uuid), .required("username", .text), .required("display_name", .text),
                    .required("avatar_url", .nullable(.text)), .required("last_login", .nullable(.dateTime)),
                ]))
        ] + tokenProperties)
}
