import Base
import Crypto
import Net
import Synchronization
import TestKit
import Testing
import Wire

private struct Hello: HTTPService {
    func respond(to request: HTTPRequest) async -> HTTPResponse {
        if request.head.path == "/echo" {
            let body = try? await request.body.collect(upTo: 8 << 20)
            return HTTPResponse(.ok, body: .bytes(body ?? []))
        }
        return HTTPResponse(.ok, body: .bytes(Bytes("hello \(request.connection.isSecure)".utf8)))
    }
    func refuse(_ fault: HTTPFault, path: String?) -> HTTPResponse { HTTPResponse(fault.status) }
}

/// Certificates that a test can replace.
private final class Identities: Sendable {
    let current: Mutex<TLSIdentity>
    init() throws { current = Mutex(try SelfSignedCertificate.make(names: ["localhost"], validFor: .hours(1))) }
    func replace() throws -> TLSIdentity {
        let new = try SelfSignedCertificate.make(names: ["localhost"], validFor: .hours(1))
        current.withLock { $0 = new }
        return new
    }
    var identity: TLSIdentity { current.withLock { $0 } }
}

private func withSecureServer(
    _ options: HTTPServer.Options = HTTPServer.Options(),
    _ body: (UInt16, HTTPServer, TLSReloader, Identities) async throws -> Void
) async throws {
    let group = try ShardGroup(count: 1)
    let identities = try Identities()
    let reloader = try TLSReloader { () throws(CryptoError) in
        try TLSContext.server(identities.identity, applicationProtocols: ["http/1.1"])
    }
    let server = try await HTTPServer.start(
        [.init(.tcp(IPAddress(v4: 0x7F00_0001), port: 0), isSecure: true)], service: Hello(), on: group,
        options: options, tls: reloader)
    do {
        try await body(server.listening[0].endpoint.port ?? 0, server, reloader, identities)
    } catch {
        await server.stop(within: .zero)
        group.stop()
        throw error
    }
    await server.stop(within: .milliseconds(200))
    group.stop()
}

@Suite(.serialized) struct TLSServerTests {
    @Test(arguments: [TLSContext.Versions.tls12only, .tls13only])
    func `serves under TLS 1.2 and 1.3`(versions: TLSContext.Versions) async throws {
        try await withSecureServer { port, _, _, identities in
            let trust = TLSContext.Trust.certificates(identities.identity.certificateChain)
            let context = try TLSContext.client(
                trusting: trust, applicationProtocols: ["http/1.1"], versions: versions)
            let client = try LoopbackClient(port: port, tls: context)
            #expect(client.tlsVersion == (versions == .tls12only ? "TLSv1.2" : "TLSv1.3"))
            for _ in 0..<3 {
                try client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(try client.receiveAnswer().text == "hello true")
            }
            let body = Bytes((0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 11) })
            try client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.count)\r\n\r\n")
            try client.send(body)
            #expect(try client.receiveAnswer().body == body)
        }
    }

    @Test func `new connections get the reloaded certificate, open ones go on`() async throws {
        try await withSecureServer { port, _, reloader, identities in
            let old = try TLSContext.client(trusting: .certificates(identities.identity.certificateChain))
            let client = try LoopbackClient(port: port, tls: old)
            let new = try identities.replace()
            try reloader.reload()
            try client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(try client.receiveAnswer().status == 200)
            #expect(throws: (any Error).self) { try LoopbackClient(port: port, tls: old) }
            let trusting = try TLSContext.client(trusting: .certificates(new.certificateChain))
            let next = try LoopbackClient(port: port, tls: trusting)
            try next.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(try next.receiveAnswer().status == 200)
        }
    }

    @Test func `plain HTTP to a TLS port is ended`() async throws {
        try await withSecureServer { port, _, _, _ in
            let client = try LoopbackClient(port: port)
            try client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            _ = try? client.receiveAll()
            #expect(client.hasEnded)
        }
    }

    @Test func `a handshake that does not come is cut off`() async throws {
        var options = HTTPServer.Options()
        options.transport.handshake = .milliseconds(100)
        try await withSecureServer(options) { port, _, _, _ in
            let client = try LoopbackClient(port: port)
            #expect(try client.isEndedByServer())
        }
    }

    @Test func `ends with close_notify`() async throws {
        try await withSecureServer { port, _, _, identities in
            let trust = TLSContext.Trust.certificates(identities.identity.certificateChain)
            let client = try LoopbackClient(port: port, tls: try TLSContext.client(trusting: trust))
            try client.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            #expect(try client.receiveAnswer().status == 200)
            #expect(try client.receive().isEmpty)
            #expect(!client.hasEnded)  // the session ended, before the connection
        }
    }
}
