// Values that mean something to the server: rates, where the database is, where the root key comes from.

package import Base

/// So many in a span of time, or no limit.
package struct Rate: Sendable, Hashable, CustomStringConvertible {
    /// `nil` where nothing is limited.
    package let count: Int?
    package let window: Duration

    package init(_ count: Int, per window: Duration) {
        self.count = count
        self.window = window
    }

    private init() {
        count = nil
        window = .seconds(60)
    }

    package static let unlimited = Rate()
    static let countMax = 1_000_000_000

    private static let windows: [(name: String, length: Duration)] = [
        ("s", .seconds(1)), ("min", .seconds(60)), ("h", .hours(1)), ("day", .days(1)),
    ]

    /// `60/min`, `1000/h`, `5/s`, `100/day`, `unlimited`.
    package init?(_ text: String) {
        if text == "unlimited" {
            self = .unlimited
            return
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let count = Int(parts[0].trimmed), (1...Rate.countMax).contains(count) else {
            return nil
        }
        guard let window = Rate.windows.first(where: { $0.name == parts[1].trimmed }) else { return nil }
        self.init(count, per: window.length)
    }

    package var description: String {
        guard let count, let window = Rate.windows.first(where: { $0.length == window }) else { return "unlimited" }
        return "\(count)/\(window.name)"
    }
}

extension Codec where Value == Rate {
    static let rate = Codec.scalar("rate", allowed: "COUNT/s, COUNT/min, COUNT/h, COUNT/day, unlimited") {
        text throws(ValueFault) in
        guard let rate = Rate(text) else { throw ValueFault("is no rate such as 60/min or 1000/h") }
        return rate
    } show: {
        $0.description
    }
}

/// Where the tables are.
package enum StoreLocation: Sendable {
    /// A file in the data folder.
    case sqlite
    /// A connection string as libpq takes it; it may hold a password.
    case postgresql(Secret)
}

extension Codec where Value == StoreLocation {
    static let storeLocation = Codec.scalar(
        "secret", allowed: "sqlite, postgresql://USER:PASSWORD@HOST/NAME, host=… user=… dbname=…", isSecret: true
    ) { text throws(ValueFault) in
        if text == "sqlite" { return .sqlite }
        guard ["postgresql://", "postgres://", "host="].contains(where: text.hasPrefix), text.isOneLine else {
            throw ValueFault("is neither `sqlite` nor a PostgreSQL database")
        }
        return .postgresql(Secret(text: text))
    } show: {
        switch $0 {
        case .sqlite: "sqlite"
        case .postgresql: Codec<Secret>.placeholder
        }
    }
}

/// Where the key comes from under which all other keys are sealed.
package enum RootKeySource: Sendable, Hashable {
    /// Made at the first start when absent. `nil`: `root.key` in the data folder.
    case file(String?)
    /// The name of an environment variable that holds it.
    case environment(String)
    /// The name of a systemd credential (`LoadCredential=`).
    case credential(String)
    /// A passphrase, which is read from one of the others; a file's path is given.
    indirect case passphrase(RootKeySource)
}

extension RootKeySource {
    /// `file`, `file:PATH`, `environment:NAME`, `credential:NAME`, `passphrase:file:PATH` and so on.
    package init?(_ text: String) {
        if text == "file" {
            self = .file(nil)
            return
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[1].isEmpty, parts[1].isOneLine else { return nil }
        switch parts[0] {
        case "file": self = .file(parts[1])
        case "environment": self = .environment(parts[1])
        case "credential": self = .credential(parts[1])
        case "passphrase":
            guard parts[1] != "file", !parts[1].hasPrefix("passphrase"), let inner = RootKeySource(parts[1]) else {
                return nil
            }
            self = .passphrase(inner)
        default: return nil
        }
    }

    package var text: String {
        switch self {
        case .file(nil): "file"
        case .file(let path?): "file:\(path)"
        case .environment(let name): "environment:\(name)"
        case .credential(let name): "credential:\(name)"
        case .passphrase(let source): "passphrase:\(source.text)"
        }
    }
}

extension Codec where Value == RootKeySource {
    static let rootKey = Codec.scalar(
        "source",
        allowed: "file, file:PATH, environment:NAME, credential:NAME, or passphrase: before one of the last three"
    ) { text throws(ValueFault) in
        guard let source = RootKeySource(text) else { throw ValueFault("names no source") }
        return source
    } show: {
        $0.text
    }
}
