// Statements on `users`.

import Base
import Store
import Wire

enum UserTable {
    private static let columns: Statement = """
        u.id, u.kind, u.username, u.email, u.display_name, u.avatar_url, u.public_key, u.is_active, u.is_verified, \
        u.roles, u.scopes, u.tier, u.preferences, u.created_at, u.updated_at, u.last_login
        """
    static let columnCount = 16

    /// `u.…` for a join that wants the user with something else; read by `user(from:at:)`.
    static var joined: Statement { columns }

    static func byID(_ id: UserID) -> Selection<User> {
        Selection("SELECT \(part: columns) FROM users u WHERE u.id = \(id)") { row throws(StoreError) in
            try user(from: row, at: 0)
        }
    }

    static func byEmail(_ email: String) -> Selection<User> {
        let folded = Validation.folded(email)
        return Selection("SELECT \(part: columns) FROM users u WHERE u.email_folded = \(folded)") {
            row throws(StoreError) in try user(from: row, at: 0)
        }
    }

    /// By name or address, with the password's hash: what a login needs. A name has no `@`, an address has one, so a
    /// login never finds two.
    static func credentials(login: String) -> Selection<StoredCredentials> {
        let folded = Validation.folded(login)
        return credentials(where: "u.username_folded = \(folded) OR u.email_folded = \(folded)")
    }

    static func credentials(of id: UserID) -> Selection<StoredCredentials> {
        credentials(where: "u.id = \(id)")
    }

    private static func credentials(where condition: Statement) -> Selection<StoredCredentials> {
        Selection("SELECT \(part: columns), u.password_hash FROM users u WHERE \(part: condition)") {
            row throws(StoreError) in
            StoredCredentials(
                user: try user(from: row, at: 0), passwordHash: try row.optional(columnCount, row.text))
        }
    }

    static func isTaken(username: String) -> Selection<Int> {
        .count("SELECT COUNT(*) FROM users WHERE username_folded = \(Validation.folded(username))")
    }

    static func isTaken(email: String) -> Selection<Int> {
        .count("SELECT COUNT(*) FROM users WHERE email_folded = \(Validation.folded(email))")
    }

    static func otherActiveAdministrators(than id: UserID) -> Selection<Int> {
        let admin = Int64(Roles.admin.rawValue)
        return .count("SELECT COUNT(*) FROM users WHERE (roles & \(admin)) <> 0 AND is_active = 1 AND id <> \(id)")
    }

    static var people: Selection<Int> {
        .count("SELECT COUNT(*) FROM users WHERE kind = \(User.Kind.person.rawValue)")
    }

    static func insert(_ user: User, passwordHash: String?) -> Statement {
        """
        INSERT INTO users (id, kind, username, username_folded, email, email_folded, display_name, search_folded, \
        avatar_url, public_key, password_hash, is_active, is_verified, roles, scopes, tier, preferences, \
        created_at, updated_at, last_login) VALUES (\(user.id), \(user.kind.rawValue), \(user.username.exposed), \
        \(Validation.folded(user.username.exposed)), \(user.email?.exposed), \
        \(user.email.map { Validation.folded($0.exposed) }), \(user.displayName.exposed), \(searchText(user)), \
        \(user.avatarURL), \(user.publicKey), \(passwordHash), \(user.isActive), \(user.isVerified), \
        \(Int64(user.roles.rawValue)), \(Int64(user.grantedScopes.rawValue)), \(user.tier.rawValue), \
        \(encoded(user.preferences)), \(user.createdAt), \(user.updatedAt), \(user.lastLogin))
        """
    }

    /// Everything that may change but the password and the time of the last login.
    static func update(_ user: User) -> Statement {
        """
        UPDATE users SET username = \(user.username.exposed), \
        username_folded = \(Validation.folded(user.username.exposed)), email = \(user.email?.exposed), \
        email_folded = \(user.email.map { Validation.folded($0.exposed) }), \
        display_name = \(user.displayName.exposed), search_folded = \(searchText(user)), \
        avatar_url = \(user.avatarURL), public_key = \(user.publicKey), is_active = \(user.isActive), \
        is_verified = \(user.isVerified), roles = \(Int64(user.roles.rawValue)), \
        scopes = \(Int64(user.grantedScopes.rawValue)), tier = \(user.tier.rawValue), \
        preferences = \(encoded(user.preferences)), updated_at = \(user.updatedAt) WHERE id = \(user.id)
        """
    }

    static func setPassword(_ hash: String, of id: UserID, at now: Timestamp) -> Statement {
        "UPDATE users SET password_hash = \(hash), updated_at = \(now) WHERE id = \(id)"
    }

    static func setVerified(_ id: UserID, at now: Timestamp) -> Statement {
        "UPDATE users SET is_verified = 1, updated_at = \(now) WHERE id = \(id)"
    }

    static func loggedIn(_ id: UserID, at now: Timestamp) -> Statement {
        "UPDATE users SET last_login = \(now) WHERE id = \(id)"
    }

    static func delete(_ id: UserID) -> Statement { "DELETE FROM users WHERE id = \(id)" }

    // MARK: Lists

    static func page(_ filter: UserFilter, searchesEmail: Bool) -> Selection<User> {
        Selection(
            """
            SELECT \(part: columns) FROM users u WHERE \(part: condition(filter, searchesEmail)) \
            ORDER BY u.username_folded LIMIT \(filter.limit) OFFSET \(filter.offset)
            """
        ) { row throws(StoreError) in try user(from: row, at: 0) }
    }

    static func count(_ filter: UserFilter, searchesEmail: Bool) -> Selection<Int> {
        .count("SELECT COUNT(*) FROM users u WHERE \(part: condition(filter, searchesEmail))")
    }

    private static func condition(_ filter: UserFilter, _ searchesEmail: Bool) -> Statement {
        var condition: Statement = "u.kind = \(filter.kind.rawValue)"
        if !filter.includesInactive { condition = "\(part: condition) AND u.is_active = 1" }
        if let role = filter.role {
            condition = "\(part: condition) AND (u.roles & \(Int64(role.rawValue))) <> 0"
        }
        if let search = filter.search, !search.isEmpty {
            let pattern = likePattern(search.lowercased())
            var match: Statement = "u.search_folded LIKE \(pattern) ESCAPE '!'"
            if searchesEmail { match = "(\(part: match) OR u.email_folded LIKE \(pattern) ESCAPE '!')" }
            condition = "\(part: condition) AND \(part: match)"
        }
        return condition
    }

    /// Anywhere in the text, with the characters that LIKE gives a meaning to escaped.
    static func likePattern(_ text: String) -> String {
        var pattern = "%"
        for scalar in text.unicodeScalars {
            if scalar == "%" || scalar == "_" || scalar == "!" { pattern.unicodeScalars.append("!") }
            pattern.unicodeScalars.append(scalar)
        }
        return pattern + "%"
    }

    // MARK: Rows

    static func user(from row: Row, at first: Int) throws(StoreError) -> User {
        guard let kind = User.Kind(rawValue: try row.integer(first + 1)),
            let tier = Tier(rawValue: try row.text(first + 11))
        else { throw .corrupt("users: a kind or a tier that this version does not know") }
        return User(
            id: try row.identifier(first),
            kind: kind,
            username: Private(try row.text(first + 2)),
            email: try row.optional(first + 3, row.text).map { Private($0) },
            displayName: Private(try row.text(first + 4)),
            avatarURL: try row.optional(first + 5, row.text),
            publicKey: try row.optional(first + 6, row.text),
            isActive: try row.flag(first + 7),
            isVerified: try row.flag(first + 8),
            roles: Roles(rawValue: UInt32(truncatingIfNeeded: try row.integer(first + 9))),
            grantedScopes: Scopes(rawValue: UInt32(truncatingIfNeeded: try row.integer(first + 10))),
            tier: tier,
            preferences: try preferences(try row.text(first + 12)),
            createdAt: try row.timestamp(first + 13),
            updatedAt: try row.timestamp(first + 14),
            lastLogin: try row.optional(first + 15, row.timestamp))
    }

    private static func preferences(_ text: String) throws(StoreError) -> JSONObject {
        guard let object = (try? JSONValue(parsing: Bytes(text.utf8)))?.objectValue else {
            throw .corrupt("users: preferences are not a JSON object")
        }
        return object
    }

    private static func encoded(_ preferences: JSONObject) -> String {
        String(decoding: JSONValue.object(preferences).encoded, as: UTF8.self)
    }

    private static func searchText(_ user: User) -> String {
        "\(user.username.exposed) \(user.displayName.exposed)".lowercased()
    }
}

struct StoredCredentials: Sendable {
    let user: User
    /// `nil` for services, nodes and people who only have passkeys.
    let passwordHash: String?
}

/// Which users a list shows.
package struct UserFilter: Sendable {
    package var search: String?
    package var role: Roles?
    package var includesInactive: Bool
    package var kind: User.Kind
    package var offset: Int
    package var limit: Int

    /// The largest page of any document.
    package static let limitMaximum = 100

    package init(
        search: String? = nil, role: Roles? = nil, includesInactive: Bool = false, kind: User.Kind = .person,
        offset: Int = 0, limit: Int = 20
    ) {
        self.search = search
        self.role = role
        self.includesInactive = includesInactive
        self.kind = kind
        self.offset = max(0, offset)
        self.limit = min(max(1, limit), Self.limitMaximum)
    }
}
