// One row of the table: how a setting is called, read, shown and explained.

/// A group of keys under one first name.
package struct Section: Sendable {
    package let name: String
    package let documentation: String
    package let keys: [Key]

    init(_ name: String, _ documentation: String, _ keys: [Key]) {
        self.name = name
        self.documentation = documentation
        self.keys = keys
    }
}

package struct Key: Sendable {
    /// The way through the YAML file: `server.listen`.
    package let path: String
    /// What kind of value it takes, for people: `duration`.
    package let type: String
    /// The range or the words that are allowed; `nil` when anything of the type will do.
    package let allowed: String?
    package let documentation: String
    /// A secret is never printed, and may be given as the name of a file that holds it, under `<path>_file`.
    package let isSecret: Bool

    let assign: @Sendable (RawValue, inout Configuration) throws(ValueFault) -> Void
    let show: @Sendable (Configuration) -> ShownValue

    init<Value>(
        _ path: String, _ property: any WritableKeyPath<Configuration, Value> & Sendable, _ codec: Codec<Value>,
        _ documentation: String
    ) {
        self.path = path
        type = codec.type
        allowed = codec.allowed
        self.documentation = documentation
        isSecret = codec.isSecret
        assign = { raw, configuration throws(ValueFault) in
            configuration[keyPath: property] = try codec.parse(raw)
        }
        show = { codec.show($0[keyPath: property]) }
    }

    /// `PLEXICHAT_SERVER_LISTEN` for `server.listen`.
    package var environmentName: String { Key.environmentName(path) }

    /// Where the secret may be read from instead: `mail.password_file`.
    package var filePath: String? { isSecret ? path + Key.fileSuffix : nil }

    static let fileSuffix = "_file"
    static let environmentPrefix = "PLEXICHAT_"

    static func environmentName(_ path: String) -> String {
        environmentPrefix + path.uppercased().replacing(".", with: "_")
    }
}
