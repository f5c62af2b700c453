import Base
import Glibc
import Net
import Synchronization
import TestKit
import Testing
import Wire

/// The environment and the signals belong to the whole process.
@Suite(.serialized) struct ProcessTests {
    @Test func `signals come as events of a loop`() async throws {
        let shard = try Shard()
        let seen = Mutex<[ProcessSignal]>([])
        try await ProcessSignals.watch(on: shard) { signal in seen.withLock { $0.append(signal) } }
        kill(getpid(), SIGHUP)
        for _ in 0..<200 where seen.withLock({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(5)) }
        #expect(seen.withLock { $0 } == [.hangUp])
        shard.stop()
    }

    @Test func `tells the service manager`() throws {
        #expect(try ServiceManager.notify(.ready) == false)
        let path = "/tmp/plexi-notify-\(getpid())"
        let receiver = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(receiver, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(code == 0)
        setenv("NOTIFY_SOCKET", path, 1)
        defer {
            unsetenv("NOTIFY_SOCKET")
            unlink(path)
            close(receiver)
        }
        #expect(try ServiceManager.notify(.status("two\nlines")))
        var buffer = Bytes(repeating: 0, count: 256)
        let count = recv(receiver, &buffer, buffer.count, 0)
        #expect(String(decoding: buffer[..<max(count, 0)], as: UTF8.self) == "STATUS=two")
    }

    @Test func `knows how often it is to say that it lives`() {
        #expect(ServiceManager.watchdogInterval == nil)
        setenv("WATCHDOG_USEC", "3000000", 1)
        #expect(ServiceManager.watchdogInterval == .microseconds(1_500_000))
        setenv("WATCHDOG_PID", "1", 1)
        #expect(ServiceManager.watchdogInterval == nil)
        unsetenv("WATCHDOG_USEC")
        unsetenv("WATCHDOG_PID")
    }

    @Test func `sockets for another process are not taken`() {
        setenv("LISTEN_PID", "1", 1)
        setenv("LISTEN_FDS", "2", 1)
        #expect(ServiceManager.takeListeners().isEmpty)
        #expect(getenv("LISTEN_FDS") == nil)
    }

    private struct Hello: HTTPService {
        func respond(to request: HTTPRequest) async -> HTTPResponse {
            HTTPResponse(.ok, body: .bytes(Bytes("hello".utf8)))
        }
        func refuse(_ fault: HTTPFault, path: String?) -> HTTPResponse { HTTPResponse(fault.status) }
    }

    @Test func `serves on a socket that somebody else opened`() async throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        #expect(code == 0 && listen(descriptor, 16) == 0)
        let group = try ShardGroup(count: 2)
        let server = try await HTTPServer.start(
            [.init(.inherited(descriptor: descriptor))], service: Hello(), on: group)
        let port = try #require(server.listening[0].endpoint.port)
        for _ in 0..<4 {
            let client = try LoopbackClient(port: port)
            try client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(try client.receiveAnswer().text == "hello")
        }
        await server.stop(within: .milliseconds(100))
        group.stop()
    }

    @Test(arguments: [
        ("127.0.0.1:8000", "127.0.0.1:8000"), ("[::1]:80", "[::1]:80"), ("unix:/run/x.sock", "unix:/run/x.sock"),
        ("0.0.0.0:0", "0.0.0.0:0"),
    ])
    func `reads where to listen`(text: String, described: String) {
        #expect(Endpoint(text)?.description == described)
    }

    @Test(arguments: ["", "8000", ":8000", "::1:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "host:80"])
    func `refuses what is no place to listen`(text: String) {
        #expect(Endpoint(text) == nil)
    }
}
