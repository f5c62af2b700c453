import Accounts
import Backup
import Base
import Signaling
import Tasks
import TestKit
import Testing
import Vault
import Wire

/// An example of one of the documents: what is sent, and what comes back.
struct DocumentExample: Sendable, CustomTestStringConvertible {
    enum Caller: Sendable { case nobody, john, admin }

    let document: String
    let method: HTTPMethod
    /// `$john` and `$admin` are ids, and so are the names of `ExampleChat`;
    /// `$setting` is the key of one of John's.
    let path: String
    var caller = Caller.nobody
    /// The document's own text; `$refresh`, `$reset`, `$temp` and `$totp` stand for what only a running server knows.
    var body = ""
    /// Of a form; its lines end as a form's do.
    var contentType: String?
    /// The administrator has an authenticator app.
    var hasSecondFactor = false
    var status = 200
    /// The document's own answer; empty where it shows none. A `null` stands for anything.
    var answer = ""
    /// Where not only the type but the value is the document's.
    var equal: [String] = []
    /// Where we differ, and why.
    var deviations: [String: String] = [:]

    var testDescription: String { "\(document): \(method.rawValue) \(path) → \(status)" }
}

/// The people of the examples.
struct ExampleWorld {
    let api: APIHarness
    let admin: APIHarness.Person
    let john: APIHarness.Person
    private var values: [String: String]

    init(_ api: APIHarness, for example: DocumentExample) async throws {
        self.api = api
        admin = try await api.administrator("admin", password: "admin123")
        john = try await api.register("john")
        _ = try await api.put(
            "/api/v1/users/me",
            """
            {"display_name": "Administrator", "email": "admin@example.com", "avatar_url": "https://example.com/a.jpg",
             "preferences": {"theme": "dark", "language": "en", "notifications": true}}
            """, as: admin)
        values = ["$admin": "\(admin.id)", "$john": "\(john.id)", "$refresh": admin.refreshToken]
        values["$vault"] = KeyNames.backup
        if example.path.contains("$retired") {
            try await api.accounts.rotateKey(KeyNames.backup, by: .console, origin: .console)
            values["$retired"] = "\(KeyNames.backup):1"
        }
        try await makeBackups(for: example)
        try await makeCalls(for: example)
        if example.path.contains("$setting") {
            _ = try await api.put("/client-settings/theme", #"{"setting_value": "dark"}"#, as: john)
            values["$setting"] = "theme"
        }
        let text = example.path + example.body
        let isOfChat = ExampleChat.names.contains(where: text.contains)
        if isOfChat || text.contains("$mary") {
            values["$mary"] = "\(try await api.register("mary").id)"
        }
        if isOfChat { values.merge(try await ExampleChat(api, john: john, admin: admin).values) { $1 } }
        if example.body.contains("$reset") { values["$reset"] = try await resetToken() }
        guard example.hasSecondFactor else { return }
        let secret = try await api.domain.enrolTOTP(try await api.domain.principal(Secret(text: admin.token))).secret
        if example.body.contains("$temp") {
            let login = try await api.post("/api/v1/auth/login", #"{"username": "admin", "password": "admin123"}"#)
            values["$temp"] = login.string("temp_token")
        }
        values["$totp"] = api.domain.totp(secret)
    }

    /// An older backup and a newer one.
    private mutating func makeBackups(for example: DocumentExample) async throws {
        guard example.path.contains("$backup") else { return }
        for _ in 0..<2 {
            let id = UUID.timeOrdered(at: api.clock.now)
            let task = try await api.backups.service.start(BackupRequest(isIncremental: false), by: nil, as: id)
            await api.tasks.wait(for: task)
            if values["$backup"] == nil { values["$backup"] = "\(id)" }
            api.advance(by: .seconds(1))
        }
    }

    /// John calls the administrator, as far as the example needs it.
    private mutating func makeCalls(for example: DocumentExample) async throws {
        guard let name = ["$call", "$ongoing", "$ended"].first(where: example.path.contains) else { return }
        api.callWorld.measure(
            admin.id,
            ParticipantMeasurements(
                duration: .seconds(900), transport: "udp", roundTrip: .milliseconds(40), opinion: 3.8,
                streams: [
                    .init(direction: .sent, kind: "video", codec: "VP8", packets: 9_000, bytes: 281_250_000, lost: 9)
                ]))
        let callee = try await api.domain.principal(Secret(text: admin.token))
        let caller = try await api.domain.principal(Secret(text: john.token))
        let id = try await api.calls.initiate(NewCall(kind: .video, invited: [admin.id]), by: caller).call.id
        values[name] = "\(id)"
        if name == "$call" { return }
        _ = try await api.calls.join(id, by: callee)
        if name == "$ongoing" { return }
        api.advance(by: .seconds(900))
        try await api.calls.end(id, by: caller)
    }

    private func resetToken() async throws -> String? {
        _ = try await api.post("/v1/auth/forgot-password", #"{"email": "john@example.org"}"#)
        await api.accounts.settle()
        return api.domain.mail.sent.last?.code
    }

    func send(_ example: DocumentExample) async throws -> TestAnswer {
        let caller: APIHarness.Person? =
            switch example.caller {
            case .nobody: nil
            case .john: john
            case .admin: admin
            }
        guard let type = example.contentType else {
            return try await api.send(
                TestRequest(example.method, filled(example.path), filled(example.body), as: caller))
        }
        return try await api.send(
            TestRequest(
                example.method, filled(example.path), filled(example.body).replacing("\n", with: "\r\n"), as: caller,
                headers: [("Content-Type", type)]))
    }

    private func filled(_ text: String) -> String {
        values.reduce(text) { $0.replacing($1.key, with: $1.value) }
    }
}

/// Where an answer differs from a document's, member by member: names, types, and what the document says of a string.
struct DocumentComparison {
    private(set) var differences: [String: String] = [:]

    init(_ document: JSONValue, _ found: JSONValue) { compare(document, found, "") }

    private mutating func compare(_ document: JSONValue, _ found: JSONValue, _ path: String) {
        switch (document, found) {
        case (.null, _), (.bool, .bool), (.integer, .integer), (.number, .number), (.number, .integer): return
        case (.string(let shape), _): compare(shape, found, path)
        case (.array(let shapes), .array(let values)):
            guard let shape = shapes.first else { return }
            for (index, value) in values.enumerated() { compare(shape, value, "\(path).\(index)") }
        case (.object(let shape), .object(let object)):
            for pair in shape.pairs {
                let name = path.isEmpty ? pair.key : "\(path).\(pair.key)"
                if let value = object[pair.key] {
                    compare(pair.value, value, name)
                } else {
                    differences[name] = "is missing"
                }
            }
            for pair in object.pairs where shape[pair.key] == nil {
                differences[path.isEmpty ? pair.key : "\(path).\(pair.key)"] = "is not in the document"
            }
        default: differences[path] = "has another type: \(String(decoding: found.encoded, as: UTF8.self))"
        }
    }

    /// `uuid`, `datetime` and `string|null` are rooms.md's names for types; a date tells that dates go there.
    private mutating func compare(_ shape: String, _ found: JSONValue, _ path: String) {
        if found.isNull, shape.hasSuffix("|null") { return }
        guard let text = found.stringValue else {
            differences[path] = "is no string: \(String(decoding: found.encoded, as: UTF8.self))"
            return
        }
        if shape == "uuid", UUID(text) == nil { differences[path] = "is no UUID" }
        let isDate = shape == "datetime" || Timestamp(rfc3339: shape) != nil
        if isDate, Timestamp(rfc3339: text) == nil { differences[path] = "is no date" }
    }
}
