// One's own data, a part at a time: what one is in, and what one wrote, wherever that was.

package import Accounts
import Base
import Store

extension ChatService {
    /// Of each part. A message may be sealed for a thousand devices, so a page of them is not larger.
    private static var exported: Int { 50 }
    /// Rows of the table of messages that one statement looks through for the user's own.
    private static var exportStretch: Int64 { 20_000 }

    /// Every part is as of the moment when it is read: what is written meanwhile may be in it or not.
    package func export(_ place: ExportPlace, for principal: Principal) async throws(ChatError) -> ExportPage {
        if let id = place.edited.first {
            let versions = try await reader.all(MessageTable.versions(id), MessageTable.version(from:))
            var next = place
            next.edited.removeFirst()
            return ExportPage(items: versions.map { .formerVersion(id, $0) }, next: next)
        }
        switch place.part {
        case .devices:
            let devices = try await reader.devices(of: [principal.user])
            return ExportPage(items: devices.map(ExportItem.device), next: ExportPlace(part: .organizations(offset: 0)))
        case .organizations(let offset): return try await exportOrganizations(offset, principal)
        case .conversations(let id): return try await exportConversations(id, principal)
        case .messages(let number): return try await exportMessages(number, principal.user)
        case .reactions(let id, let emoji): return try await exportReactions(id, emoji, principal.user)
        }
    }

    private func exportOrganizations(
        _ offset: Int, _ principal: Principal
    ) async throws(ChatError) -> ExportPage {
        let page = try await organizations(offset: offset, limit: Self.exported, for: principal)
        let isLast = page.items.count < Self.exported
        return ExportPage(
            items: page.items.map(ExportItem.organization),
            next: ExportPlace(
                part: isLast
                    ? .conversations(after: ConversationID(RemovalTable.nobody.uuid))
                    : .organizations(offset: offset + page.items.count)))
    }

    private func exportConversations(
        _ id: ConversationID, _ principal: Principal
    ) async throws(ChatError) -> ExportPage {
        let statement = ExportTable.conversations(of: principal.user, after: id, limit: Self.exported)
        let accesses = try await reader.all(statement, ConversationTable.access(from:))
        let views = try await furnished(accesses.map(\.view), for: principal.user)
        let last = views.count == Self.exported ? views.last?.conversation.id : nil
        return ExportPage(
            items: views.map(ExportItem.conversation),
            next: ExportPlace(part: last.map { .conversations(after: $0) } ?? .messages(after: 0)))
    }

    private func exportMessages(_ number: Int64, _ user: UserID) async throws(ChatError) -> ExportPage {
        let end = number + Self.exportStretch
        let statement = ExportTable.messages(of: user, after: number, upTo: end, limit: Self.exported)
        let stored = try await reader.all(statement, MessageTable.stored(from:))
        let messages = try await reader.complete(stored)
        let last = try await reader.number(RemovalTable.lastNumber)
        // A full page may have more of the same stretch behind it.
        let next = stored.count == Self.exported ? stored.last?.number ?? end : end
        return ExportPage(
            items: messages.map(ExportItem.message),
            next: ExportPlace(
                part: next < last ? .messages(after: next) : .reactions(after: Self.firstMessage, emoji: ""),
                edited: messages.filter { $0.version > 1 }.map(\.id)))
    }

    private static var firstMessage: MessageID { MessageID(RemovalTable.nobody.uuid) }

    private func exportReactions(
        _ id: MessageID, _ emoji: String, _ user: UserID
    ) async throws(ChatError) -> ExportPage {
        let statement = ExportTable.reactions(of: user, after: id, emoji, limit: Self.exported)
        let found = try await reader.all(statement) { (row) throws(StoreError) in
            (
                message: try row.identifier(0, MessageKind.self),
                reaction: Reaction(user: user, emoji: try row.text(1), createdAt: try row.timestamp(2))
            )
        }
        let last = found.count == Self.exported ? found.last : nil
        return ExportPage(
            items: found.map { .reaction($0.message, $0.reaction) },
            next: last.map { ExportPlace(part: .reactions(after: $0.message, emoji: $0.reaction.emoji)) })
    }
}
