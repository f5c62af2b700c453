// What files must do on every database.

import Accounts
import Base
import Chat
import Crypto
import Store

package enum FileConformance {
    package typealias Check = ConformanceCheck<TestFiles>

    package static let checks: [Check] = uploading + reading + attachments + links + ends + resumable

    static let origin = TestAccounts.origin()
    static let pdf = NewFile(name: "document.pdf", declaredType: "text/html", summary: "Important")

    // MARK: Uploading

    private static let uploading: [Check] = [
        Check("a file is what its content says, with a name that is safe") { files in
            let alice = try await files.chat.person("alice")
            var new = pdf
            new.name = "C:\\docs\\..\\do\u{202E}cu\u{1}ment.pdf. "
            let file = try await files.upload("%PDF-1.7 hello", new, by: alice)
            try requireEqual(file.name, "document.pdf")
            try requireEqual(file.type, "application/pdf")
            try requireEqual(file.size, 14)
            try requireEqual(file.key.hash, SHA256.hash(Bytes("%PDF-1.7 hello".utf8)))
            try requireEqual(file.details, FileDetails(pages: 10, author: "John Doe"))
            try requireEqual(file.scan, .skipped)
            try requireEqual(file.isHarmless, false)
            try requireEqual(try await files.service.file(file.id, for: alice), file)
            try requireEqual(try await files.text(file), "%PDF-1.7 hello")
            for (name, kept) in [("../../etc/passwd", "passwd"), ("..", "file"), ("\u{0}\u{7}", "file"), ("", "file")] {
                try requireEqual(try await files.upload("x", NewFile(name: name), by: alice).name, kept)
            }
        },
        Check("a picture has its small one, which nobody pays for") { files in
            let alice = try await files.chat.person("alice")
            let content = "\u{89}PNG and so on"
            let bytes = content.unicodeScalars.map { UInt8($0.value) }
            let source = TestSource([bytes])
            let new = NewFile(name: "a.png")
            let file = try await files.service.upload(
                new, 1...500, from: source.source, rest: { new }, by: alice)
            try requireEqual(file.type, "image/png")
            try requireEqual(file.isHarmless, true)
            try requireEqual([file.details.width, file.details.height], [4, 3])
            let thumbnail = try await files.service.thumbnail(of: file.id, for: alice).thumbnail
            try requireEqual(thumbnail.type, "image/jpeg")
            let picture = try await files.service.content(of: thumbnail, nil)
            try requireEqual(try await picture.next(), Bytes("small \(bytes.count)".utf8))
            try requireEqual(try await files.service.usage(of: alice.user).used, Int64(bytes.count))
            let plain = try await files.upload("plain", by: alice)
            try await requireFileRefusal(.notFound(.thumbnail)) {
                try await files.service.thumbnail(of: plain.id, for: alice)
            }
        },
        Check("of a picture that tells something a clean copy is kept, counted and paid for") { files in
            let alice = try await files.chat.person("alice")
            func upload(_ text: String, _ new: NewFile = NewFile(name: "a.png")) async throws -> StoredFile {
                let bytes = text.unicodeScalars.map { UInt8($0.value) }
                return try await files.service.upload(
                    new, 1...500, from: TestSource([bytes]).source, rest: { new }, by: alice)
            }
            func content(_ text: String) -> Bytes { text.unicodeScalars.map { UInt8($0.value) } }
            let file = try await upload("\u{89}PNG pixels SECRET")
            let clean = content("\u{89}PNG pixels ")
            try requireEqual(file.size, Int64(clean.count))
            try requireEqual(file.key.hash, SHA256.hash(clean))
            let kept = try await files.service.content(of: file, nil)
            try requireEqual(try await kept.next(), clean)
            try requireEqual(try await files.service.usage(of: alice.user).used, Int64(clean.count))
            // Its small picture and itself: what came is gone.
            try requireEqual(try await files.ledger.blobCount, 2)
            // One that grows when it is turned pays for what it is, and is refused where there is no room for that.
            let grown = try await upload("\u{89}PNG SMALL")
            try requireEqual(grown.size, 11)
            try requireEqual(try await files.service.usage(of: alice.user).used, Int64(clean.count) + 11)
            let sealed = try await upload("\u{89}PNG SECRET", NewFile(name: "a.png", isSealed: true))
            try requireEqual(try await files.service.content(of: sealed, nil).next(), content("\u{89}PNG SECRET"))
            let used = try await files.service.usage(of: alice.user).used
            for (text, refusal) in [
                ("\u{89}PNG DAMAGED", FileError.unreadableImage("it is damaged")),
                ("\u{89}PNG BUSY", .unavailable("no worker is free")),
            ] {
                try await requireFileRefusal(refusal) { try await upload(text) }
            }
            for length in [900, 900, 2_000 - Int(used) - 1_800 - 10] {
                try await files.upload(String(repeating: "x", count: length), by: alice)
            }
            let full = NewFile(name: "a.png")
            try await requireError(FileError.self) {
                _ = try await files.service.upload(
                    full, 10...10, from: TestSource([content("\u{89}PNG SMALL")]).source, rest: { full }, by: alice)
            } matches: {
                if case .quotaExceeded(let usage) = $0 { usage.used == 1_990 } else { false }
            }
            let usage = try await files.service.usage(of: alice.user)
            try requireEqual([usage.used, usage.reserved], [1_990, 0])
        },
        Check("what is too large, empty, of a wrong type or too much leaves nothing") { files in
            let alice = try await files.chat.person("alice")
            try await requireFileRefusal(.tooLarge(limit: 1_000)) {
                try await files.upload(String(repeating: "x", count: 1_001), by: alice)
            }
            // What was announced was less.
            let liar = TestSource(String(repeating: "x", count: 1_001))
            try await requireFileRefusal(.tooLarge(limit: 1_000)) {
                try await files.service.upload(
                    NewFile(), 0...5_000, from: liar.source, rest: { NewFile() }, by: alice)
            }
            try await requireFileRefusal(.empty) { try await files.upload("", by: alice) }
            try await requireFileRefusal(
                .invalid(.description, "must be at most 1000 characters long")
            ) {
                try await files.upload("x", NewFile(summary: String(repeating: "y", count: 1_001)), by: alice)
            }
            let broken = TestSource([Bytes("some".utf8)], failure: ConformanceFailure(description: "broken off"))
            try await requireError(ConformanceFailure.self) {
                _ = try await files.service.upload(
                    NewFile(), 0...900, from: broken.source, rest: { NewFile() }, by: alice)
            } matches: {
                $0.description == "broken off"
            }
            files.ledger.store.fail(.unavailable("the disk is full"))
            try await requireFileRefusal(.unavailable("the disk is full")) { try await files.upload("x", by: alice) }
            files.ledger.store.fail(nil)
            for _ in 0..<2 { try await files.upload(String(repeating: "x", count: 900), by: alice) }
            try await requireError(FileError.self) {
                try await files.upload(String(repeating: "y", count: 201), by: alice)
            } matches: {
                $0 == .quotaExceeded(BlobUsage(owner: .user, used: 1_800, reserved: 0, limit: 2_000))
            }
            try await files.upload(String(repeating: "y", count: 200), by: alice)
            try await files.service.sweep()
            try requireEqual(try await files.ledger.blobCount, 2)
            try requireEqual(files.ledger.folder.entries(of: "blobs/incoming"), [])
        },
        Check("a sealed file is opaque: neither looked at nor scanned") { files in
            let alice = try await files.chat.person("alice")
            files.inspector.scan(true)
            let sealed = try await files.upload(
                "%PDF-EICAR", NewFile(name: "s", declaredType: "image/png", isSealed: true), by: alice)
            try requireEqual(sealed.type, "application/octet-stream")
            try requireEqual(sealed.scan, .skipped)
            try requireEqual(sealed.details, FileDetails())
            try requireEqual(sealed.isHarmless, false)
            _ = try await files.service.download(sealed.id, for: alice)
        },
        Check("an infected file is refused, and one that is held is not given out until it is scanned") { files in
            let alice = try await files.chat.person("alice")
            let bob = try await files.chat.person("bob")
            let room = try await files.chat.room(alice, bob)
            files.inspector.scan(true)
            try await requireFileRefusal(.virusDetected(name: "Eicar-Test")) {
                try await files.upload("EICAR", by: alice)
            }
            try requireEqual(try await files.upload("fine", by: alice).scan, .clean)
            files.inspector.scan(true, isAway: true)
            try await requireFileRefusal(.unavailable("the virus scanner is away")) {
                try await files.upload("unknown", by: alice)
            }
            var options = TestFiles.options
            options.whenScannerIsAway = .hold
            let holding = FileService(
                database: files.chat.domain.database, ledger: files.ledger.ledger, chat: files.chat.service,
                inspector: files.inspector, options: options)
            var held: [StoredFile] = []
            for text in ["EICAR", "harmless"] {
                let new = NewFile(conversation: room)
                held.append(
                    try await holding.upload(
                        new, 1...100, from: TestSource(text).source, rest: { new }, by: alice))
            }
            try requireEqual(held.map(\.scan), [.pending, .pending])
            try await holding.sweep()
            try await requireFileRefusal(.scanPending) { try await holding.download(held[1].id, for: bob) }
            _ = try await holding.download(held[1].id, for: alice)
            files.inspector.scan(true)
            try await holding.sweep()
            _ = try await holding.download(held[1].id, for: bob)
            for person in [alice, bob] {
                try await requireFileRefusal(.virusDetected(name: nil)) {
                    try await holding.download(held[0].id, for: person)
                }
            }
        },
        Check("a conversation's organisation pays too, also when it is named behind the content") { files in
            let alice = try await files.chat.person("alice")
            let organization = try await files.chat.service.createOrganization(
                name: "Works", summary: nil, by: alice
            ).organization.id
            let room = try await files.chat.service.create(
                NewConversation(type: .channel, title: "In it", organization: organization), by: alice
            ).conversation.id
            let new = NewFile(conversation: room)
            try await files.upload(String(repeating: "a", count: 800), new, by: alice)
            let late = TestSource(String(repeating: "b", count: 600))
            _ = try await files.service.upload(
                NewFile(), 600...600, from: late.source, rest: { new }, by: alice)
            let usage = BlobUsage(owner: .organization, used: 1_400, reserved: 0, limit: 1_500)
            for known in [new, NewFile()] {
                try await requireFileRefusal(.quotaExceeded(usage)) {
                    try await files.service.upload(
                        known, 101...101, from: TestSource(String(repeating: "c", count: 101)).source, rest: { new },
                        by: alice)
                }
            }
            try await files.upload(String(repeating: "c", count: 101), by: alice)
        },
        Check("of two that race for the last bytes of a quota exactly one is kept") { files in
            let alice = try await files.chat.person("alice")
            for _ in 0..<2 { try await files.upload(String(repeating: "x", count: 900), by: alice) }
            let kept = try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<6 {
                    group.addTask {
                        do {
                            try await files.upload(String(repeating: "\(index)", count: 150), by: alice)
                            return 1
                        } catch FileError.quotaExceeded {
                            return 0
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            try requireEqual(kept, 1)
            try requireEqual(try await files.service.usage(of: alice.user).used, 1_950)
        },
    ]
}
