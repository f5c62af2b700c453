// Administrators, issued tokens, API keys and signing keys.

import Accounts
import Base
import Crypto
import Store
import Wire

extension AccountConformance {
    static let administration: [Check] = [
        Check("the first start makes one administrator, whose password is shown once") { accounts in
            guard let password = try await accounts.service.ensureAdministrator(password: nil) else {
                throw ConformanceFailure(description: "no password")
            }
            try require(password.count >= 20, "a short password")
            try require(try await accounts.service.ensureAdministrator(password: nil) == nil, "a second administrator")
            let admin = try await accounts.login("admin", password: password)
            let principal = try await accounts.principal(admin)
            try require(principal.isAdmin, "is no administrator")
            try requireEqual(principal.kind, .admin)
            try requireEqual(principal.scopes, .all)
            try await requireRefusal(.invalidCredentials) {
                try await accounts.login("admin", password: Secret(text: "admin123"))
            }
        },
        Check("a given administrator's password is not shown") { accounts in
            let given = try await accounts.service.ensureAdministrator(password: TestAccounts.password)
            try require(given == nil, "shown")
            _ = try await accounts.login("admin")
        },
        Check("users are listed by name, by pages, and searched") { accounts in
            let admin = Actor.principal(try await accounts.administrator())
            for name in ["carol", "bob", "dave", "eve_1", "eve.2"] { try await accounts.register(name) }
            let first = try await accounts.service.users(UserFilter(offset: 0, limit: 2), by: admin)
            try requireEqual(first.total, 6)
            try requireEqual(first.items.map(\.username.exposed), ["bob", "carol"])
            let rest = try await accounts.service.users(UserFilter(offset: 4, limit: 100), by: admin)
            try requireEqual(rest.items.map(\.username.exposed), ["eve_1", "root"])
            for (search, expected) in [
                ("EVE", ["eve.2", "eve_1"]), ("_", ["eve_1"]), ("%", []), ("dave of", ["dave"]), ("!", []),
                ("bob@example", ["bob"]),
            ] {
                let found = try await accounts.service.users(UserFilter(search: search), by: admin)
                try requireEqual(found.items.map(\.username.exposed), expected)
                try requireEqual(found.total, expected.count)
            }
            let admins = try await accounts.service.users(UserFilter(role: .admin), by: admin)
            try requireEqual(admins.items.map(\.username.exposed), ["root"])
        },
        Check("only administrators find inactive users and search addresses") { accounts in
            let admin = Actor.principal(try await accounts.administrator())
            let bob = try await accounts.register("bob")
            let alice = Actor.principal(try await accounts.principal(try await accounts.register()))
            _ = try await accounts.service.setActive(false, of: bob.user.id, by: admin, origin: origin)
            let all = UserFilter(includesInactive: true)
            try requireEqual(try await accounts.service.users(all, by: admin).total, 3)
            try requireEqual(try await accounts.service.users(all, by: alice).total, 2)
            let search = UserFilter(search: "root@example")
            try requireEqual(try await accounts.service.users(search, by: admin).total, 1)
            try requireEqual(try await accounts.service.users(search, by: alice).total, 0)
        },
        Check("what administrators may is refused to users") { accounts in
            let alice = try await accounts.register()
            let actor = Actor.principal(try await accounts.principal(alice))
            let id = alice.user.id
            let service = accounts.service
            let new = NewUser(
                Registration(username: "x.y", email: "x@example.org", password: TestAccounts.password))
            let attempts: [@Sendable () async throws -> Void] = [
                { _ = try await service.createUser(new, by: actor, origin: origin) },
                { _ = try await service.setActive(false, of: id, by: actor, origin: origin) },
                { _ = try await service.setRoles([.admin], of: id, by: actor, origin: origin) },
                { _ = try await service.setGrantedScopes(.all, of: id, by: actor, origin: origin) },
                { _ = try await service.setTier(.premium, of: id, by: actor, origin: origin) },
                { try await service.deleteUser(id, by: actor, origin: origin) },
                { try await service.setPassword(TestAccounts.password, of: id, by: actor, origin: origin) },
                { _ = try await service.issueToken(for: id, by: actor, origin: origin) },
                { _ = try await service.rotateSigningKey(by: actor, origin: origin) },
                { _ = try await service.signingKeys(by: actor) },
            ]
            for attempt in attempts {
                try await requireRefusal(.forbidden(.administratorsOnly)) { try await attempt() }
            }
        },
        Check("a role counts at once when it is taken, and with the next token when it is given") { accounts in
            _ = try await accounts.administrator()
            let alice = try await accounts.register()
            let user = alice.user.id
            _ = try await accounts.principal(alice)
            _ = try await accounts.service.setRoles([.admin], of: user, by: .console, origin: .console)
            try require(try await !accounts.principal(alice).isAdmin, "an old token became an administrator's")
            let next = try await accounts.service.refresh(alice.tokens.refreshToken, origin: origin)
            let principal = try await accounts.principal(next.accessToken)
            try require(principal.isAdmin && principal.scopes == .all, "the new token is no administrator's")
            _ = try await accounts.service.setRoles([.moderator], of: user, by: .console, origin: .console)
            let now = try await accounts.principal(next.accessToken)
            try require(!now.isAdmin, "still an administrator")
            try requireEqual(now.scopes, Scopes.ofEveryUser.union(.callsAdmin))
        },
        Check("the last administrator stays") { accounts in
            let root = try await accounts.administrator()
            let actor = Actor.principal(root)
            let service = accounts.service
            let attempts: [@Sendable () async throws -> Void] = [
                { _ = try await service.setActive(false, of: root.user, by: actor, origin: origin) },
                { _ = try await service.setRoles(.user, of: root.user, by: actor, origin: origin) },
                { try await service.deleteUser(root.user, by: actor, origin: origin) },
                { try await service.deleteOwnAccount(root, origin: origin) },
            ]
            for attempt in attempts { try await requireRefusal(.forbidden(.lastAdministrator)) { try await attempt() } }
            _ = try await accounts.administrator("second")
            try await service.deleteOwnAccount(root, origin: origin)
        },
        Check("a password that an administrator sets ends the user's sessions") { accounts in
            let alice = try await accounts.register()
            _ = try await accounts.principal(alice)
            let new = Secret(text: "set by the operator")
            try await accounts.service.setPassword(new, of: alice.user.id, by: .console, origin: .console)
            try await requireRefusal(.tokenInvalid) { try await accounts.principal(alice) }
            _ = try await accounts.login(password: new)
        },
    ]

    static let tokens: [Check] = [
        Check("services and nodes hold tokens with the scopes that they were granted") { accounts in
            let service = accounts.service
            for (kind, name, scopes) in [
                (User.Kind.service, "backup-engine", Scopes.backups), (.node, "node-1", .cluster),
            ] {
                let account = try await service.createServiceAccount(
                    name: name, kind: kind, scopes: scopes, by: .console, origin: .console)
                let issued = try await service.issueToken(for: account.id, by: .console, origin: .console)
                let principal = try await accounts.principal(issued.token)
                try requireEqual(principal.scopes, scopes)
                try requireEqual(principal.kind, kind == .node ? .node : .service)
                try await requireRefusal(.forbidden(.sessionRequired)) {
                    try await service.logout(principal, origin: origin)
                }
                try await requireRefusal(.forbidden(.scopeExceeded)) {
                    try await service.issueToken(for: account.id, scopes: .all, by: .console, origin: .console)
                }
                try await requireRefusal(.invalidCredentials) { try await accounts.login(name) }
                let listed = try await service.issuedTokens(of: account.id, by: .console)
                try requireEqual(listed.map(\.session), [issued.session])
                try await service.revokeToken(issued.session, by: .console, origin: .console)
                try await requireRefusal(.tokenInvalid) { try await accounts.principal(issued.token) }
                try requireEqual(try await service.issuedTokens(of: account.id, by: .console).count, 0)
            }
            try requireEqual(try await service.users(UserFilter(), by: .console).total, 0)
        },
        Check("a node's token is short-lived whatever was asked for") { accounts in
            let node = try await accounts.service.createServiceAccount(
                name: "node-1", kind: .node, scopes: .cluster, by: .console, origin: .console)
            let usual = try await accounts.service.issueToken(for: node.id, by: .console, origin: .console)
            try requireEqual(usual.expiresAt, accounts.clock.now + .hours(1))
            let long = try await accounts.service.issueToken(
                for: node.id, lifetime: .days(1_000), by: .console, origin: .console)
            try requireEqual(long.expiresAt, accounts.clock.now + .hours(24))
            accounts.clock.advance(by: .hours(2))
            try await requireRefusal(.tokenExpired) { try await accounts.principal(usual.token) }
        },
        Check("scopes taken from a service are missing at once") { accounts in
            let service = accounts.service
            let account = try await service.createServiceAccount(
                name: "engine", kind: .service, scopes: [.backups, .backupsAdmin], by: .console, origin: .console)
            let issued = try await service.issueToken(for: account.id, by: .console, origin: .console)
            try requireEqual(try await accounts.principal(issued.token).scopes, [.backups, .backupsAdmin])
            _ = try await service.setGrantedScopes(.backups, of: account.id, by: .console, origin: .console)
            try requireEqual(try await accounts.principal(issued.token).scopes, .backups)
        },
        Check("an API key can do what it was given, until it is revoked") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            let service = accounts.service
            let new = try await service.createAPIKey(
                alice, name: "CI", permissions: ["read", "calls"], expiresAt: nil, origin: origin)
            let text = new.token.exposedText
            try require(text.hasPrefix("plx_") && text.utf8.count == 47, "the form of the key")
            let principal = try await service.authenticator.authenticate(.apiKey(text))
            try requireEqual(principal.user, alice.user)
            try requireEqual(principal.scopes, .calls)
            try requireEqual(principal.access, .read)
            try requireEqual(principal.apiKey, new.key.id)
            await service.settle()
            try requireEqual(try await service.apiKeys(alice).first?.lastUsedAt, accounts.clock.now)
            try await requireRefusal(.forbidden(.sessionRequired)) {
                try await service.createAPIKey(
                    principal, name: "more", permissions: ["read"], expiresAt: nil, origin: origin)
            }
            try await service.revokeAPIKey(new.key.id, alice, origin: origin)
            try await requireRefusal(.tokenInvalid) { try await service.authenticator.authenticate(.apiKey(text)) }
            try await requireRefusal(.notFound) { try await service.revokeAPIKey(new.key.id, alice, origin: origin) }
        },
        Check("an API key has no more than its owner, and expires") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            let service = accounts.service
            for (permissions, refusal) in [
                ([], AccountError.validation(ValidationFault(.permissions, .required, "at least one"))),
                (["admin"], .forbidden(.administratorsOnly)), (["backups"], .forbidden(.scopeExceeded)),
                (
                    ["fly"],
                    .validation(ValidationFault(.permissions, .value, "read, write, admin or the name of a scope"))
                ),
            ] {
                try await requireRefusal(refusal) {
                    try await service.createAPIKey(
                        alice, name: "k", permissions: permissions, expiresAt: nil, origin: origin)
                }
            }
            let end = accounts.clock.now + .hours(1)
            let new = try await service.createAPIKey(
                alice, name: "k", permissions: ["read", "write"], expiresAt: end, origin: origin)
            let text = new.token.exposedText
            try requireEqual(try await service.authenticator.authenticate(.apiKey(text)).scopes, .ofEveryUser)
            accounts.clock.advance(by: .hours(1))
            try await requireRefusal(.tokenExpired) { try await service.authenticator.authenticate(.apiKey(text)) }
            let admin = try await accounts.administrator()
            let full = try await service.createAPIKey(
                admin, name: "full", permissions: ["admin"], expiresAt: nil, origin: origin)
            let half = try await service.createAPIKey(
                admin, name: "half", permissions: ["read", "write"], expiresAt: nil, origin: origin)
            let authenticator = service.authenticator
            let wide = try await authenticator.authenticate(.apiKey(full.token.exposedText))
            try require(wide.isAdmin, "no administrator")
            let narrow = try await authenticator.authenticate(.apiKey(half.token.exposedText))
            try require(!narrow.isAdmin, "an administrator")
            try requireEqual(narrow.scopes, .ofEveryUser)
        },
        Check("tokens of a retired signing key are valid, of a discarded one are not") { accounts in
            let service = accounts.service
            let before = try await accounts.register()
            let node = try await accounts.another()
            _ = try await node.principal(before)
            let old = try await service.signingKeys(by: .console).map(\.kid)
            accounts.clock.advance(by: .seconds(2))
            let kid = try await service.rotateSigningKey(by: .console, origin: .console)
            let after = try await accounts.login()
            for place in [accounts, node] {
                _ = try await place.principal(before)
                _ = try await place.principal(after)
            }
            try await requireRefusal(.notFound) {
                try await service.discardSigningKey(kid, by: .console, origin: .console)
            }
            try await service.discardSigningKey(old[0], by: .console, origin: .console)
            try await requireRefusal(.tokenInvalid) { try await accounts.principal(before) }
            _ = try await accounts.principal(after)
        },
        Check("tokens that are no tokens are refused") { accounts in
            let alice = try await accounts.register()
            let token = alice.tokens.accessToken.exposedText
            let authenticator = accounts.service.authenticator
            for text in ["", ".", "..", "a.b.c", token + "A", token + "=", "x" + token, String(token.dropLast())] {
                try await requireRefusal(.tokenInvalid) { try await authenticator.authenticate(.bearer(text)) }
            }
            for text in ["", "plx_", "plx_" + String(repeating: "A", count: 43), token] {
                try await requireRefusal(.tokenInvalid) { try await authenticator.authenticate(.apiKey(text)) }
                try await requireRefusal(.tokenInvalid) { try await authenticator.authenticate(.cookie(text)) }
            }
        },
    ]

    static let auditing: [Check] = [
        Check("events are found by time, severity, type and actor, newest first") { accounts in
            let start = accounts.clock.now
            let alice = try await accounts.register()
            accounts.clock.advance(by: .seconds(10))
            try await requireRefusal(.invalidCredentials) { try await accounts.login("nobody") }
            accounts.clock.advance(by: .seconds(10))
            try await accounts.service.logout(try await accounts.principal(alice), origin: origin)
            let audit = accounts.service.audit
            let all = try await audit.page(AuditFilter())
            // Events of one microsecond come in no particular order.
            try requireEqual(all.items.prefix(2).map(\.action), ["session.ended", "login.failed"])
            try requireEqual(Set(all.items.dropFirst(2).map(\.action)), ["login.succeeded", "account.created"])
            let queries: [(AuditFilter, Int)] = [
                (AuditFilter(type: "login"), 2), (AuditFilter(type: "login.failed"), 1), (AuditFilter(type: "log"), 0),
                (AuditFilter(severity: .warning), 1), (AuditFilter(actor: alice.user.id), 3),
                (AuditFilter(start: start + .seconds(10)), 2), (AuditFilter(end: start + .seconds(10)), 2),
                (AuditFilter(start: start + .seconds(10), end: start + .seconds(20)), 1),
            ]
            for (filter, count) in queries { try requireEqual(try await audit.page(filter).total, count) }
            let page = try await audit.page(AuditFilter(offset: 1, limit: 2))
            try requireEqual(page.items.map(\.id), all.items[1...2].map(\.id))
            try requireEqual(page.total, 4)
            guard let event = all.items.first else { throw ConformanceFailure(description: "no event") }
            try requireEqual(event.actor, alice.user.id)
            try requireEqual(event.origin.address.exposed, "192.0.2.1")
            try requireEqual(event.origin.requestID, "req-1")
        },
        Check("logins at once leave one unbroken chain") { accounts in
            try await accounts.register()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 { group.addTask { _ = try await accounts.login() } }
                try await group.waitForAll()
            }
            await accounts.service.settle()
            try requireEqual(try await accounts.service.audit.verify(), .intact(events: 22))
            try requireEqual(try await accounts.service.audit.head()?.sequence, 22)
        },
        Check("what a crash left unsealed is sealed by the next start") { accounts in
            let event = AuditEvent(time: accounts.clock.now, actor: nil, action: "test.left", origin: origin)
            _ = try await accounts.database.transaction { (transaction) async throws(AccountError) in
                try await AuditLog.append(event, in: transaction)
            }
            let next = try await accounts.another()
            try requireEqual(try await next.service.audit.verify(), .intact(events: 1))
        },
        Check("a changed, a removed and a moved event are found") { accounts in
            for index in 0..<6 {
                let event = AuditEvent(
                    time: accounts.clock.now, actor: nil, action: "test.event", origin: origin,
                    details: JSONObject([("index", .integer(Int64(index)))]))
                try await accounts.service.audit.append(event)
            }
            let audit = accounts.service.audit
            try await audit.seal()
            await accounts.service.settle()
            try requireEqual(try await audit.verify(), .intact(events: 6))
            let tampering: [(change: Statement, undo: Statement, place: Int64)] = [
                (
                    "UPDATE audit_events SET outcome = 'failure' WHERE seq = 3",
                    "UPDATE audit_events SET outcome = 'success' WHERE seq = 3", 3
                ),
                (
                    "UPDATE audit_events SET target = '' WHERE seq = 5",
                    "UPDATE audit_events SET target = NULL WHERE seq = 5", 5
                ),
                ("UPDATE audit_events SET seq = 60 WHERE seq = 2", "UPDATE audit_events SET seq = 2 WHERE seq = 60", 2),
                ("DELETE FROM audit_events WHERE seq = 4", "DELETE FROM audit_events WHERE seq > 3", 4),
            ]
            for step in tampering {
                try await accounts.database.execute(step.change)
                try requireEqual(try await audit.verify(), .broken(at: step.place))
                try await accounts.database.execute(step.undo)
            }
            try requireEqual(try await audit.verify(), .intact(events: 3))
        },
    ]
}
