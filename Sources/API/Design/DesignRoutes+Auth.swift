// design.md, "Authentication & Authorization".

import Accounts
import Base
import Wire

extension DesignRoutes {
    static var auth: [Route] {
        login + passwordReset + ownAccount
    }

    private static var login: [Route] {
        [
            .post(
                "/v1/auth/register", .everyone, "Register an account", status: .created, limit: .authentication,
                body: .json(
                    .object([
                        .required("username", AccountFields.newUsername), .required("email", AccountFields.email),
                        .required("password", AccountFields.newPassword),
                        .optional("display_name", .nullable(AccountFields.displayName)),
                        .optional("public_key", .nullable(AccountFields.publicKey)),
                    ])), answer: signedInEnvelope
            ) { call in
                let registration = Registration(
                    username: try call.text("username"), email: try call.text("email"),
                    password: try call.secret("password"), displayName: call.optionalText("display_name"),
                    publicKey: call.optionalText("public_key"))
                return signedIn(try await call.accounts.register(registration, origin: call.origin), call)
            },
            .post(
                "/v1/auth/login", .everyone, "Log in with a name or an e-mail address", limit: .authentication,
                body: .json(
                    .object([
                        .optional("username", AccountFields.username), .optional("email", AccountFields.username),
                        .required("password", AccountFields.password),
                        .optional("mfa_code", .nullable(AccountFields.code)),
                        .optional("remember_me", .nullable(.boolean)),
                    ])), answer: signedInEnvelope
            ) { call in
                guard let name = call.optionalText("username") ?? call.optionalText("email") else {
                    throw FieldFault("username", .required, "is required")
                }
                let session = SessionRequest(isRemembered: call.body["remember_me"]?.boolValue ?? false)
                return signedIn(
                    try await call.accounts.login(
                        name, password: try call.secret("password"), mfaCode: call.optionalText("mfa_code"),
                        session: session, origin: call.origin), call)
            },
            .post(
                "/v1/auth/login/2fa", .everyone, "Complete a login with its second factor", limit: .authentication,
                body: .json(
                    .object([
                        .required("temp_token", AccountFields.token), .required("code", AccountFields.code),
                        .required("method", .choice(MFAMethod.codeMethods)),
                    ])), answer: signedInEnvelope
            ) { call in
                signedIn(
                    try await call.accounts.completeMFA(
                        temporaryToken: try call.secret("temp_token"), method: MFAMethod(name: try call.text("method")),
                        proof: .code(try call.text("code")), origin: call.origin), call)
            },
            .post(
                "/v1/auth/refresh", .everyone, "A new access token for a refresh token", limit: .authentication,
                body: .json(.object([.required("refresh_token", AccountFields.token)])),
                answer: DesignPresenter.envelope(DesignPresenter.tokenSchema)
            ) { call in
                let refreshed = try await call.accounts.refresh(try call.secret("refresh_token"), origin: call.origin)
                return DesignPresenter.reply(call) { json in
                    DesignPresenter.tokens(
                        refreshed.accessToken, refreshed.accessLifetime, refreshed.refreshToken, into: &json)
                }
            },
            .post(
                "/v1/auth/logout", .user, "End this session", limit: .authentication,
                answer: DesignPresenter.messageEnvelope
            ) { call in
                try await call.accounts.logout(try call.principal, origin: call.origin)
                var reply = DesignPresenter.message("Logged out", call)
                call.removeCookies(from: &reply.headers)
                return reply
            },
        ]
    }

    private static var passwordReset: [Route] {
        [
            .post(
                "/v1/auth/forgot-password", .everyone, "Have a reset token sent by e-mail", limit: .authentication,
                body: .json(.object([.required("email", AccountFields.email)])),
                answer: DesignPresenter.messageEnvelope
            ) { call in
                try await call.accounts.forgotPassword(email: try call.text("email"), origin: call.origin)
                // The same words whether the address is known or not.
                return DesignPresenter.message("If the address belongs to an account, a message is on its way", call)
            },
            .post(
                "/v1/auth/reset-password", .everyone, "Set a new password with a reset token", limit: .authentication,
                body: .json(
                    .object([
                        .required("token", AccountFields.token), .required("password", AccountFields.newPassword),
                    ])), answer: DesignPresenter.messageEnvelope
            ) { call in
                try await call.accounts.resetPassword(
                    token: try call.secret("token"), new: try call.secret("password"), origin: call.origin)
                return DesignPresenter.message("The password is changed; all sessions have ended", call)
            },
        ]
    }

    private static var ownAccount: [Route] {
        [
            .get("/v1/auth/me", .user, "The caller's account", answer: DesignPresenter.ownUserEnvelope) { call in
                let user = try await call.accounts.profile(try call.principal)
                return DesignPresenter.reply(call) { json in DesignPresenter.ownUser(user, into: &json) }
            },
            .put(
                "/v1/auth/me", .user, "Change the caller's account", body: .json(profileBody),
                answer: DesignPresenter.ownUserEnvelope
            ) { call in
                let user = try await call.accounts.updateProfile(
                    try call.principal, call.profileChanges, origin: call.origin)
                return DesignPresenter.reply(call) { json in DesignPresenter.ownUser(user, into: &json) }
            },
            .delete("/v1/auth/me", .user, "Delete the caller's account") { call in
                let principal = try call.principal
                try await call.accounts.deleteOwnAccount(principal, origin: call.origin)
                await call.forgetInChat(principal.user)
                return .empty
            },
        ]
    }

    static let profileProperties: [Property] = [
        .optional("display_name", AccountFields.displayName), .optional("email", AccountFields.email),
        .optional("avatar_url", .nullable(AccountFields.avatarURL)),
        .optional("public_key", .nullable(AccountFields.publicKey)),
        .optional("preferences", AccountFields.preferences),
    ]
    private static let profileBody = Schema.object(profileProperties)

    private static func signedIn(_ signedIn: SignedIn, _ call: Call) -> Reply {
        DesignPresenter.reply(call) { json in
            json.object("user") { json in DesignPresenter.ownUser(signedIn.user, into: &json) }
            DesignPresenter.tokens(
                signedIn.tokens.accessToken, signedIn.tokens.accessLifetime, signedIn.tokens.refreshToken, into: &json)
        }
    }

    private static let signedInEnvelope = DesignPresenter.envelope(
        .object([.required("user", DesignPresenter.ownUserSchema)] + DesignPresenter.tokenProperties))
}
