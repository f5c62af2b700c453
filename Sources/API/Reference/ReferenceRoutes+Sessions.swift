// What the documents leave open about a user's own sessions and password; listed in docs/protocol/dialects.md.

import Accounts
import Base
import Wire

extension ReferenceRoutes {
    static var sessions: [Route] {
        [
            .post(
                "/api/v1/auth/logout-all", .user, "End every session of the caller", limit: .authentication,
                answer: ReferencePresenter.messageSchema
            ) { call in
                try await call.accounts.logoutEverywhere(try call.principal, origin: call.origin)
                var reply = ReferencePresenter.message("All sessions have ended")
                call.removeCookies(from: &reply.headers)
                return reply
            },
            .post(
                "/api/v1/auth/password", .user, "Change the caller's password", limit: .authentication,
                body: .json(
                    .object([
                        .required("current_password", AccountFields.password),
                        .required("new_password", AccountFields.newPassword),
                    ])), answer: ReferencePresenter.messageSchema
            ) { call in
                try await call.accounts.changePassword(
                    try call.principal, current: try call.secret("current_password"),
                    new: try call.secret("new_password"), origin: call.origin)
                return ReferencePresenter.message("The password is changed; other sessions have ended")
            },
            .delete("/api/v1/users/me", .user, "Delete the caller's account") { call in
                let principal = try call.principal
                try await call.accounts.deleteOwnAccount(principal, origin: call.origin)
                await call.forgetInChat(principal.user)
                return .empty
            },
        ]
    }
}
