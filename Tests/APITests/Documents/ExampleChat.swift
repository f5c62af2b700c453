import Accounts
import Base
import Chat
import TestKit

/// What john and the administrator have said before an example of chat begins.
struct ExampleChat {
    /// What the placeholders stand for.
    private(set) var values: [String: String] = [:]
    private let api: APIHarness
    private let john: Principal
    private let admin: Principal

    static let names = [
        "$channel", "$message", "$later", "$room", "$conversation", "$dm", "$org", "$invite", "$emoji",
        "$file",
    ]

    init(_ api: APIHarness, john: APIHarness.Person, admin: APIHarness.Person) async throws {
        self.api = api
        self.john = try await api.domain.principal(Secret(text: john.token))
        self.admin = try await api.domain.principal(Secret(text: admin.token))
        try await makeChannel()
        try await makeRoom()
        try await makeConversation()
        let direct = try await api.chat.direct(with: self.admin.user, by: self.john).view.conversation.id
        _ = try await api.chat.send(NewMessage(.plain("Hi")), to: direct, by: self.admin)
        values["$dm"] = "\(direct)"
        let organization = try await api.chat.createOrganization(name: "Acme", summary: nil, by: self.john)
        _ = try await api.chat.addOrganizationMember(
            self.admin.user, to: organization.organization.id, by: self.john)
        values["$org"] = "\(organization.organization.id)"
    }

    private func begin(_ type: ConversationType, _ title: String, _ others: [UserID]) async throws -> ConversationID {
        try await api.chat.create(
            NewConversation(type: type, title: title, summary: "About updates", members: others), by: john
        ).conversation.id
    }

    /// Plain text: `$message` is john's and answered, `$later` the administrator's.
    private mutating func makeChannel() async throws {
        let channel = try await begin(.channel, "general", [admin.user])
        let first = try await api.chat.send(
            NewMessage(.plain("Hello, world!"), mentions: [admin.user]), to: channel, by: john
        ).message.id
        api.advance(by: .seconds(1))
        let later = try await api.chat.send(NewMessage(.plain("Hello!"), replyTo: first), to: channel, by: admin)
        _ = try await api.chat.react("👍", to: first, by: john)
        values["$channel"] = "\(channel)"
        let file = NewFile(name: "photo.png", conversation: channel)
        let picture = TestSource([[0x89] + Bytes("PNG, and so on".utf8)])
        values["$file"] =
            "\(try await api.files.upload(file, 1...100, from: picture.source, rest: { file }, by: john).id)"
        values["$message"] = "\(first)"
        values["$later"] = "\(later.message.id)"
        values["$emoji"] = "%F0%9F%91%8D"
    }

    /// rooms' own form of a body, and something plain to search for.
    private mutating func makeRoom() async throws {
        let room = try await begin(.room, "Lobby", [admin.user])
        _ = try await api.chat.send(NewMessage(.plain("The release is on Friday")), to: room, by: admin)
        let attachment = Attachment(
            id: .timeOrdered(at: api.clock.now), name: "plan.pdf", size: 1_024, contentType: "application/pdf",
            storage: "/upload/1")
        let box = SealedBox(data: "c2VhbGVk", nonce: "aXY=", keyVersion: 1)
        let sealed = try await api.chat.send(NewMessage(.box(box), attachments: [attachment]), to: room, by: john)
        _ = try await api.chat.react("🎉", to: sealed.message.id, by: admin)
        values["$room"] = "\(room)"
        values["$invite"] = try await api.chat.invite(to: room, by: john).code.exposedText
    }

    /// calls' own form of a body.
    private mutating func makeConversation() async throws {
        let conversation = try await begin(.group, "Project Team Chat", [admin.user])
        let key = DeviceKeyBox(
            user: admin.user, device: .timeOrdered(at: api.clock.now), encryptedKey: "a2V5", algorithm: "x25519-aead",
            nonce: "bm9uY2U=")
        let box = DeviceBox(
            ciphertext: "c2VhbGVk", nonce: "bm9uY2U=", algorithm: "aes-256-gcm", previewHash: "aGFzaA==", keys: [key])
        let attachment = Attachment(
            id: .timeOrdered(at: api.clock.now), name: "document.pdf", size: 1_024_000,
            contentType: "application/pdf", storage: "storage_uuid")
        let sent = try await api.chat.send(
            NewMessage(.deviceBox(box), attachments: [attachment]), to: conversation, by: john)
        try await api.chat.acknowledge(.delivered, upTo: sent.message.id, by: admin)
        values["$conversation"] = "\(conversation)"
    }
}
