// `plexichat admin …`: users, by who has the machine. Works on the data itself, with the server running or not; the
// running server sees a change after at most a few seconds.

import Accounts
import Base
import Configuration
import Store
import Wire

enum Admin {
    @Sendable static func createUser(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (accounts) async throws(AdminFailure) in
            guard let name = invocation.argument("NAME") else { throw .usage("a name is missing") }
            guard let email = invocation.value("email") else { throw .usage("--email is missing") }
            let password = try readPassword(invocation)
            let registration = Registration(username: name, email: email, password: password)
            let roles: Roles = invocation.has("admin") ? [.user, .admin] : .user
            let user = try await domain { () async throws(AccountError) in
                try await accounts.createUser(NewUser(registration, roles: roles), by: .console, origin: .console)
            }
            invocation.output.line("user \(name) made, id \(user.id)")
        }
    }

    @Sendable static func setPassword(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (accounts) async throws(AdminFailure) in
            let user = try await find(invocation, accounts)
            let password = try readPassword(invocation)
            try await domain { () async throws(AccountError) in
                try await accounts.setPassword(password, of: user.id, by: .console, origin: .console)
            }
            invocation.output.line("password set; all sessions of the user have ended")
        }
    }

    @Sendable static func grant(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (accounts) async throws(AdminFailure) in
            guard let role = invocation.argument("ROLE").flatMap(Roles.init(name:)) else {
                throw .usage("the role is one of \(Roles(rawValue: .max).names.joined(separator: ", "))")
            }
            let user = try await find(invocation, accounts)
            let roles = invocation.has("revoke") ? user.roles.subtracting(role) : user.roles.union(role)
            let changed = try await domain { () async throws(AccountError) in
                try await accounts.setRoles(roles, of: user.id, by: .console, origin: .console)
            }
            invocation.output.line("roles: \(changed.roles.names.joined(separator: ", "))")
        }
    }

    @Sendable static func token(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (accounts) async throws(AdminFailure) in
            let user = try await find(invocation, accounts)
            let scopes = try scopes(invocation)
            let lifetime = try lifetime(invocation)
            let issued = try await domain { () async throws(AccountError) in
                try await accounts.issueToken(
                    for: user.id, scopes: scopes, lifetime: lifetime, label: "console", by: .console, origin: .console)
            }
            invocation.output.line(issued.token.exposedText)
        }
    }

    // MARK: Parts

    private enum AdminFailure: Error {
        case usage(String)
        case start(StartFailure)
        case account(AccountError)
    }

    private static func run(
        _ invocation: Invocation, _ body: (AccountService) async throws(AdminFailure) -> Void
    ) async -> ExitCode {
        await invocation.run(complain: { complain($0, invocation.output) }) {
            (configuration) async throws(AdminFailure) in
            try await configuration.withAccounts(orFail: AdminFailure.start) {
                (_, accounts) async throws(AdminFailure) in try await body(accounts)
            }
        }
    }

    private static func domain<Value>(
        _ body: () async throws(AccountError) -> Value
    ) async throws(AdminFailure) -> Value {
        do { return try await body() } catch { throw .account(error) }
    }

    private static func find(
        _ invocation: Invocation, _ accounts: AccountService
    ) async throws(AdminFailure) -> User {
        guard let name = invocation.argument("NAME") else { throw .usage("a name is missing") }
        return try await domain { () async throws(AccountError) in try await accounts.findUser(name) }
    }

    private static func readPassword(_ invocation: Invocation) throws(AdminFailure) -> Secret {
        guard let password = SecretPrompt.read("New password: ", output: invocation.output) else {
            throw .usage("no password was given")
        }
        return password
    }

    private static func scopes(_ invocation: Invocation) throws(AdminFailure) -> Scopes? {
        let names = invocation.values("scope")
        if names.isEmpty { return nil }
        var scopes: Scopes = []
        for name in names {
            guard let scope = Scopes(name: name) else { throw .usage("\(name) is not a scope") }
            scopes.formUnion(scope)
        }
        return scopes
    }

    private static func lifetime(_ invocation: Invocation) throws(AdminFailure) -> Duration? {
        guard let text = invocation.value("lifetime") else { return nil }
        guard let lifetime = DurationText.parse(text) else { throw .usage("\(text) is not a duration such as 15m") }
        return lifetime
    }

    private static func complain(_ failure: AdminFailure, _ output: Output) -> ExitCode {
        switch failure {
        case .usage(let text):
            output.complain("plexichat admin: \(text)")
            return .usage
        case .start(let failure):
            output.complain("plexichat admin: \(failure)")
            return .failure
        case .account(let error):
            output.complain("plexichat admin: \(words(error))")
            return .failure
        }
    }

    private static func words(_ error: AccountError) -> String {
        switch error {
        case .notFound: "there is no such user"
        case .alreadyExists(let field): "this \(field.rawValue) is taken"
        case .validation(let fault): "\(fault.field.rawValue): \(fault.message)"
        case .forbidden(.lastAdministrator): "the last administrator cannot be removed"
        case .forbidden(.scopeExceeded): "the user does not have these scopes"
        case .inactive: "the user is deactivated"
        case .store(let error): "the database: \(error)"
        default: "\(error)"
        }
    }
}
