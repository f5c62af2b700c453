// Live chat over a real service and real loops, with sockets in the test's hand.

import Accounts
import Base
import Net
import Store
import Synchronization
import TestKit
import Testing
import Wire

@testable import Chat

/// Writes what happens in words, and counts how often.
final class TestStyle: ChatStyle {
    private let count = Atomic<Int>(0)
    var writtenEvents: Int { count.load(ordering: .relaxed) }

    func frames(of events: [ChatEvent]) async -> [[SharedFrame]] {
        count.add(events.count, ordering: .relaxed)
        return events.map { [SharedFrame(text: Self.text($0))] }
    }

    func frames(of news: PresenceNews) async -> [SharedFrame] {
        [SharedFrame(text: "\(news.before) to \(news.presence.status)")]
    }

    func frames(of message: LiveMessage) -> [SharedFrame] { [SharedFrame(text: Self.text(message))] }

    private static func text(_ event: ChatEvent) -> String {
        switch event.change {
        case .messageSent(let message): "said \(message.text)"
        case .memberLeft: "left"
        case .memberJoined: "joined"
        case .conversationDeleted: "deleted"
        case .typing(let isTyping): isTyping ? "types" : "types no more"
        default: "other"
        }
    }

    private static func text(_ message: LiveMessage) -> String {
        switch message {
        case .welcome: "welcome"
        case .following(_, let position, let isRecovered, _): "following \(position.offset) \(isRecovered)"
        case .unfollowed(_, let fault, _): "unfollowed \(fault.map { "\($0)" } ?? "")"
        case .sent(let sent, let reference): "sent \(sent.message.text) \(reference?.stringValue ?? "")"
        case .done: "done"
        case .notice(let notice):
            if case .settingsChanged(let change) = notice.event {
                "settings \(change.stored.map(\.key.description).joined(separator: " "))"
            } else {
                "notice"
            }
        case .failed(let fault, _): "failed \(fault)"
        case .pong: "pong"
        }
    }
}

final class TestLine: ChatLine, @unchecked Sendable {
    let loop: any EventLoop
    private struct State {
        var heard: [String] = []
        var hasRoom = true
        var isAwaited = false
        var closure: LiveClosure?
    }
    private let state = Mutex(State())
    /// Set before anything is sent.
    private(set) var connection: ChatConnection?

    private init(_ loop: any EventLoop) { self.loop = loop }

    var heard: [String] { state.withLock { $0.heard.filter { $0 != "welcome" } } }
    var closure: LiveClosure? { state.withLock { $0.closure } }

    var hasRoom: Bool { state.withLock { $0.hasRoom } }
    func send(_ frame: SharedFrame) {
        let text = String(decoding: frame.plain.dropFirst(frame.plain[1] < 126 ? 2 : 4), as: UTF8.self)
        state.withLock { $0.heard.append(text) }
    }
    func callWhenWritable() { state.withLock { $0.isAwaited = true } }
    func close(_ closure: LiveClosure, _ reason: String) { state.withLock { $0.closure = $0.closure ?? closure } }

    func setRoom(_ hasRoom: Bool) {
        loop.submit { [self] in
            let calls = state.withLock { state in
                state.hasRoom = hasRoom
                defer { if hasRoom { state.isAwaited = false } }
                return hasRoom && state.isAwaited
            }
            if calls { connection?.writable() }
        }
    }

    /// `nil` when the hub takes no more of this user.
    static func open(
        _ hub: ChatHub, _ style: TestStyle, by principal: Principal, bound: ConversationID? = nil,
        on loop: any EventLoop
    ) async -> TestLine? {
        let line = TestLine(loop)
        return await withCheckedContinuation { continuation in
            loop.submit {
                line.connection = hub.open(line, style, by: principal, bound: bound)
                continuation.resume(returning: line.connection == nil ? nil : line)
            }
        }
    }

    func ask(_ commands: LiveCommand...) {
        loop.submit { [self] in
            for command in commands { connection?.received(.success(LiveRequest(command, reference: .string("r")))) }
        }
    }

    func garble() { loop.submit { [self] in connection?.received(.failure(.malformed(field: "type", reason: "x"))) } }

    func leave() { loop.submit { [self] in connection?.closed() } }

    /// Waits until it has heard so much, which has to be soon.
    func hears(
        _ wanted: [String], within: Duration = .seconds(10), sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        await wait(within) { heard.count >= wanted.count }
        #expect(heard == wanted, sourceLocation: sourceLocation)
    }
}

private func wait(_ limit: Duration, until condition: () -> Bool) async {
    let clock = ContinuousClock()
    let end = clock.now + limit
    while !condition(), clock.now < end { try? await Task.sleep(for: .milliseconds(2)) }
}

/// Ends the test when it does not come true soon.
func soon(sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool) async throws {
    await wait(.seconds(10), until: condition)
    try #require(condition(), sourceLocation: sourceLocation)
}

struct LiveWorld {
    let chat: TestChat
    let hub: ChatHub
    let service: ChatService
    let style = TestStyle()
    let shards: ShardGroup

    static func run(_ limits: LiveLimits = LiveLimits(), _ body: (LiveWorld) async throws -> Void) async throws {
        let database = try SQLiteDatabase(.memory)
        let shards = try ShardGroup(count: 2)
        let chat = try await TestChat.make(database)
        let hub = ChatHub(limits: limits)
        let service = ChatService(
            database: database, accounts: chat.domain.service, gate: chat.world, events: hub,
            clock: chat.domain.clock.clock, options: TestChat.options)
        hub.setChat(service)
        try await body(LiveWorld(chat: chat, hub: hub, service: service, shards: shards))
        await chat.domain.service.stop()
        await database.close()
        shards.stop()
    }

    func line(_ principal: Principal, shard: Int = 0) async throws -> TestLine {
        try #require(await TestLine.open(hub, style, by: principal, on: shards.shards[shard]))
    }

    @discardableResult
    func say(_ text: String, in id: ConversationID, by principal: Principal) async throws -> Message {
        try await service.send(NewMessage(.plain(text)), to: id, by: principal).message
    }
}
