// Beside reference.md: one's own data as JSON lines. A row of ours (docs/chat/export.md).

import Accounts
import Base
import Chat
import Net
import Synchronization
import Wire

extension ReferenceRoutes {
    static var export: [Route] {
        [
            Route.get(
                "/api/v1/users/me/export", .user, "The caller's account and what they have in chat, as JSON lines",
                limit: .upload, answer: .text
            ) { call in
                let (access, principal) = (try call.chatAccess, try call.principal)
                guard let slot = access.exports.enter(principal.user) else {
                    throw ChatError.throttled(retryAfter: ExportSlots.retryAfter)
                }
                let stream = ExportStream(
                    access.service, principal, try await call.accounts.profile(principal), slot, at: call.time)
                return Reply(
                    headers: ResponseHeaders([
                        "Content-Type": ExportStream.contentType,
                        "Cache-Control": "no-store",
                        "Content-Disposition": "attachment; filename=\"plexichat-export.jsonl\"",
                    ]), body: .stream(length: nil) { try await stream.next() })
            }.answering(ExportStream.contentType)
        ]
    }
}

/// Who is being exported to now. Each export looks through the whole table of messages, so one user has one at a time,
/// and a few users together.
package final class ExportSlots: Sendable {
    package static let atOnce = 4
    static let retryAfter = Duration.minutes(1)

    private let users = Mutex<Set<UserID>>([])

    /// `nil` when it is not this user's turn. The place is free again when the slot is let go of: at the end, or when the
    /// client has gone.
    func enter(_ user: UserID) -> ExportSlot? {
        let isIn = users.withLock { $0.count < Self.atOnce && $0.insert(user).inserted }
        return isIn ? ExportSlot(user, self) : nil
    }

    fileprivate func leave(_ user: UserID) { users.withLock { _ = $0.remove(user) } }
}

final class ExportSlot: Sendable {
    private let user: UserID
    private let slots: ExportSlots

    fileprivate init(_ user: UserID, _ slots: ExportSlots) {
        self.user = user
        self.slots = slots
    }

    deinit { slots.leave(user) }
}

/// The lines, as the client takes them: one part of the export is in memory at a time.
private final class ExportStream: Sendable {
    static let contentType = "application/x-ndjson"
    private static let format = 1

    private struct State {
        var place: ExportPlace? = .beginning
        var lines = 0
        var hasBegun = false
        var hasEnded = false
        var slot: ExportSlot?
    }

    private let chat: ChatService
    private let principal: Principal
    private let user: User
    private let time: Timestamp
    private let state: Mutex<State>

    init(_ chat: ChatService, _ principal: Principal, _ user: User, _ slot: ExportSlot, at time: Timestamp) {
        self.chat = chat
        self.principal = principal
        self.user = user
        self.time = time
        state = Mutex(State(slot: slot))
    }

    /// Asked for one at a time. The last line says how many there are: without it the file is not whole.
    func next() async throws -> Bytes? {
        let (hasBegun, from) = state.withLock { state in
            defer { state.hasBegun = true }
            return (state.hasBegun, state.place)
        }
        guard hasBegun else {
            return written([ExportLines.head(user, at: time, Self.format), ExportLines.account(user)])
        }
        var place = from
        while let current = place {
            let page = try await chat.export(current, for: principal)
            place = page.next
            if page.items.isEmpty { continue }
            let reached = place
            state.withLock { $0.place = reached }
            return written(page.items.map(ExportLines.line))
        }
        return end()
    }

    private func written(_ lines: [Bytes]) -> Bytes {
        state.withLock { $0.lines += lines.count }
        return lines.reduce(into: Bytes()) { bytes, line in
            bytes += line
            bytes.append(0x0A)
        }
    }

    private func end() -> Bytes? {
        let lines = state.withLock { state -> Int? in
            state.place = nil
            state.slot = nil
            defer { state.hasEnded = true }
            return state.hasEnded ? nil : state.lines
        }
        return lines.map { ExportLines.end($0) + [0x0A] }
    }
}
