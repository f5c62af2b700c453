// What chat costs over SQLite, without HTTP. With `PLEXI_PG` set, over PostgreSQL.
//
//   plexibench chat         --folder DIR --seconds 5         durable messages per second by 64 writers, into one
//                                                            conversation and into 64
//   plexibench chat-history --folder DIR --messages 1000000  pages of history and searches among so many

import Accounts
import Base
import Chat
import Glibc
import Net
import Store
import Synchronization
import TestKit

func benchmarkChat() { runChatBenchmark { try await $0.measurePosts() } }

func benchmarkChatHistory() { runChatBenchmark { try await $0.measureHistory() } }

private func runChatBenchmark(_ measure: @escaping @Sendable (ChatBenchmark) async throws -> Void) {
    runToEnd {
        if let connection = getenv("PLEXI_PG").map({ String(cString: $0) }) {
            let shards = try ShardGroup(count: 1)
            let database = try PostgreSQLDatabase(connection: Secret(text: connection), loops: shards.shards)
            print("PostgreSQL, one loop")
            try await ChatBenchmark(database).run(measure)
            await database.close()
            shards.stop()
            return
        }
        let path = (Arguments.value("folder") ?? ".") + "/plexibench-chat.db"
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
        let database = try SQLiteDatabase(.file(path))
        print("SQLite at \(path), WAL, synchronous=FULL")
        try await ChatBenchmark(database).run(measure)
        print("commits of \(database.transactions.current) transactions: \(database.commits.current)")
        await database.close()
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
    }
}

/// Counts what would go to sockets.
private final class CountingWorld: ChatEvents, CallGate {
    let delivered = Counter()

    func deliver(_ event: ChatEvent) { delivered.increment() }
    func notify(_ notice: ChatNotice, _ users: [UserID]) {}
    func cut(_ users: [UserID], from conversation: ConversationID) async {}
    func close(_ conversation: ConversationID) async {}
}

private struct ChatBenchmark: Sendable {
    private static let writers = 64
    /// Who fill a conversation: as many as share a COMMIT.
    private static let fillers = 256
    private static let words = (0..<5_000).map { "word\($0)" }

    let domain: TestAccounts
    let service: ChatService
    let seconds = Arguments.integer("seconds", default: 5)
    let messages = Arguments.integer("messages", default: 1_000_000)

    init(_ database: any Database) async throws {
        domain = try await TestAccounts.make(database)
        try await Migrations(AccountsSchema.migrations + ChatSchema.migrations).apply(to: database)
        let world = CountingWorld()
        service = ChatService(database: database, accounts: domain.service, gate: world, events: world)
    }

    func run(_ measure: @Sendable (ChatBenchmark) async throws -> Void) async throws {
        try await measure(self)
        await domain.service.stop()
    }

    private func people(_ count: Int) async throws -> [Principal] {
        var people: [Principal] = []
        for index in 0..<count {
            people.append(try await domain.principal(try await domain.register("writer\(index)")))
        }
        return people
    }

    func measurePosts() async throws {
        let people = try await people(Self.writers)
        let one = try await conversation(people[0], people)
        try await post("64 writers, one conversation", people) { _ in one }
        var many: [ConversationID] = []
        for person in people { many.append(try await conversation(person, [])) }
        let conversations = many
        try await post("64 writers, 64 conversations", people) { conversations[$0] }
    }

    func measureHistory() async throws {
        let people = try await people(Self.fillers)
        let one = try await conversation(people[0], people)
        try await fill(one, people)
        try await readHistory(one, people[0])
        try await searchWords(one, people[0])
    }

    private func conversation(_ owner: Principal, _ members: [Principal]) async throws -> ConversationID {
        let new = NewConversation(type: .channel, title: "Bench", members: members.map(\.user))
        let view = try await service.create(new, by: owner)
        return view.conversation.id
    }

    /// A hundred bytes, as people write them: common words often, others seldom.
    private static func text() -> String {
        (0..<14).map { _ in words[min(Int.random(in: 0..<words.count), Int.random(in: 0..<words.count))] }
            .joined(separator: " ")
    }

    private func post(
        _ name: String, _ people: [Principal], _ place: @escaping @Sendable (Int) -> ConversationID
    ) async throws {
        let latencies = Latencies()
        let end = Instant.now() + .seconds(seconds)
        let begin = Instant.now()
        var used = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &used)
        let before = Self.cpu(used)
        try await withThrowingTaskGroup { group in
            for (index, person) in people.enumerated() {
                group.addTask {
                    var durations: [Duration] = []
                    let text = Self.text()
                    while Instant.now() < end {
                        let start = Instant.now()
                        _ = try await service.send(NewMessage(.plain(text)), to: place(index), by: person)
                        durations.append(Instant.now() - start)
                    }
                    latencies.add(durations)
                }
            }
            try await group.waitForAll()
        }
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &used)
        let time = (Instant.now() - begin).inSeconds
        let perMessage = (Self.cpu(used) - before) / Double(max(1, latencies.count)) * 1e6
        let rate = Int(Double(latencies.count) / time)
        print("\(name): \(rate)/s, \(Int(perMessage)) µs of CPU each, \(latencies.summary)")
    }

    private static func cpu(_ used: rusage) -> Double {
        Double(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + Double(used.ru_utime.tv_usec + used.ru_stime.tv_usec)
            / 1e6
    }

    private func fill(_ id: ConversationID, _ people: [Principal]) async throws {
        let begin = Instant.now()
        let each = messages / people.count
        try await withThrowingTaskGroup { group in
            for person in people {
                group.addTask {
                    for _ in 0..<each {
                        _ = try await service.send(NewMessage(.plain(Self.text())), to: id, by: person)
                    }
                }
            }
            try await group.waitForAll()
        }
        let rate = Int(Double(each * people.count) / (Instant.now() - begin).inSeconds)
        print("\(each * people.count) messages by \(people.count) writers: \(rate)/s")
    }

    private func readHistory(_ id: ConversationID, _ principal: Principal) async throws {
        let count = Int(try await service.conversation(id, for: principal).conversation.messageCount)
        try await measure("page of 50 in \(count) messages, any place") {
            let query = HistoryQuery(.skipping(Int.random(in: 0..<count)), limit: 50)
            let page = try await service.history(of: id, query, for: principal)
            precondition(page.total == Int64(count), "messages are missing")
        }
        try await measure("newest page of 50") {
            _ = try await service.history(of: id, HistoryQuery(limit: 50), for: principal)
        }
        try await measure("list of conversations") {
            _ = try await service.conversations(ConversationFilter(limit: 20), for: principal)
        }
    }

    private func searchWords(_ id: ConversationID, _ principal: Principal) async throws {
        try await measure("search for two words") {
            let words = "\(Self.words.randomElement() ?? "") \(Self.words.randomElement() ?? "")"
            _ = try await service.search(SearchQuery(.words(words + " "), in: id, limit: 20), for: principal)
        }
        try await measure("search for a common word") {
            _ = try await service.search(SearchQuery(.words("word0 "), in: id, limit: 20), for: principal)
        }
        try await measure("search for a common beginning") {
            _ = try await service.search(SearchQuery(.words("word1"), in: id, limit: 20), for: principal)
        }
    }

    private func measure(_ name: String, _ operation: @Sendable () async throws -> Void) async throws {
        let latencies = Latencies()
        var durations: [Duration] = []
        for _ in 0..<200 {
            let start = Instant.now()
            try await operation()
            durations.append(Instant.now() - start)
        }
        latencies.add(durations)
        print("\(name): \(latencies.summary)")
    }
}
