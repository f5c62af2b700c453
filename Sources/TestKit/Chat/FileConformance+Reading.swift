// Who reads files, what keeps them, links, and uploads in pieces.

import Accounts
import Base
import Chat
import Store

extension FileConformance {
    static let reading: [Check] = [
        Check("a file of a conversation is its members', from when they come in until they go") { files in
            let (alice, bob) = (try await files.chat.person("alice"), try await files.chat.person("bob"))
            let carol = try await files.chat.person("carol")
            let room = try await files.chat.room(alice, bob)
            let file = try await files.upload("for the room", NewFile(conversation: room), by: bob)
            try requireEqual(try await files.service.file(file.id, for: alice), file)
            try await requireFileRefusal(.notFound(.file)) { try await files.service.file(file.id, for: carol) }
            try await requireFileRefusal(.notFound(.file)) {
                try await files.service.file(FileID(.random()), for: carol)
            }
            try await requireFileRefusal(.chat(.notFound(.conversation))) {
                try await files.upload("stranger", NewFile(conversation: room), by: carol)
            }
            try await files.chat.service.leave(room, by: bob)
            let other = try await files.upload("for them", NewFile(conversation: room), by: alice)
            try await requireFileRefusal(.notFound(.file)) { try await files.service.file(other.id, for: bob) }
            // One's own stays one's own.
            _ = try await files.service.download(file.id, for: bob)
        },
        Check("a file without a conversation is its uploader's, an administrator's no more than anybody's") { files in
            let alice = try await files.chat.person("alice")
            let root = try await files.chat.domain.administrator()
            let file = try await files.upload("mine", by: alice)
            try await requireFileRefusal(.notFound(.file)) { try await files.service.download(file.id, for: root) }
        },
        Check("lists have what one may read, the newest first, by conversation, kind, person and name") { files in
            let (alice, bob) = (try await files.chat.person("alice"), try await files.chat.person("bob"))
            let (one, two) = (try await files.chat.room(alice, bob), try await files.chat.room(alice))
            var ids: [FileID] = []
            for (name, place) in [("Ärger.pdf", one), ("100%.txt", two), ("b.pdf", two)] {
                let new = NewFile(name: name, declaredType: "text/plain", conversation: place)
                let text = name.hasSuffix("pdf") ? "%PDF-\(name)" : name
                ids.append(try await files.upload(text, new, by: alice).id)
                files.clock.advance(by: .seconds(1))
            }
            ids.append(try await files.upload("plain", by: bob).id)
            func list(_ filter: FileFilter, _ person: Principal) async throws -> [FileID] {
                let page = try await files.service.files(filter, for: person)
                try requireEqual(page.total, page.items.count)
                return page.items.map(\.id)
            }
            try requireEqual(try await list(FileFilter(limit: 10), alice), [ids[2], ids[1], ids[0]])
            try requireEqual(try await list(FileFilter(limit: 10), bob), [ids[3], ids[0]])
            try requireEqual(try await list(FileFilter(conversation: two, limit: 10), alice), [ids[2], ids[1]])
            try requireEqual(try await list(FileFilter(conversation: two, limit: 10), bob), [])
            try requireEqual(try await list(FileFilter(uploader: alice.user, limit: 10), bob), [ids[0]])
            try requireEqual(try await list(FileFilter(category: .image, limit: 10), alice), [])
            for (search, found) in [("ärger", [ids[0]]), ("0%", [ids[1]]), (".PDF", [ids[2], ids[0]]), ("_", [])] {
                try requireEqual(try await list(FileFilter(search: search, limit: 10), alice), found)
            }
            let page = try await files.service.files(FileFilter(offset: 1, limit: 1), for: alice)
            try requireEqual(page.items.map(\.id), [ids[1]])
            try requireEqual(page.total, 3)
        },
    ]

    static let attachments: [Check] = [
        Check("who reads a message reads what it holds, and nobody is given a file by its name") { files in
            let (alice, bob) = (try await files.chat.person("alice"), try await files.chat.person("bob"))
            let mallory = try await files.chat.person("mallory")
            let room = try await files.chat.room(alice, bob)
            let lair = try await files.chat.room(mallory)
            let file = try await files.upload("attached", by: alice)
            try await requireFileRefusal(.notFound(.file)) { try await files.service.file(file.id, for: bob) }
            try await requireChatRefusal(.notFound(.file)) { try await files.attach(file, to: lair, by: mallory) }
            let message = try await files.attach(file, to: room, by: alice)
            try requireEqual(message.attachments.map(\.storage), ["file_\(file.id)"])
            try requireEqual(try await files.service.file(file.id, for: bob).conversation, room)
            // Who may read it may pass it on.
            let other = try await files.chat.room(bob, mallory)
            try await requireFileRefusal(.notFound(.file)) { try await files.service.file(file.id, for: mallory) }
            _ = try await files.attach(file, to: other, by: bob)
            _ = try await files.service.download(file.id, for: mallory)
            try requireEqual(
                try await files.service.files(FileFilter(conversation: other, limit: 5), for: mallory).items.map(\.id),
                [file.id])
        },
        Check("a file goes with the last message that held it") { files in
            let (alice, bob) = (try await files.chat.person("alice"), try await files.chat.person("bob"))
            let room = try await files.chat.room(alice, bob)
            let file = try await files.upload("attached", by: alice)
            let messages = [
                try await files.attach(file, to: room, by: alice), try await files.attach(file, to: room, by: bob),
            ]
            try await files.chat.service.deleteMessage(messages[0].id, by: alice)
            try await files.service.sweep()
            _ = try await files.service.download(file.id, for: bob)
            try await files.chat.service.deleteMessage(messages[1].id, by: bob)
            for person in [alice, bob] {
                try await requireFileRefusal(.notFound(.file)) { try await files.service.file(file.id, for: person) }
            }
            try await requireChatRefusal(.notFound(.file)) { try await files.attach(file, to: room, by: alice) }
            try await files.service.sweep()
            try requireEqual(try await files.ledger.blobCount, 0)
            try requireEqual(try await files.service.usage(of: alice.user).used, 0)
        },
    ]

    static let links: [Check] = [
        Check("a link is good for its time and its downloads, and until it is revoked") { files in
            let (alice, bob) = (try await files.chat.person("alice"), try await files.chat.person("bob"))
            let room = try await files.chat.room(alice, bob)
            let file = try await files.upload("shared", NewFile(conversation: room), by: alice)
            try await requireFileRefusal(.notUploader) {
                try await files.service.share(file.id, lifetime: nil, maxDownloads: nil, by: bob)
            }
            let made = try await files.service.share(file.id, lifetime: .hours(1), maxDownloads: 2, by: alice)
            let token = made.token.exposedText
            try requireEqual(try await files.service.file(file.id, for: bob).isShared, true)
            for _ in 0..<5 { _ = try await files.service.shared(token, counts: false) }
            for _ in 0..<2 {
                try requireEqual(try await files.service.shared(token, counts: true).id, file.id)
            }
            let refused = FileError.notFound(.link)
            try await requireFileRefusal(refused) { try await files.service.shared(token, counts: false) }
            let timed = try await files.service.share(file.id, lifetime: .hours(1), maxDownloads: nil, by: alice)
            let endless = try await files.service.share(file.id, lifetime: nil, maxDownloads: nil, by: alice)
            try await requireFileRefusal(.limitReached(.link, 2)) {
                try await files.service.share(file.id, lifetime: nil, maxDownloads: nil, by: alice)
            }
            files.clock.advance(by: .hours(1))
            try await requireFileRefusal(refused) {
                try await files.service.shared(timed.token.exposedText, counts: true)
            }
            try requireEqual(
                try await files.service.shares(of: file.id, by: alice).map(\.id), [endless.share.id])
            try await requireFileRefusal(.notUploader) {
                try await files.service.revoke(endless.share.id, of: file.id, by: bob)
            }
            try await files.service.revoke(endless.share.id, of: file.id, by: alice)
            try await requireFileRefusal(refused) {
                try await files.service.revoke(endless.share.id, of: file.id, by: alice)
            }
            for token in [endless.token.exposedText, "", "x", String(repeating: "A", count: 43)] {
                try await requireFileRefusal(refused) { try await files.service.shared(token, counts: true) }
            }
            try requireEqual(try await files.service.file(file.id, for: bob).isShared, false)
            for (lifetime, downloads, field) in [
                (Duration.zero, 1, FileField.expiresInHours), (.days(366), 1, .expiresInHours),
                (.hours(1), 0, .maxDownloads),
            ] {
                try await requireError(FileError.self) {
                    _ = try await files.service.share(
                        file.id, lifetime: lifetime, maxDownloads: downloads, by: alice)
                } matches: {
                    if case .invalid(field, _) = $0 { true } else { false }
                }
            }
        }
    ]

    static let ends: [Check] = [
        Check("a file is deleted by its uploader or an administrator, with its links, and paid back") { files in
            let (alice, bob) = (try await files.chat.person("alice"), try await files.chat.person("bob"))
            let room = try await files.chat.room(alice, bob)
            let root = try await files.chat.domain.administrator()
            for deleter in [alice, root] {
                let file = try await files.upload("to be deleted", NewFile(conversation: room), by: alice)
                let link = try await files.service.share(file.id, lifetime: nil, maxDownloads: nil, by: alice)
                try await requireFileRefusal(.notUploader) {
                    try await files.service.delete(file.id, by: bob, origin: origin)
                }
                try await files.service.delete(file.id, by: deleter, origin: origin)
                try await requireFileRefusal(.notFound(.file)) {
                    try await files.service.delete(file.id, by: deleter, origin: origin)
                }
                try await requireFileRefusal(.notFound(.link)) {
                    try await files.service.shared(link.token.exposedText, counts: true)
                }
                try requireEqual(try await files.ledger.blobCount, 0)
                try requireEqual(try await files.service.usage(of: alice.user).used, 0)
            }
        },
        Check("files go with their conversation, their account and its retention") { files in
            let (alice, bob) = (try await files.chat.person("alice"), try await files.chat.person("bob"))
            let (one, two) = (try await files.chat.room(alice, bob), try await files.chat.room(alice, bob))
            let gone = try await files.upload("with the room", NewFile(conversation: one), by: bob)
            let held = try await files.upload("held elsewhere", NewFile(conversation: one), by: bob)
            _ = try await files.attach(held, to: two, by: bob)
            try await files.chat.service.delete(one, by: alice, origin: origin)
            try await requireFileRefusal(.notFound(.file)) { try await files.service.file(gone.id, for: bob) }
            _ = try await files.service.download(held.id, for: alice)
            try await files.service.sweep()
            try requireEqual(try await files.ledger.blobCount, 1)
            var changes = ConversationChanges()
            changes.retention = .some(.hours(1))
            _ = try await files.chat.service.update(two, changes, by: alice)
            let old = try await files.upload("old", NewFile(conversation: two), by: bob)
            files.clock.advance(by: .hours(2))
            let young = try await files.upload("young", NewFile(conversation: two), by: alice)
            try await files.service.sweep()
            try await requireFileRefusal(.notFound(.file)) { try await files.service.file(old.id, for: bob) }
            while try await files.chat.service.sweep() {}
            try await files.service.sweep()
            try await requireFileRefusal(.notFound(.file)) { try await files.service.file(held.id, for: alice) }
            _ = try await files.service.download(young.id, for: bob)
            try await files.chat.service.forget(alice.user)
            try await requireFileRefusal(.notFound(.file)) { try await files.service.file(young.id, for: bob) }
            try await files.service.sweep()
            try requireEqual(try await files.ledger.blobCount, 0)
        },
    ]

    static let resumable: [Check] = [
        Check("an upload in pieces becomes the file that they make, and is gone on with after a break") { files in
            let alice = try await files.chat.person("alice")
            let upload = try await files.service.beginUpload(pdf, length: 12, by: alice)
            try requireEqual(try await files.service.usage(of: alice.user).reserved, 12)
            var (state, file) = try await append("%PDF-", to: upload, at: 0, files, alice)
            try requireEqual([state.received, file == nil ? 0 : 1], [5, 0])
            files.clock.advance(by: .hours(23))
            try await files.service.sweep()
            try await requireFileRefusal(.wrongOffset(received: 5)) {
                try await append("again", to: upload, at: 0, files, alice)
            }
            try await requireFileRefusal(.tooLarge(limit: 7)) {
                try await append("too much!", to: upload, at: 5, files, alice)
            }
            (state, file) = try await append("", to: upload, at: 5, files, alice)
            try requireEqual(state.received, 5)
            (state, file) = try await append("1.7 end", to: upload, at: 5, files, alice)
            guard let file else { throw ConformanceFailure(description: "no file came of it") }
            try requireEqual(state.outcome, .file(file.id))
            try requireEqual([file.name, file.type, file.summary], ["document.pdf", "application/pdf", "Important"])
            try requireEqual(try await files.text(file), "%PDF-1.7 end")
            try requireEqual(try await files.ledger.blobCount, 1)
            let usage = try await files.service.usage(of: alice.user)
            try requireEqual([usage.used, usage.reserved], [12, 0])
            try await requireFileRefusal(.uploadOver) { try await append("x", to: upload, at: 12, files, alice) }
        },
        Check("an upload in one piece is stored once, also when a scanner has to be waited for") { files in
            let alice = try await files.chat.person("alice")
            files.inspector.scan(true, isAway: true)
            let upload = try await files.service.beginUpload(pdf, length: 5, by: alice)
            try await requireFileRefusal(.unavailable("the virus scanner is away")) {
                try await append("%PDF-", to: upload, at: 0, files, alice)
            }
            files.inspector.scan(true)
            let file = try await append("", to: upload, at: 5, files, alice).file
            try requireEqual(file?.scan, .clean)
            try requireEqual(try await files.ledger.blobCount, 1)
        },
        Check("a piece that is not as expected is not kept, and what is refused at its end is over") { files in
            let alice = try await files.chat.person("alice")
            files.inspector.scan(true)
            let upload = try await files.service.beginUpload(NewFile(), length: 5, by: alice)
            try await requireFileRefusal(.checksumMismatch) {
                try await files.service.append(
                    to: upload.id, at: 0, from: TestSource("EICAR").source, isExpected: { _ in false }, by: alice)
            }
            try requireEqual(try await files.service.upload(upload.id, for: alice).received, 0)
            try await requireFileRefusal(.virusDetected(name: "Eicar-Test")) {
                try await append("EICAR", to: upload, at: 0, files, alice)
            }
            try requireEqual(try await files.service.upload(upload.id, for: alice).outcome, .ended)
            try await files.service.sweep()
            try requireEqual(try await files.ledger.blobCount, 0)
            try requireEqual(try await files.service.usage(of: alice.user).reserved, 0)
        },
        Check("an upload is its user's, one of few, of few pieces, and ends by wish or by age") { files in
            let (alice, bob) = (try await files.chat.person("alice"), try await files.chat.person("bob"))
            try await requireFileRefusal(.invalid(.length, "must be at least 1")) {
                try await files.service.beginUpload(NewFile(), length: 0, by: alice)
            }
            try await requireFileRefusal(.tooLarge(limit: 1_000)) {
                try await files.service.beginUpload(NewFile(), length: 1_001, by: alice)
            }
            var uploads: [ResumableUpload] = []
            for _ in 0..<3 {
                uploads.append(try await files.service.beginUpload(NewFile(), length: 100, by: alice))
            }
            try await requireFileRefusal(.limitReached(.upload, 3)) {
                try await files.service.beginUpload(NewFile(), length: 100, by: alice)
            }
            try requireEqual(try await files.service.usage(of: alice.user).reserved, 300)
            try await requireFileRefusal(.notFound(.upload)) {
                try await append("x", to: uploads[0], at: 0, files, bob)
            }
            for index in 0..<4 { _ = try await append("x", to: uploads[0], at: Int64(index), files, alice) }
            try await requireFileRefusal(.limitReached(.part, 4)) {
                try await append("x", to: uploads[0], at: 4, files, alice)
            }
            try await files.service.endUpload(uploads[0].id, by: alice)
            try requireEqual(try await files.ledger.blobCount, 0)
            try await requireFileRefusal(.uploadOver) {
                try await files.service.endUpload(uploads[0].id, by: alice)
            }
            _ = try await append("left behind", to: uploads[1], at: 0, files, alice)
            files.clock.advance(by: .hours(25))
            for _ in 0..<2 { try await files.service.sweep() }
            try requireEqual(try await files.service.upload(uploads[1].id, for: alice).outcome, .ended)
            try requireEqual(try await files.ledger.blobCount, 0)
            try requireEqual(try await files.service.usage(of: alice.user).reserved, 0)
            files.clock.advance(by: .hours(25))
            try await files.service.sweep()
            try await requireFileRefusal(.notFound(.upload)) {
                try await files.service.upload(uploads[1].id, for: alice)
            }
        },
        Check("of two that write to one upload at a time the second is refused") { files in
            let alice = try await files.chat.person("alice")
            let upload = try await files.service.beginUpload(NewFile(), length: 10, by: alice)
            let source = TestSource("first")
            _ = try await files.service.append(
                to: upload.id, at: 0,
                from: {
                    try await requireFileRefusal(.uploadBusy) {
                        try await append("second", to: upload, at: 0, files, alice)
                    }
                    return try source.next()
                }, by: alice)
            try requireEqual(try await append("rest.", to: upload, at: 5, files, alice).file?.size, 10)
        },
    ]

    private static func append(
        _ text: String, to upload: ResumableUpload, at offset: Int64, _ files: TestFiles, _ principal: Principal
    ) async throws -> (upload: ResumableUpload, file: StoredFile?) {
        try await files.service.append(
            to: upload.id, at: offset, from: TestSource(text.isEmpty ? [] : [Bytes(text.utf8)]).source, by: principal)
    }
}
