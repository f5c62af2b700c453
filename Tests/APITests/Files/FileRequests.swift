// Requests of files as tests write them.

import Accounts
import Base
import Chat
import TestKit

enum FileRequests {
    static let type = "multipart/form-data; boundary=form"

    /// A form with a file, and fields before and behind it.
    static func form(
        _ content: String, name: String = "note.txt", type: String = "text/plain", before: [(String, String)] = [],
        behind: [(String, String)] = []
    ) -> String {
        fields(before)
            + "--form\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(name)\"\r\n"
            + "Content-Type: \(type)\r\n\r\n\(content)\r\n" + fields(behind) + "--form--\r\n"
    }

    private static func fields(_ fields: [(String, String)]) -> String {
        fields.reduce("") {
            $0 + "--form\r\nContent-Disposition: form-data; name=\"\($1.0)\"\r\n\r\n\($1.1)\r\n"
        }
    }
}

extension APIHarness {
    func upload(
        _ form: String, to path: String = "/v1/files", as person: Person?, type: String = FileRequests.type
    ) async throws -> TestAnswer {
        try await post(path, form, as: person, headers: [("Content-Type", type)])
    }

    /// A room of these people, the first of whom owns it.
    func room(_ people: Person...) async throws -> ConversationID {
        let owner = try await domain.principal(Secret(text: people[0].token))
        let new = NewConversation(type: .room, title: "Room", members: people.dropFirst().map(\.id))
        return try await chat.create(new, by: owner).conversation.id
    }

    /// What is kept anywhere, of files that are there and of uploads that are not.
    func keptBlobs() async throws -> Int {
        try await files.sweep()
        return try await ledger.blobCount + ledger.folder.entries(of: "blobs/incoming").count
    }
}
