// Where PostgreSQL is, and how to get in. The password leaves this file towards libpq only.

import Base
import CPQ

struct PostgreSQLTarget: Sendable {
    /// `@unchecked`: handed from the thread that starts to connect to the loop, never used by both.
    struct Started: @unchecked Sendable {
        let handle: OpaquePointer?
    }

    private let connection: Secret
    private let password: Secret?

    /// Throws `misuse` for a text that libpq does not understand, without quoting it: it may hold the password.
    init(_ connection: Secret) throws(StoreError) {
        self.connection = connection
        var message: UnsafeMutablePointer<CChar>?
        let parsed = Self.withText(connection) { PQconninfoParse($0, &message) }
        PQfreemem(message)
        guard let parsed else { throw .misuse("the PostgreSQL connection string cannot be understood") }
        defer { PQconninfoFree(parsed) }
        password = Self.password(in: parsed)
    }

    private static func password(in options: UnsafeMutablePointer<PQconninfoOption>) -> Secret? {
        var option = options
        while let keyword = option.pointee.keyword {
            if String(cString: keyword) == "password", let value = option.pointee.val {
                return Secret(text: String(cString: value))
            }
            option += 1
        }
        return nil
    }

    /// Begins to connect. Blocks while names are resolved.
    func start() -> Started {
        Self.withText(connection) { text in
            // What stands in the connection string comes later and is stronger, but for the last one.
            let options: [(StaticString, UnsafePointer<CChar>)] = [
                ("fallback_application_name", Self.pointer("plexichat")), ("tcp_user_timeout", Self.pointer("15000")),
                ("keepalives_idle", Self.pointer("30")), ("dbname", text), ("client_encoding", Self.pointer("UTF8")),
            ]
            let keywords = options.map { Optional(Self.pointer($0.0)) } + [nil]
            let values = options.map { Optional($0.1) } + [nil]
            return Started(handle: PQconnectStartParams(keywords, values, 1))
        }
    }

    /// A static string is terminated and lives for ever.
    private static func pointer(_ text: StaticString) -> UnsafePointer<CChar> {
        UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    private static func withText<Value>(_ secret: Secret, _ body: (UnsafePointer<CChar>) -> Value) -> Value {
        secret.withExposedBytes { bytes in
            String(decoding: bytes, as: UTF8.self).withCString(body)
        }
    }

    /// A message of libpq in one line, without the password should it ever quote it.
    func redact(_ message: String) -> String {
        var line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        guard let password, password.count > 0 else { return line }
        let text = String(decoding: password.exposedBytes, as: UTF8.self)
        while let range = line.firstRange(of: text) { line.replaceSubrange(range, with: "‹secret›") }
        return line
    }
}
