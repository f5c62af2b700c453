import Base
import Glibc
import Net
import Synchronization
import TestKit
import Testing

@testable import Content

@Suite(.serialized) struct ClamdScannerTests {
    /// Runs `body` with a scanner of a clamd of this manner.
    private func with(
        _ manner: FakeClamd.Manner = .honest, streamMax: Int = 25 << 20, delay: Duration = .zero,
        _ change: (inout ClamdScanner.Options) -> Void = { _ in },
        _ body: (ClamdScanner, FakeClamd) async throws -> Void
    ) async throws {
        let shards = try ShardGroup(count: 1)
        let path = "/tmp/plexi-clamd-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        let clamd = try FakeClamd(path: path, manner, streamMax: streamMax, delay: delay)
        var options = ClamdScanner.Options()
        change(&options)
        let scanner = ClamdScanner(.local(path), on: shards.shards[0], options)
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(scanner, clamd))
        } catch {
            result = .failure(error)
        }
        clamd.stop()
        unlink(path)
        shards.stop()
        try result.get()
    }

    @Test func `a clean file is clean, an infected one is named`() async throws {
        try await with { scanner, clamd in
            #expect(await scanner.scan(Bytes("hello".utf8)) == .clean)
            #expect(await scanner.scan([]) == .clean)
            #expect(await scanner.scan(FakeClamd.virus) == .infected("Eicar-Test-Signature"))
            #expect(clamd.seen.streams == 3)
            #expect(await scanner.problem() == nil)
        }
    }

    @Test func `a large file goes through in bounded chunks, wherever the virus lies`() async throws {
        try await with { scanner, clamd in
            var large = Bytes(repeating: 0x20, count: 3 << 20)
            // Across the edge of two chunks.
            large.replaceSubrange(65_500..<(65_500 + FakeClamd.virus.count), with: FakeClamd.virus)
            #expect(await scanner.scan(large) == .infected("Eicar-Test-Signature"))
            #expect(clamd.seen.longestChunk == ClamdFormat.chunkBytesMax)
            // A source that gives piece after piece, empty ones among them.
            let rest = Mutex([Bytes("a".utf8), [], Bytes("b".utf8)])
            #expect(await scanner.scan { rest.withLock { $0.isEmpty ? nil : $0.removeFirst() } } == .clean)
        }
    }

    @Test func `a file that is too large for clamd is unavailable and not clean`() async throws {
        try await with(streamMax: 100_000) { scanner, _ in
            let verdict = await scanner.scan(Bytes(repeating: 1, count: 10 << 20))
            guard case .unavailable(let words) = verdict else {
                Issue.record("\(verdict)")
                return
            }
            #expect(words.contains("StreamMaxLength"))
        }
    }

    @Test(arguments: ["", "nonsense", "stream: FOUND", "stream: OK and more", "stream:  FOUND", "OK"])
    func `whatever else is answered is no verdict`(answer: String) async throws {
        try await with(.says(answer)) { scanner, _ in
            let verdict = await scanner.scan(Bytes("x".utf8))
            guard case .unavailable = verdict else {
                Issue.record("\(verdict)")
                return
            }
            #expect(await scanner.problem() != nil)
        }
    }

    @Test func `a clamd that hangs up or says nothing is unavailable`() async throws {
        try await with(.hangsUp) { scanner, _ in
            let verdict = await scanner.scan(Bytes(repeating: 1, count: 1 << 20))
            #expect(verdict == .unavailable("clamd closed the connection without a verdict"))
        }
        try await with(.silent, { $0.silence = .milliseconds(100) }) { scanner, _ in
            #expect(await scanner.scan(Bytes("x".utf8)) == .unavailable("clamd does not answer"))
        }
    }

    @Test func `without clamd the reason says what to look at`() async throws {
        let shards = try ShardGroup(count: 1)
        let scanner = ClamdScanner(.local("/nonexistent/clamd.ctl"), on: shards.shards[0])
        let problem = try #require(await scanner.problem())
        #expect(problem.contains("clamav-daemon"))
        shards.stop()
    }

    @Test func `what the source throws is no verdict`() async throws {
        struct Unreadable: Error {}
        try await with { scanner, _ in
            let verdict = await scanner.scan { throw Unreadable() }
            guard case .unavailable(let words) = verdict else {
                Issue.record("\(verdict)")
                return
            }
            #expect(words.contains("could not be read"))
        }
    }

    @Test func `many scans share few connections, and too many are refused`() async throws {
        let change: (inout ClamdScanner.Options) -> Void = {
            $0.scansMax = 3
            $0.waitingMax = 10
        }
        try await with(delay: .milliseconds(30), change) { scanner, clamd in
            let verdicts = await withTaskGroup(of: ScanVerdict.self) { group in
                for _ in 0..<40 { group.addTask { await scanner.scan(Bytes("x".utf8)) } }
                return await group.reduce(into: [ScanVerdict]()) { $0.append($1) }
            }
            #expect(verdicts.count == 40)
            #expect(verdicts.count { $0 == .clean } >= 13)
            #expect(verdicts.contains { $0 != .clean })
            #expect(clamd.seen.mostAtOnce == 3)
        }
    }

    @Test func `addresses are paths and numbers, never names`() {
        #expect(ClamdAddress("unix:/run/clamav/clamd.ctl") == .local("/run/clamav/clamd.ctl"))
        #expect(ClamdAddress("tcp:127.0.0.1:3310") == .network(ip: "127.0.0.1", port: 3310))
        #expect(ClamdAddress("tcp:[::1]:3310")?.description == "tcp:[::1]:3310")
        for text in ["", "unix:clamd", "tcp:localhost:3310", "tcp:3310", "tcp:127.0.0.1:0", "tcp:1.2.3.4", "tcp::3310"]
        {
            #expect(ClamdAddress(text) == nil)
        }
    }

    private static let places = ["/run/clamav/clamd.ctl", "/var/run/clamav/clamd.ctl"]
    private static let installed: String? = places.first { access($0, R_OK | W_OK) == 0 }

    @Test(.enabled(if: installed != nil, "clamd does not run here"))
    func `the real clamd knows the test file`() async throws {
        let shards = try ShardGroup(count: 1)
        let scanner = ClamdScanner(.local(Self.installed ?? ""), on: shards.shards[0])
        #expect(await scanner.problem() == nil)
        #expect(await scanner.scan(Bytes("hello".utf8)) == .clean)
        guard case .infected = await scanner.scan(FakeClamd.virus) else {
            Issue.record("the test file was not found")
            return
        }
        shards.stop()
    }
}
