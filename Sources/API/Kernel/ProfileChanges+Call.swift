// Profile fields of a request body, as the domain wants them: absent, given, or null.

import Accounts
import Base
import Wire

extension Call {
    func change(_ name: String) -> FieldChange<String> {
        guard let value = body[name] else { return .unchanged }
        return value.stringValue.map(FieldChange.set) ?? .cleared
    }

    /// All fields that a dialect's row lets through its schema.
    var profileChanges: ProfileChanges {
        var changes = ProfileChanges()
        changes.displayName = optionalText("display_name")
        changes.email = optionalText("email")
        changes.avatarURL = change("avatar_url")
        changes.publicKey = change("public_key")
        changes.preferences = body["preferences"]?.objectValue
        return changes
    }
}

extension Roles {
    /// Names from a request; an unknown one is refused by name.
    init(names: [JSONValue], field: String) throws(RequestFault) {
        var roles: Roles = []
        for (index, value) in names.enumerated() {
            guard let name = value.stringValue, let role = Roles(name: name) else {
                throw .validation(FieldFault("\(field)[\(index)]", .value, "is not a role"))
            }
            roles.formUnion(role)
        }
        self = roles
    }
}
