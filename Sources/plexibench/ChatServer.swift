// plexibench chat-server --folder DIR: the chat of a server over SQLite, behind HTTP and sockets on one loop, in a
// process of its own. Who started it speaks to it over descriptor 0:
//
//     people COUNT\n            ->  ok COUNT\n and so many lines ID TOKEN\n
//     room COUNT\n              ->  ok ID EPOCH OFFSET\n: a room of the first COUNT people, and where its log stands
//     say ROOM COUNT MICROS WRITERS\n  ->  ok OFFSET\n: so many messages, one every so many microseconds (0: as they are
//                                   stored) by so many of the people at once; where the log stands when all are stored
//     times ROOM\n              ->  ok COUNT\n and so many lines OFFSET NANOSECONDS\n: when each of the last `say` was
//                                   committed, by the monotonic clock

import API
import Accounts
import Base
import Chat
import Glibc
import Net
import Store
import Synchronization
import TestKit
import Wire

/// Notes when what was said was committed, on its way to the sockets.
private final class CommitTimes: ChatEvents, CallGate {
    private let hub: ChatHub
    private let times = Mutex<[ConversationID: [(offset: Int64, time: Instant)]]>([:])

    init(_ hub: ChatHub) { self.hub = hub }

    func deliver(_ event: ChatEvent) {
        if let offset = event.position?.offset {
            times.withLock { $0[event.conversation, default: []].append((offset, .now())) }
        }
        hub.deliver(event)
    }
    func notify(_ notice: ChatNotice, _ users: [UserID]) { hub.notify(notice, users) }
    func cut(_ users: [UserID], from conversation: ConversationID) async {}
    func close(_ conversation: ConversationID) async {}

    func forget(_ id: ConversationID) { times.withLock { $0[id] = nil } }
    func of(_ id: ConversationID) -> [(offset: Int64, time: Instant)] { times.withLock { $0[id] ?? [] } }
}

private final class ChatServer: Sendable {
    let port: UInt16
    private let domain: TestAccounts
    private let chat: ChatService
    private let times: CommitTimes
    private let server: HTTPServer
    private let people = Mutex<[Principal]>([])

    init(folder: String) async throws {
        let shards = try ShardGroup(count: 1)
        let database = try SQLiteDatabase(.file(folder + "/chat-server.db"))
        domain = try await TestAccounts.make(database)
        _ = try await Migrations(AccountsSchema.migrations + IdempotencyStore.migrations + ChatSchema.migrations)
            .apply(to: database)
        let hub = ChatHub()
        times = CommitTimes(hub)
        var options = ChatOptions()
        options.membersAtCreation = options.membersPerConversation
        chat = ChatService(database: database, accounts: domain.service, gate: times, events: times, options: options)
        hub.setChat(chat)
        var http = HTTPServer.Options()
        (http.connections, http.connectionsPerAddress) = (100_000, 100_000)
        server = try await HTTPServer.start(
            [.init(.tcp(IPAddress(v4: 0x7F00_0001), port: 0))], service: Self.api(domain, chat, hub), on: shards,
            options: http)
        port = server.listening.first?.endpoint.port ?? 0
    }

    private static func api(_ domain: TestAccounts, _ chat: ChatService, _ hub: ChatHub) -> APIService {
        let metrics = Metrics()
        let requestMetrics = RequestMetrics(metrics)
        let load = LoadMonitor(marks: .init(cpu: .infinity, memory: .infinity), diskFolder: "/")
        let health = HealthMonitor(
            database: domain.database, load: load, version: "bench", responseTimes: requestMetrics.duration)
        health.isReady = true
        var limits = RateLimitPolicy()
        limits.scale = 0
        return APIService(
            services: Services(
                accounts: domain.service, health: health, metrics: metrics, documentation: nil, areMetricsPublic: true,
                chat: ChatAccess(service: chat, publicURL: "https://chat.example.org"),
                live: LiveAccess(hub: hub, chat: chat)),
            limiter: RateLimiter(limits), load: load,
            idempotency: IdempotencyStore(database: domain.database, vault: domain.vault), options: .init(),
            clock: .system, metrics: requestMetrics)
    }

    func answer(_ line: String) async throws -> String {
        let words = line.split(separator: " ").map(String.init)
        let numbers = words.map { Int($0) ?? 0 }
        switch (words.first, words.count) {
        case ("people", 2): return try await addPeople(numbers[1])
        case ("room", 2): return try await makeRoom(numbers[1])
        case ("say", 5):
            guard let room = ConversationID(words[1]) else { break }
            times.forget(room)
            try await say(in: room, numbers[2], every: .microseconds(numbers[3]), writers: max(1, numbers[4]))
            return "ok \(times.of(room).last?.offset ?? 0)\n"
        case ("times", 2):
            guard let room = ConversationID(words[1]) else { break }
            let times = times.of(room)
            return "ok \(times.count)\n" + times.map { "\($0.offset) \($0.time.nanoseconds)\n" }.joined()
        default: break
        }
        return "error unknown\n"
    }

    private func addPeople(_ count: Int) async throws -> String {
        var lines = "ok \(count)\n"
        for _ in 0..<count {
            let number = people.withLock { $0.count }
            let signedIn = try await domain.register("person\(number)")
            let principal = try await domain.principal(signedIn)
            people.withLock { $0.append(principal) }
            lines += "\(principal.user) \(signedIn.tokens.accessToken.exposedText)\n"
        }
        return lines
    }

    private func makeRoom(_ count: Int) async throws -> String {
        let members = people.withLock { Array($0.prefix(count)) }
        guard let owner = members.first else { return "error nobody\n" }
        let new = NewConversation(type: .channel, title: "Bench", members: members.dropFirst().map(\.user))
        let made = try await chat.create(new, by: owner).conversation
        let position = made.log.position
        return "ok \(made.id) \(position.epoch) \(position.offset)\n"
    }

    private func say(in room: ConversationID, _ count: Int, every interval: Duration, writers: Int) async throws {
        let begin = ContinuousClock.now
        let people = people.withLock { Array($0.prefix(writers)) }
        try await withThrowingTaskGroup { group in
            for (writer, person) in people.enumerated() {
                group.addTask { [chat] in
                    for number in stride(from: writer, to: count, by: people.count) {
                        if interval > .zero { try await Task.sleep(until: begin + interval * number) }
                        let text = "message \(number), as long as those that people write to each other in a room"
                        _ = try await chat.send(NewMessage(.plain(text)), to: room, by: person)
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}

func runChatServer() {
    raiseDescriptorLimit()
    let channel = LineChannel(0)
    let folder = Arguments.value("folder") ?? "."
    let started = Mutex<ChatServer?>(nil)
    runToEnd {
        let server = try await ChatServer(folder: folder)
        started.withLock { $0 = server }
    }
    guard let server = started.withLock({ $0 }) else { return }
    channel.say("port \(server.port)\n")
    // Blocks on the main thread, which nothing else needs.
    while let line = channel.line() {
        let answer = Mutex("")
        runToEnd {
            let text = try await server.answer(line)
            answer.withLock { $0 = text }
        }
        channel.say(answer.withLock { $0 })
    }
    exit(0)
}
