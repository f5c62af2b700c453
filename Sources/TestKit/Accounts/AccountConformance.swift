// What accounts must do on every database. Each check gets an empty one.

import Accounts
import Base
import Crypto
import Store
import Wire

package enum AccountConformance {
    package typealias Check = ConformanceCheck<TestAccounts>

    package static let checks: [Check] =
        logins + sessions + passwords + profiles + administration + tokens + factors + passkeys + auditing
        + events + clientSettings + clientImages

    static let origin = TestAccounts.origin()

    // MARK: Logins

    private static let logins: [Check] = [
        Check("a registration makes a user whose token works at once") { accounts in
            let alice = try await accounts.register()
            try requireEqual(alice.user.username.exposed, "alice")
            try requireEqual(alice.user.email?.exposed, "alice@example.org")
            try requireEqual(alice.user.roles, .user)
            try require(alice.user.isActive && !alice.user.isVerified, "flags")
            try requireEqual(alice.tokens.accessLifetime, .minutes(30))
            try requireEqual(alice.tokens.refreshLifetime, .days(7))
            let principal = try await accounts.principal(alice)
            try requireEqual(principal.user, alice.user.id)
            try requireEqual(principal.scopes, .ofEveryUser)
            try requireEqual(principal.kind, .user)
            try require(!principal.isAdmin, "is an administrator")
            let read = try await accounts.service.profile(principal)
            try requireEqual(read.displayName.exposed, "alice of Test")
            try requireEqual(read.lastLogin, accounts.clock.now)
        },
        Check("a name and an address are taken in any spelling of case") { accounts in
            try await accounts.register("Alice")
            try await requireRefusal(.alreadyExists(.username)) { try await accounts.register("aLICE") }
            let other = Registration(
                username: "other", email: "ALICE@example.ORG", password: TestAccounts.password)
            try await requireRefusal(.alreadyExists(.email)) {
                try await accounts.service.register(other, origin: origin)
            }
        },
        Check("of registrations of one name at once, one wins") { accounts in
            let outcomes = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        do { try await accounts.register("same") } catch { return error as? AccountError == nil }
                        return true
                    }
                }
                return await group.reduce(into: [Bool]()) { $0.append($1) }
            }
            try requireEqual(outcomes.filter { $0 }.count, 1)
        },
        Check("a login takes the name or the address, in any case") { accounts in
            try await accounts.register()
            for name in ["alice", "ALICE", "alice@example.org", "Alice@Example.Org"] {
                let signedIn = try await accounts.login(name)
                try requireEqual(signedIn.user.username.exposed, "alice")
            }
        },
        Check("a wrong password and an unknown name get the same answer") { accounts in
            try await accounts.register()
            let wrong = Secret(text: "not the password")
            let long = String(repeating: "x", count: 999)
            for name in ["alice", "nobody", "nobody@example.org", "a", "' OR 1=1 --", long] {
                try await requireRefusal(.invalidCredentials) { try await accounts.login(name, password: wrong) }
            }
            let page = try await accounts.service.audit.page(AuditFilter(type: "login.failed"))
            try requireEqual(page.total, 6)
            try require(page.items.allSatisfy { $0.actor == nil }, "a failed login names an account")
        },
        Check("a deactivated account is told so only with the right password, and its tokens end at once") { accounts in
            let admin = try await accounts.administrator()
            let alice = try await accounts.register()
            _ = try await accounts.principal(alice)
            _ = try await accounts.service.setActive(
                false, of: alice.user.id, by: .principal(admin), origin: origin)
            try await requireRefusal(.tokenInvalid) { try await accounts.principal(alice) }
            try await requireRefusal(.inactive) { try await accounts.login() }
            try await requireRefusal(.invalidCredentials) {
                try await accounts.login(password: Secret(text: "not the password"))
            }
            try await requireRefusal(.refreshInvalid) {
                try await accounts.service.refresh(alice.tokens.refreshToken, origin: origin)
            }
            _ = try await accounts.service.setActive(true, of: alice.user.id, by: .principal(admin), origin: origin)
            _ = try await accounts.login()
        },
        Check("failures are counted beyond a restart, and a login forgives them") { accounts in
            try await accounts.register()
            let wrong = Secret(text: "not the password")
            for _ in 0..<5 {
                try await requireRefusal(.invalidCredentials) { try await accounts.login(password: wrong) }
            }
            let restarted = try await accounts.another()
            try await requireRefusal(.throttled(retryAfter: .seconds(1))) { try await restarted.login() }
            accounts.clock.advance(by: .seconds(1))
            _ = try await restarted.login()
            try await requireRefusal(.invalidCredentials) { try await restarted.login(password: wrong) }
            let again = try await accounts.another()
            _ = try await again.login()
        },
        Check("an unknown name is throttled like a known one") { accounts in
            let wrong = Secret(text: "not the password")
            for _ in 0..<5 {
                try await requireRefusal(.invalidCredentials) { try await accounts.login("nobody", password: wrong) }
            }
            try await requireRefusal(.throttled(retryAfter: .seconds(1))) {
                try await accounts.login("NOBODY", password: wrong)
            }
            accounts.clock.advance(by: .seconds(1))
            try await requireRefusal(.invalidCredentials) { try await accounts.login("nobody", password: wrong) }
            try await requireRefusal(.throttled(retryAfter: .seconds(2))) { try await accounts.login("nobody") }
        },
        Check("an address that guesses at many names is throttled") { accounts in
            try await accounts.register()
            for index in 0..<50 {
                try await requireRefusal(.invalidCredentials) { try await accounts.login("name\(index)") }
            }
            try await requireRefusal(.throttled(retryAfter: .seconds(1))) { try await accounts.login() }
            _ = try await accounts.login(from: TestAccounts.origin("192.0.2.2"))
        },
    ]

    // MARK: Sessions

    private static let sessions: [Check] = [
        Check("a refresh token is exchanged for its successor") { accounts in
            let alice = try await accounts.register()
            accounts.clock.advance(by: .minutes(31))
            try await requireRefusal(.tokenExpired) { try await accounts.principal(alice) }
            var token = alice.tokens.refreshToken
            for _ in 0..<5 {
                accounts.clock.advance(by: .days(6))
                let next = try await accounts.service.refresh(token, origin: origin)
                try require(next.refreshToken.exposedText != token.exposedText, "the token did not change")
                try requireEqual(try await accounts.principal(next.accessToken).session, alice.tokens.session)
                token = next.refreshToken
            }
            accounts.clock.advance(by: .days(8))
            try await requireRefusal(.refreshInvalid) { try await accounts.service.refresh(token, origin: origin) }
        },
        Check("a refresh token that comes back ends its whole family at once") { accounts in
            let alice = try await accounts.register()
            let next = try await accounts.service.refresh(alice.tokens.refreshToken, origin: origin)
            _ = try await accounts.principal(next.accessToken)
            accounts.clock.advance(by: .seconds(11))
            try await requireRefusal(.refreshReused) {
                try await accounts.service.refresh(alice.tokens.refreshToken, origin: origin)
            }
            try await requireRefusal(.tokenInvalid) { try await accounts.principal(next.accessToken) }
            try await requireRefusal(.refreshInvalid) {
                try await accounts.service.refresh(next.refreshToken, origin: origin)
            }
            let page = try await accounts.service.audit.page(AuditFilter(severity: .critical))
            try requireEqual(page.items.map(\.action), ["session.refresh_reused"])
            _ = try await accounts.login()
        },
        Check("the same client may repeat a refresh for ten seconds and gets the same answer") { accounts in
            let alice = try await accounts.register()
            let first = try await accounts.service.refresh(alice.tokens.refreshToken, origin: origin)
            accounts.clock.advance(by: .seconds(9))
            let again = try await accounts.service.refresh(alice.tokens.refreshToken, origin: origin)
            try requireEqual(again.refreshToken.exposedText, first.refreshToken.exposedText)
            let next = try await accounts.service.refresh(first.refreshToken, origin: origin)
            // The successor was used: whoever shows its predecessor now is not waiting for an answer.
            try await requireRefusal(.refreshReused) {
                try await accounts.service.refresh(alice.tokens.refreshToken, origin: origin)
            }
            try await requireRefusal(.refreshInvalid) {
                try await accounts.service.refresh(next.refreshToken, origin: origin)
            }
        },
        Check("another client may not repeat it") { accounts in
            let alice = try await accounts.register()
            _ = try await accounts.service.refresh(alice.tokens.refreshToken, origin: origin)
            try await requireRefusal(.refreshReused) {
                try await accounts.service.refresh(
                    alice.tokens.refreshToken, origin: TestAccounts.origin("192.0.2.9"))
            }
        },
        Check("of refreshes of one token at once, all get the one successor") { accounts in
            let alice = try await accounts.register()
            let token = alice.tokens.refreshToken
            let successors = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await accounts.service.refresh(token, origin: origin).refreshToken.exposedText
                    }
                }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            try requireEqual(successors.count, 1)
        },
        Check("a session that does not rotate keeps its token, to a fixed end") { accounts in
            let alice = try await accounts.register(session: SessionRequest(rotatesRefreshTokens: false))
            for _ in 0..<6 {
                accounts.clock.advance(by: .days(1))
                let next = try await accounts.service.refresh(alice.tokens.refreshToken, origin: origin)
                try requireEqual(next.refreshToken.exposedText, alice.tokens.refreshToken.exposedText)
            }
            accounts.clock.advance(by: .days(1))
            try await requireRefusal(.refreshInvalid) {
                try await accounts.service.refresh(alice.tokens.refreshToken, origin: origin)
            }
        },
        Check("a family ends ninety days after its login, however it is used") { accounts in
            let alice = try await accounts.register(session: SessionRequest(isRemembered: true))
            try requireEqual(alice.tokens.refreshLifetime, .days(30))
            var token = alice.tokens.refreshToken
            for _ in 0..<3 {
                accounts.clock.advance(by: .days(29))
                token = try await accounts.service.refresh(token, origin: origin).refreshToken
            }
            accounts.clock.advance(by: .days(3))
            try await requireRefusal(.refreshInvalid) { try await accounts.service.refresh(token, origin: origin) }
        },
        Check("a logout ends one session, everywhere ends all") { accounts in
            let first = try await accounts.register()
            let second = try await accounts.login()
            try await accounts.service.logout(try await accounts.principal(first), origin: origin)
            try await requireRefusal(.tokenInvalid) { try await accounts.principal(first) }
            try await requireRefusal(.refreshInvalid) {
                try await accounts.service.refresh(first.tokens.refreshToken, origin: origin)
            }
            let third = try await accounts.login()
            _ = try await accounts.principal(third)
            try await accounts.service.logoutEverywhere(try await accounts.principal(second), origin: origin)
            for session in [second, third] {
                try await requireRefusal(.tokenInvalid) { try await accounts.principal(session) }
            }
        },
        Check("another node sees a logout after the lifetime of what it remembers") { accounts in
            let alice = try await accounts.register()
            let node = try await accounts.another()
            let principal = try await node.principal(alice)
            try await accounts.service.logout(principal, origin: origin)
            _ = try await node.principal(alice)
            accounts.clock.advance(by: .seconds(5))
            try await requireRefusal(.tokenInvalid) { try await node.principal(alice) }
        },
        Check("a cookie is a session of its own kind of credential") { accounts in
            let alice = try await accounts.register(session: SessionRequest(wantsCookie: true))
            guard let cookie = alice.tokens.cookie else { throw ConformanceFailure(description: "no cookie") }
            let authenticator = accounts.service.authenticator
            let principal = try await authenticator.authenticate(.cookie(cookie.value.exposedText))
            try requireEqual(principal.session, alice.tokens.session)
            try require(principal.needsCSRF, "needs no CSRF token")
            try require(try await !accounts.principal(alice).needsCSRF, "a bearer token needs a CSRF token")
            try require(authenticator.csrf.isValid(cookie.csrfToken, for: alice.tokens.session), "CSRF token")
            let other = try await accounts.login()
            try require(
                !authenticator.csrf.isValid(cookie.csrfToken, for: other.tokens.session), "fits another session")
            try await accounts.service.logout(principal, origin: origin)
            try await requireRefusal(.tokenInvalid) {
                try await authenticator.authenticate(.cookie(cookie.value.exposedText))
            }
        },
        Check("the oldest sessions give way to the fiftieth after them") { accounts in
            let first = try await accounts.register()
            for _ in 0..<49 {
                accounts.clock.advance(by: .seconds(1))
                _ = try await accounts.login()
            }
            _ = try await accounts.principal(first)
            accounts.clock.advance(by: .seconds(1))
            let last = try await accounts.login()
            try await requireRefusal(.tokenInvalid) { try await accounts.principal(first) }
            _ = try await accounts.principal(last)
        },
        Check("what is over is swept away") { accounts in
            let alice = try await accounts.register()
            try await accounts.service.forgotPassword(email: "alice@example.org", origin: origin)
            await accounts.service.settle()
            accounts.clock.advance(by: .days(120))
            try await accounts.service.sweep()
            for table in ["sessions", "refresh_tokens", "challenges", "password_resets", "login_throttles"] {
                let rows = try await accounts.database.query(Statement(text: "SELECT COUNT(*) FROM \(table)"))
                try requireEqual(try rows.first?.integer(0), 0)
            }
            try await requireRefusal(.tokenExpired) { try await accounts.principal(alice) }
            let keys = try await accounts.service.signingKeys(by: .console)
            try requireEqual(keys.count, 2)
        },
    ]

    // MARK: Passwords

    private static let passwords: [Check] = [
        Check("a changed password ends the other sessions and keeps this one") { accounts in
            let first = try await accounts.register()
            let second = try await accounts.login()
            let new = Secret(text: "another good password")
            let principal = try await accounts.principal(second)
            try await requireRefusal(.invalidCredentials) {
                try await accounts.service.changePassword(
                    principal, current: Secret(text: "not the password"), new: new, origin: origin)
            }
            try await accounts.service.changePassword(
                principal, current: TestAccounts.password, new: new, origin: origin)
            try await requireRefusal(.tokenInvalid) { try await accounts.principal(first) }
            _ = try await accounts.principal(second)
            try await requireRefusal(.invalidCredentials) { try await accounts.login() }
            _ = try await accounts.login(password: new)
        },
        Check("a current password cannot be guessed through a stolen session") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            let wrong = Secret(text: "not the password")
            for _ in 0..<5 {
                try await requireRefusal(.invalidCredentials) {
                    try await accounts.service.changePassword(alice, current: wrong, new: wrong, origin: origin)
                }
            }
            try await requireRefusal(.throttled(retryAfter: .seconds(1))) {
                try await accounts.service.changePassword(
                    alice, current: TestAccounts.password, new: wrong, origin: origin)
            }
        },
        Check("a forgotten password is reset once, by the mail") { accounts in
            let alice = try await accounts.register()
            try await accounts.service.forgotPassword(email: "Alice@example.org", origin: origin)
            await accounts.service.settle()
            guard let sent = accounts.mail.sent.first else { throw ConformanceFailure(description: "no mail") }
            try requireEqual(sent.recipient, "alice@example.org")
            let token = Secret(text: sent.code)
            let new = Secret(text: "another good password")
            try await requireRefusal(
                .validation(ValidationFault(.newPassword, .tooShort, "at least 8 characters"))
            ) { try await accounts.service.resetPassword(token: token, new: Secret(text: "short"), origin: origin) }
            try await accounts.service.resetPassword(token: token, new: new, origin: origin)
            try await requireRefusal(.resetInvalid) {
                try await accounts.service.resetPassword(token: token, new: new, origin: origin)
            }
            try await requireRefusal(.tokenInvalid) { try await accounts.principal(alice) }
            let back = try await accounts.login(password: new)
            try require(back.user.isVerified, "the address is not verified")
        },
        Check("a reset is forgotten after an hour, and by a login's change of password") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            for _ in 0..<2 {
                try await accounts.service.forgotPassword(email: "alice@example.org", origin: origin)
                await accounts.service.settle()
            }
            let tokens = accounts.mail.sent.map { Secret(text: $0.code) }
            let new = Secret(text: "another good password")
            try await accounts.service.changePassword(
                alice, current: TestAccounts.password, new: new, origin: origin)
            for token in tokens {
                try await requireRefusal(.resetInvalid) {
                    try await accounts.service.resetPassword(token: token, new: new, origin: origin)
                }
            }
            try await accounts.service.forgotPassword(email: "alice@example.org", origin: origin)
            await accounts.service.settle()
            accounts.clock.advance(by: .hours(1))
            guard let last = accounts.mail.sent.last else { throw ConformanceFailure(description: "no mail") }
            try await requireRefusal(.resetInvalid) {
                try await accounts.service.resetPassword(token: Secret(text: last.code), new: new, origin: origin)
            }
        },
        Check("a changed address voids the reset that went to the old one") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            try await accounts.service.forgotPassword(email: "alice@example.org", origin: origin)
            await accounts.service.settle()
            var changes = ProfileChanges()
            changes.email = "alice@example.net"
            _ = try await accounts.service.updateProfile(alice, changes, origin: origin)
            guard let sent = accounts.mail.sent.last else { throw ConformanceFailure(description: "no mail") }
            try await requireRefusal(.resetInvalid) {
                try await accounts.service.resetPassword(
                    token: Secret(text: sent.code), new: Secret(text: "another good password"), origin: origin)
            }
        },
        Check("asking for a reset tells nothing and does not flood a mailbox") { accounts in
            try await accounts.register()
            for name in ["alice", "nobody"] {
                for _ in 0..<5 {
                    try await accounts.service.forgotPassword(email: "\(name)@example.org", origin: origin)
                }
                try await requireRefusal(.throttled(retryAfter: .minutes(1))) {
                    try await accounts.service.forgotPassword(email: "\(name)@example.org", origin: origin)
                }
            }
            await accounts.service.settle()
            try requireEqual(accounts.mail.sent.count, 5)
        },
    ]

    // MARK: Profiles

    private static let profiles: [Check] = [
        Check("a profile changes field by field") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            var changes = ProfileChanges()
            changes.displayName = "Älice 🙂"
            changes.avatarURL = .set("https://example.org/a.png")
            changes.publicKey = .set("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
            changes.preferences = JSONObject([("theme", .string("dark")), ("notifications", .bool(true))])
            let first = try await accounts.service.updateProfile(alice, changes, origin: origin)
            try requireEqual(first.displayName.exposed, "Älice 🙂")
            changes = ProfileChanges()
            changes.avatarURL = .cleared
            changes.preferences = JSONObject([("theme", .string("light")), ("notifications", .null)])
            _ = try await accounts.service.updateProfile(alice, changes, origin: origin)
            let read = try await accounts.service.profile(alice)
            try requireEqual(read.displayName.exposed, "Älice 🙂")
            try requireEqual(read.avatarURL, nil)
            try require(read.publicKey?.hasPrefix("-----BEGIN") == true, "the key is gone")
            try requireEqual(read.preferences, JSONObject([("theme", .string("light"))]))
            let other = try await accounts.another()
            try requireEqual(try await other.service.user(alice.user).preferences, read.preferences)
        },
        Check("a new address is unverified, and nobody else's") { accounts in
            try await accounts.register("bob")
            let alice = try await accounts.principal(try await accounts.register())
            var changes = ProfileChanges()
            changes.email = "BOB@example.org"
            try await requireRefusal(.alreadyExists(.email)) {
                try await accounts.service.updateProfile(alice, changes, origin: origin)
            }
            changes.email = "alice@example.net"
            let changed = try await accounts.service.updateProfile(alice, changes, origin: origin)
            try require(!changed.isVerified, "verified")
            _ = try await accounts.login("alice@example.net")
        },
        Check("changes of one profile at once are all kept") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<8 {
                    group.addTask {
                        var changes = ProfileChanges()
                        changes.preferences = JSONObject([("key\(index)", .integer(Int64(index)))])
                        _ = try await accounts.service.updateProfile(alice, changes, origin: origin)
                    }
                }
                try await group.waitForAll()
            }
            try requireEqual(try await accounts.service.profile(alice).preferences.count, 8)
        },
        Check("a stranger's profile is changed by an administrator only") { accounts in
            let admin = try await accounts.administrator()
            let bob = try await accounts.register("bob")
            let alice = try await accounts.principal(try await accounts.register())
            var changes = ProfileChanges()
            changes.displayName = "Robert"
            try await requireRefusal(.forbidden(.selfOrAdministrator)) {
                try await accounts.service.updateProfile(
                    of: bob.user.id, changes, by: .principal(alice), origin: origin)
            }
            let changed = try await accounts.service.updateProfile(
                of: bob.user.id, changes, by: .principal(admin), origin: origin)
            try requireEqual(changed.displayName.exposed, "Robert")
        },
        Check("a deleted account is gone with its sessions, and its name is free") { accounts in
            let alice = try await accounts.register()
            let principal = try await accounts.principal(alice)
            _ = try await accounts.enrolTOTP(principal)
            try await accounts.service.deleteOwnAccount(principal, origin: origin)
            try await requireRefusal(.tokenInvalid) { try await accounts.principal(alice) }
            try await requireRefusal(.invalidCredentials) { try await accounts.login() }
            try await requireRefusal(.notFound) { try await accounts.service.user(alice.user.id) }
            for table in ["users", "sessions", "refresh_tokens", "mfa_factors", "recovery_codes"] {
                let rows = try await accounts.database.query(Statement(text: "SELECT COUNT(*) FROM \(table)"))
                try requireEqual(try rows.first?.integer(0), 0)
            }
            try await accounts.register()
        },
    ]
}
