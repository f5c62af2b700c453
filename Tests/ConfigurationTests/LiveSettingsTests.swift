import Base
import Testing

@testable import Configuration

@Suite struct LiveSettingsTests {
    private struct Away: Error {}

    @Test func `every secret, and every key that is needed before the database is open, is the operator's`() {
        for key in Configuration.keys
        where key.isSecret
            || ["server", "tls", "data", "vault", "store", "outgoing", "web"].contains(key.path.prefix { $0 != "." })
        {
            #expect(key.adjustment == .never, "\(key.path)")
        }
        #expect(Configuration.keys.contains { $0.adjustment == .now })
        #expect(Configuration.keys.contains { $0.adjustment == .nextStart })
    }

    @Test func `what cannot be kept is not in effect`() async throws {
        let settings = LiveSettings(try load()) { _ in Issue.record("applied") }
        await #expect(throws: Away.self) {
            _ = try await settings.change([("accounts.registration", "closed")]) { _ in throw Away() }
        }
        let after = await settings.all.first { $0.key == "accounts.registration" }
        #expect(after?.value == .scalar("open") && after?.origin == .standard)
    }

    @Test func `a setting that the operator gives stands above a stored one`() throws {
        let given = try load(set: ["accounts.registration=open", "calls.ring_time=20s"])
        let (merged, passedOver) = given.adding(
            stored: ["accounts.registration": "closed", "calls.ring_time": "90s", "mfa.factors_per_user": "3"])
        #expect(passedOver.isEmpty)
        #expect(merged.values.accounts.registration == .open && merged.values.calls.ringTime == .seconds(20))
        #expect(merged.values.mfa.factorsPerUser == 3 && merged.origins["mfa.factors_per_user"] == .stored)
    }

    @Test func `stored settings that fit no more are passed over, and the server starts`() throws {
        let given = try load(yaml: "cors:\n  credentials: true")
        let (merged, passedOver) = given.adding(
            stored: [
                "mfa.factors_per_user": "many", "gone.key": "1", "data.folder": "/elsewhere", "cors.origins": "*",
                "calls.ring_time": "90s",
            ])
        #expect(Set(passedOver) == ["mfa.factors_per_user", "gone.key", "data.folder", "cors.origins"])
        #expect(merged.values.calls.ringTime == .seconds(90) && merged.values.data.folder == "./data")
        #expect(merged.values.cors.origins.isEmpty)
    }
}
