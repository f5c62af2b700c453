// rooms.md, "User Management Endpoints".

import Accounts
import Base
import Wire

extension RoomsRoutes {
    static var users: [Route] {
        [
            .get("/users/me", .user, "The caller's profile", answer: profileEnvelope) { call in
                profile(try await call.accounts.profile(try call.principal))
            },
            .put(
                "/users/me", .user, "Change the caller's profile",
                body: .json(
                    .object([
                        .optional("display_name", AccountFields.displayName),
                        .optional("avatar_url", .nullable(AccountFields.avatarURL)),
                        .optional("public_key", .nullable(AccountFields.publicKey)),
                    ])), answer: profileEnvelope
            ) { call in
                profile(
                    try await call.accounts.updateProfile(try call.principal, call.profileChanges, origin: call.origin))
            },
        ]
    }

    static func profile(_ user: User) -> Reply {
        RoomsPresenter.reply { json in RoomsPresenter.profile(user, into: &json) }
    }

    static let profileEnvelope = RoomsPresenter.envelope(
        .named(
            "RoomsProfile",
            .object([
                .required("id", .uuid), .required("username", .text), .required("email", .nullable(.text)),
                .required("display_name", .text), .required("avatar_url", .nullable(.text)),
                .required("public_key", .nullable(.text)), .required("is_verified", .boolean),
                .required("created_at", .dateTime), .required("last_login", .nullable(.dateTime)),
            ])))
}
