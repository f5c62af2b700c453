import Accounts
import Base
import TestKit
import Testing
import Wire

@Suite struct StatisticsTests {
    @Test(arguments: TestDatabase.available)
    func `users and live logins are counted, machines and ended logins are not`(_ place: TestDatabase) async throws {
        try await APIHarness.run(on: place) { api in
            let root = try await api.administrator()
            let alice = try await api.register("alice")
            let bob = try await api.register("bob")
            _ = try await api.machine("robot", .service, [.calls])
            #expect(try await counts(api, root) == [3, 3, 0, 3])
            _ = try await api.login("alice")
            _ = try await api.put("/v1/admin/users/\(bob.id)/status", #"{"status": "inactive"}"#, as: root)
            #expect(try await counts(api, root) == [3, 2, 1, 3])
            _ = try await api.post("/api/v1/auth/logout-all", as: alice)
            #expect(try await counts(api, root) == [3, 2, 1, 1])
        }
    }

    @Test func `the process tells of itself`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let first = try await api.get("/v1/admin/stats", as: root)
            let second = try await api.get("/v1/admin/stats", as: root)
            #expect(first.string("data.version") == APIHarness.version)
            #expect(first["data.requests.total"] == .integer(0))
            #expect(second["data.requests.total"] == .integer(1))
            #expect(second["data.uptime_seconds"]?.integerValue ?? -1 >= 0)
            // A Swift process with a database is never this small, and a test never that large.
            #expect((1 << 20..<1 << 40).contains(second["data.memory.resident_bytes"]?.integerValue ?? 0))
        }
    }

    @Test func `it is for administrators`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            #expect(try await api.get("/v1/admin/stats", as: alice).status == 403)
            #expect(try await api.get("/v1/admin/stats").status == 401)
        }
    }

    /// Users: all, active, inactive; live logins.
    private func counts(_ api: APIHarness, _ root: APIHarness.Person) async throws -> [Int64] {
        let answer = try await api.get("/v1/admin/stats", as: root)
        return ["users.total", "users.active", "users.inactive", "sessions.active"].map {
            answer["data.\($0)"]?.integerValue ?? -1
        }
    }
}
