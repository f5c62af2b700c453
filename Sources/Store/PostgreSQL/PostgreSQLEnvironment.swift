// A connection string as the variables that libpq's own programs read: how `pg_dump` is told where to go without the
// password standing among its arguments, where every user of the machine could read it.

package import Base
import CPQ

package enum PostgreSQLEnvironment {
    /// `PGHOST`, `PGPASSWORD` and so on. Throws `misuse` for a text that libpq does not understand, without quoting it.
    package static func variables(for connection: Secret) throws(StoreError) -> [(name: String, value: Secret)] {
        let parsed = connection.withExposedBytes { bytes in
            String(decoding: bytes, as: UTF8.self).withCString { PQconninfoParse($0, nil) }
        }
        guard let parsed else { throw .misuse("the PostgreSQL connection string cannot be understood") }
        defer { PQconninfoFree(parsed) }
        var variables: [(name: String, value: Secret)] = []
        var option = parsed
        while option.pointee.keyword != nil {
            if let name = option.pointee.envvar, let value = option.pointee.val {
                variables.append((String(cString: name), Secret(text: String(cString: value))))
            }
            option += 1
        }
        return variables
    }
}
