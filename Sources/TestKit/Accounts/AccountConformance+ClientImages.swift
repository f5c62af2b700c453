// Images of settings: what is kept, who pays, and what is left when they go.

import Accounts
import Base
import Store
import Wire

extension AccountConformance {
    private struct Gallery: Sendable {
        let accounts: TestAccounts
        let ledger: TestLedger
        let inspector = TestImageInspector()
        let settings: ClientSettings
        let alice: Principal

        init(_ accounts: TestAccounts, _ change: (inout ClientSettingOptions) -> Void = { _ in }) async throws {
            self.accounts = accounts
            ledger = try TestLedger(accounts.database, clock: accounts.clock)
            try await ledger.ledger.start()
            var options = ClientSettingOptions()
            change(&options)
            settings = ClientSettings(
                accounts.service, options: options,
                images: ClientImageStore(ledger: ledger.ledger, inspector: inspector))
            alice = try await accounts.principal(try await accounts.register())
        }

        @discardableResult
        func put(_ key: String, _ text: String, by user: Principal? = nil) async throws -> ClientSetting {
            try await settings.setImage(
                try ClientSettingKey(key), to: TestImageInspector.png(text), by: user ?? alice,
                origin: AccountConformance.origin)
        }

        func bytes(_ key: String) async throws -> Bytes {
            let image = try await settings.image(try ClientSettingKey(key), of: alice.user).image
            let content = try await settings.content(of: image, nil)
            var bytes = Bytes()
            while let piece = try await content.next() { bytes += piece }
            return bytes
        }

        func used(_ user: Principal? = nil) async throws -> Int64 {
            try await ledger.usage(BlobPayer(user: (user ?? alice).user, pot: .settingsImages)).used
        }

        func requireBlobs(_ count: Int, line: Int = #line) async throws {
            try requireEqual(try await ledger.blobCount, count, line: line)
            try await ledger.verify()
        }
    }

    private static func refused(
        _ expected: ClientSettingError, line: Int = #line, _ body: () async throws -> some Any
    ) async throws {
        try await requireError(ClientSettingError.self, line: line, { _ = try await body() }) { $0 == expected }
    }

    static let clientImages: [Check] = [
        Check("an image of a setting is kept without what is dropped from it, and its setting says what it is") {
            accounts in
            let gallery = try await Gallery(accounts)
            let setting = try await gallery.put("avatar", "face|taken at home")
            try requireEqual(try await gallery.bytes("avatar"), TestImageInspector.png("face"))
            let value = try JSONValue(parsing: setting.value)
            try requireEqual(value["content_type"], .string("image/png"))
            try requireEqual(value["size"], .integer(Int64(TestImageInspector.png("face").count)))
            try requireEqual(value["path"], .string("/client-settings/images/avatar"))
            try requireEqual(value["virus_scan_status"], .string("skipped"))
            try requireEqual(
                try await gallery.settings.setting(try ClientSettingKey("avatar"), of: gallery.alice.user), setting)
            try requireEqual(try await gallery.used(), Int64(TestImageInspector.png("face").count))
            try await gallery.requireBlobs(1)
        },
        Check("an image that is replaced, overwritten or removed leaves nothing behind") { accounts in
            let gallery = try await Gallery(accounts)
            let key = try ClientSettingKey("avatar")
            try await gallery.put("avatar", "first")
            let second = try await gallery.put("avatar", "second")
            try await gallery.requireBlobs(1)
            // The same again changes nothing.
            try requireEqual(try await gallery.put("avatar", "second"), second)
            try await gallery.requireBlobs(1)
            // Nor does a copy of its value.
            let value = try JSONValue(parsing: second.value)
            _ = try await gallery.settings.set(key, to: value, by: gallery.alice, origin: origin)
            try requireEqual(try await gallery.bytes("avatar"), TestImageInspector.png("second"))
            _ = try await gallery.settings.set(key, to: .string("none"), by: gallery.alice, origin: origin)
            try await gallery.requireBlobs(0)
            try requireEqual(try await gallery.used(), 0)
            try await refused(.notFound) { try await gallery.settings.image(key, of: gallery.alice.user) }
            try await gallery.put("avatar", "third")
            try await gallery.settings.delete(key, by: gallery.alice, origin: origin)
            try await gallery.requireBlobs(0)
        },
        Check("what a client writes as an image's value is no image") { accounts in
            let gallery = try await Gallery(accounts)
            let key = try ClientSettingKey("avatar")
            let bob = try await accounts.principal(try await accounts.register("bob"))
            let other = try JSONValue(parsing: try await gallery.put("avatar", "private", by: bob).value)
            _ = try await gallery.settings.set(key, to: other, by: gallery.alice, origin: origin)
            try await refused(.notFound) { try await gallery.settings.image(key, of: gallery.alice.user) }
            // Set as an image, the same value is one.
            try await gallery.put("avatar", "private")
            try requireEqual(try await gallery.bytes("avatar"), TestImageInspector.png("private"))
            try await gallery.requireBlobs(1)
        },
        Check("what is no image, infected or broken is not kept") { accounts in
            let gallery = try await Gallery(accounts)
            let key = try ClientSettingKey("avatar")
            for (bytes, refusal) in [
                (Bytes("<svg onload=alert(1)>".utf8), ClientImageRefusal.typeNotAllowed), ([], .typeNotAllowed),
                (TestImageInspector.png("virus"), .virus),
                (TestImageInspector.png("broken"), .damaged("is truncated or damaged")),
            ] {
                try await refused(.image(refusal)) {
                    try await gallery.settings.setImage(key, to: bytes, by: gallery.alice, origin: origin)
                }
            }
            gallery.inspector.set(isAway: true)
            try await refused(.image(.unavailable("away on purpose"))) { try await gallery.put("avatar", "x") }
            try await gallery.requireBlobs(0)
            gallery.inspector.set(scans: true)
            let value = try JSONValue(parsing: try await gallery.put("avatar", "x").value)
            try requireEqual(value["virus_scan_status"], .string("clean"))
        },
        Check("an image that waits for its scan is its owner's, and is told what was found") { accounts in
            let gallery = try await Gallery(accounts)
            func status(_ key: String) async throws -> JSONValue? {
                let setting = try await gallery.settings.setting(try ClientSettingKey(key), of: gallery.alice.user)
                return try JSONValue(parsing: setting.value)["virus_scan_status"]
            }
            gallery.inspector.set(holds: true)
            let held = try await gallery.put("avatar", "face")
            try await gallery.put("banner", "virus")
            try await gallery.put("other", "virus too")
            try requireEqual(try await status("avatar"), .string("pending"))
            try requireEqual(try await gallery.bytes("avatar"), TestImageInspector.png("face"))
            try await gallery.settings.scanPending()
            try requireEqual(try await status("avatar"), .string("pending"))
            // What is set anew waits for nothing any more.
            gallery.inspector.set(scans: true)
            try await gallery.put("other", "replaced")
            try await gallery.settings.scanPending()
            try requireEqual(try await status("avatar"), .string("clean"))
            try requireEqual(try await status("other"), .string("clean"))
            let scanned = try await gallery.settings.setting(
                try ClientSettingKey("avatar"), of: gallery.alice.user)
            try require(scanned.version != held.version, "a scanned image has the tag of one that waits")
            try requireEqual(try await gallery.bytes("avatar"), TestImageInspector.png("face"))
            try requireEqual(try await status("banner"), .string("infected"))
            try await refused(.image(.virus)) { try await gallery.bytes("banner") }
            try requireEqual(try await gallery.used(), Int64(TestImageInspector.png("facevirusreplaced").count + 18))
            // The scanner was taken away: what waits for it would wait for ever.
            gallery.inspector.set(holds: true)
            try await gallery.put("banner", "third")
            gallery.inspector.set()
            try await gallery.settings.scanPending()
            try requireEqual(try await status("banner"), .string("skipped"))
            try await gallery.requireBlobs(3)
        },
        Check("images of a user have a quota, accurate when two race for its last bytes") { accounts in
            let gallery = try await Gallery(accounts) { $0.imagesTotalBytes = 100 }
            let size = Int64(TestImageInspector.png(String(repeating: "x", count: 31)).count)
            try requireEqual(size, 40)
            let kept = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<6 {
                    group.addTask {
                        let text = String(repeating: "\(number)", count: 31)
                        do { try await gallery.put("image.\(number)", text) } catch { return false }
                        return true
                    }
                }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            try requireEqual(kept, 2)
            try requireEqual(try await gallery.used(), 80)
            let usage = BlobUsage(owner: .user, used: 80, reserved: 0, limit: 100)
            try await refused(.imageQuotaExceeded(usage)) {
                try await gallery.put("more", String(repeating: "y", count: 31))
            }
            try await gallery.requireBlobs(2)
            let bob = try await accounts.principal(try await accounts.register("bob"))
            try await gallery.put("more", String(repeating: "y", count: 31), by: bob)
        },
        Check("one image has a bound, before it is looked at") { accounts in
            let gallery = try await Gallery(accounts) { $0.imageBytesMax = 20 }
            try await refused(.imageTooLarge(limit: 20)) {
                try await gallery.put("avatar", "broken and long")
            }
            try await gallery.put("avatar", "short")
        },
        Check("a full disk refuses an image and leaves the old one") { accounts in
            let gallery = try await Gallery(accounts)
            try await gallery.put("avatar", "first")
            gallery.ledger.store.fail(.unavailable("no space"))
            try await refused(.image(.unavailable("no space"))) { try await gallery.put("avatar", "second") }
            gallery.ledger.store.fail(nil)
            try requireEqual(try await gallery.bytes("avatar"), TestImageInspector.png("first"))
            _ = try await gallery.ledger.ledger.sweep()
            try await gallery.requireBlobs(1)
        },
        Check("an image on a condition is set to that state only, and a refused one is not kept") { accounts in
            let gallery = try await Gallery(accounts)
            try await gallery.put("avatar", "first")
            try await refused(.preconditionFailed) {
                try await gallery.settings.setImage(
                    try ClientSettingKey("avatar"), to: TestImageInspector.png("second"), if: { $0 == nil },
                    by: gallery.alice, origin: origin)
            }
            try await gallery.requireBlobs(1)
            try requireEqual(try await gallery.used(), Int64(TestImageInspector.png("first").count))
        },
        Check("images go with their account, and others keep the same content") { accounts in
            let gallery = try await Gallery(accounts)
            let bob = try await accounts.principal(try await accounts.register("bob"))
            try await gallery.put("avatar", "shared")
            try await gallery.put("background", "own", by: bob)
            try await gallery.put("avatar", "shared", by: bob)
            try await accounts.service.deleteUser(bob.user, by: .console, origin: origin)
            try await gallery.settings.sweep()
            try await gallery.requireBlobs(1)
            try requireEqual(try await gallery.used(bob), 0)
            try requireEqual(try await gallery.bytes("avatar"), TestImageInspector.png("shared"))
        },
    ]
}
