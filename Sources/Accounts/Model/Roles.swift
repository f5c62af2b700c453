// Roles are what an administrator gives to a person; scopes are what a token carries; permissions are what a profile
// shows. One table below turns the first into the other two.

/// Stored as a bit set: the bits are a stored format and are never renumbered.
package struct Roles: OptionSet, Sendable, Hashable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let user = Roles(rawValue: 1 << 0)
    /// Manages calls of others.
    package static let moderator = Roles(rawValue: 1 << 1)
    /// Runs the machine: cluster, backups, plugins.
    package static let `operator` = Roles(rawValue: 1 << 2)
    /// Reads the audit log, manages keys and blocks.
    package static let security = Roles(rawValue: 1 << 3)
    package static let admin = Roles(rawValue: 1 << 4)

    static let table: [(role: Roles, name: String, scopes: Scopes, permissions: [String])] = [
        (.user, "user", Scopes.ofEveryUser, ["messages.send", "files.upload", "calls.start"]),
        (.moderator, "moderator", [.callsAdmin], ["messages.moderate", "calls.moderate"]),
        (
            .operator, "operator", [.cluster, .clusterAdmin, .backups, .backupsAdmin, .pluginsAdmin],
            ["system.manage", "backups.manage", "plugins.manage"]
        ),
        (.security, "security", [.securityAdmin], ["audit.read", "security.manage"]),
        (
            .admin, "admin", Scopes.all,
            [
                "messages.send", "files.upload", "calls.start", "messages.moderate", "calls.moderate",
                "system.manage", "backups.manage", "plugins.manage", "audit.read", "security.manage",
                "users.read", "users.create", "users.update", "users.delete", "roles.manage",
            ]
        ),
    ]

    /// `nil` for a name that is no role.
    package init?(name: String) {
        guard let row = Self.table.first(where: { $0.name == name }) else { return nil }
        self = row.role
    }

    package var names: [String] { rows.map(\.name) }

    package var scopes: Scopes { rows.reduce(into: Scopes()) { $0.formUnion($1.scopes) } }

    /// In the table's order, each once.
    package var permissions: [String] {
        var seen: Set<String> = []
        return rows.flatMap(\.permissions).filter { seen.insert($0).inserted }
    }

    private var rows: [(role: Roles, name: String, scopes: Scopes, permissions: [String])] {
        Self.table.filter { contains($0.role) }
    }
}

/// What a token may be used for. Stored as a bit set: the bits are never renumbered.
package struct Scopes: OptionSet, Sendable, Hashable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let profile = Scopes(rawValue: 1 << 0)
    package static let cluster = Scopes(rawValue: 1 << 1)
    package static let clusterAdmin = Scopes(rawValue: 1 << 2)
    package static let backups = Scopes(rawValue: 1 << 3)
    package static let backupsAdmin = Scopes(rawValue: 1 << 4)
    package static let securityAdmin = Scopes(rawValue: 1 << 5)
    package static let pluginsManage = Scopes(rawValue: 1 << 6)
    package static let pluginsAdmin = Scopes(rawValue: 1 << 7)
    package static let calls = Scopes(rawValue: 1 << 8)
    package static let callsAdmin = Scopes(rawValue: 1 << 9)

    package static let all = Scopes(rawValue: (1 << 10) - 1)
    package static let ofEveryUser: Scopes = [.profile, .pluginsManage, .calls]

    private static let table: [(scope: Scopes, name: String)] = [
        (.profile, "profile"), (.cluster, "cluster"), (.clusterAdmin, "cluster.admin"), (.backups, "backups"),
        (.backupsAdmin, "backups.admin"), (.securityAdmin, "security.admin"), (.pluginsManage, "plugins.manage"),
        (.pluginsAdmin, "plugins.admin"), (.calls, "calls"), (.callsAdmin, "calls.admin"),
    ]

    /// `nil` for a name that is no scope.
    package init?(name: some StringProtocol) {
        guard let row = Self.table.first(where: { $0.name == name }) else { return nil }
        self = row.scope
    }

    /// The claim's form: names between single spaces. Names of a newer version are passed over.
    package init(claim: String) {
        self = claim.split(separator: " ").reduce(into: Scopes()) { $0.formUnion(Scopes(name: $1) ?? []) }
    }

    package var names: [String] { Self.table.filter { contains($0.scope) }.map(\.name) }
    package var claim: String { names.joined(separator: " ") }
}
