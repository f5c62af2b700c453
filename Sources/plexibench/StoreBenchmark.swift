// `plexibench store [--folder DIR] [--seconds N] [--connection PLEXI_PG]`: commits and reads per second.
//
// The figures of one run belong together: the bare sync rate of the same disk is measured first, then one writer, who
// pays a sync per commit, and sixty-four, who share them.

import Base
import Glibc
import Net
import Store

func benchmarkStore() {
    runToEnd {
        let seconds = Arguments.integer("seconds", default: 3)
        if let connection = getenv("PLEXI_PG").map({ String(cString: $0) }) ?? Arguments.value("connection") {
            let shards = try ShardGroup(count: 1)
            let database = try PostgreSQLDatabase(connection: Secret(text: connection), loops: shards.shards)
            print("PostgreSQL, one loop")
            try await StoreBenchmark(database: database, seconds: seconds).run()
            await database.close()
            shards.stop()
            return
        }
        let path = (Arguments.value("folder") ?? ".") + "/plexibench-store.db"
        removeDatabase(path)
        StoreBenchmark.measureSyncs(path + ".sync", seconds: 1)
        let database = try SQLiteDatabase(.file(path))
        print("SQLite at \(path), WAL, synchronous=FULL")
        try await StoreBenchmark(database: database, seconds: seconds).run()
        print("commits of \(database.transactions.current) transactions: \(database.commits.current)")
        await database.close()
        removeDatabase(path)
    }
}

private func removeDatabase(_ path: String) {
    for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
}

private struct StoreBenchmark: Sendable {
    let database: any Database
    let seconds: Int

    func run() async throws {
        let setup = Migration(
            name: "bench-0001",
            sql: ["CREATE TABLE IF NOT EXISTS bench (id BLOB NOT NULL PRIMARY KEY, body TEXT NOT NULL) STRICT"])
        try await Migrations([setup]).apply(to: database)
        let single = try await write(writers: 1)
        var ratio = 0.0
        for writers in [8, 64, 256] {
            let rate = try await write(writers: writers)
            if writers == 64 { ratio = rate / single }
        }
        print("64 writers commit \(Int(ratio * 10) / 10).\(Int(ratio * 10) % 10) times as much as one")
        let keys = try await keys()
        for readers in [1, 64] { try await read(readers: readers, keys) }
        async let load = write(writers: 64)
        try await read(readers: 64, keys)
        _ = try await load
        try await database.execute("DROP TABLE bench")
        try await database.execute("DELETE FROM schema_migrations WHERE name = \("bench-0001")")
    }

    /// What the disk does when it is asked to sync after every 4 KiB: the floor under one writer.
    static func measureSyncs(_ path: String, seconds: Int) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer {
            close(descriptor)
            unlink(path)
        }
        let page = Bytes(repeating: 7, count: 4_096)
        let end = Instant.now() + .seconds(seconds)
        var count = 0
        while Instant.now() < end {
            guard pwrite(descriptor, page, page.count, off_t(count % 1_000 * page.count)) == page.count else { return }
            guard fdatasync(descriptor) == 0 else { return }
            count += 1
        }
        print("bare 4 KiB write and fdatasync: \(count / seconds)/s")
    }

    private func write(writers: Int) async throws -> Double {
        let body = String(repeating: "x", count: 100)
        return try await measure("\(writers) writers", tasks: writers) {
            try await database.execute(
                "INSERT INTO bench (id, body) VALUES (\(UUID.timeOrdered(at: .now())), \(body))")
        }
    }

    private func read(readers: Int, _ keys: [Bytes]) async throws {
        _ = try await measure("\(readers) readers", tasks: readers) {
            let key = keys[Int.random(in: 0..<keys.count)]
            let rows = try await database.query("SELECT body FROM bench WHERE id = \(key)")
            precondition(rows.count == 1, "a row is missing")
        }
    }

    private func keys() async throws -> [Bytes] {
        var keys: [Bytes] = []
        for row in try await database.query("SELECT id FROM bench LIMIT 10000") { keys.append(try row.blob(0)) }
        return keys
    }

    /// Runs `operation` over and over in so many tasks. Returns operations per second.
    private func measure(
        _ name: String, tasks: Int, _ operation: @escaping @Sendable () async throws -> Void
    ) async throws -> Double {
        let latencies = Latencies()
        let begin = Instant.now()
        let end = begin + .seconds(seconds)
        try await withThrowingTaskGroup { group in
            for _ in 0..<tasks {
                group.addTask {
                    var durations: [Duration] = []
                    while Instant.now() < end {
                        let start = Instant.now()
                        try await operation()
                        durations.append(Instant.now() - start)
                    }
                    latencies.add(durations)
                }
            }
            try await group.waitForAll()
        }
        let rate = Double(latencies.count) / (Instant.now() - begin).inSeconds
        print("\(name): \(Int(rate))/s, \(latencies.summary)")
        return rate
    }
}
