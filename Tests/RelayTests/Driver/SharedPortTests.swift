import Base
import Crypto
import Net
import Relay
import TestKit
import Testing
import Wire

/// An HTTP server whose neighbour is a relay on the same threads.
private struct SharedPort {
    let relay: RelayHarness
    let plain: UInt16
    let secure: UInt16

    static func run(_ body: (SharedPort) async throws -> Void) async throws {
        try await RelayHarness.run(shards: 2) { relay in
            let identity = try SelfSignedCertificate.make(names: ["localhost"], validFor: .hours(1))
            let tls = try TLSReloader { () throws(CryptoError) in
                try TLSContext.server(identity, applicationProtocols: ["http/1.1", RelayURL.alpn])
            }
            let any = Endpoint.tcp(RelayHarness.loopback, port: 0)
            let http = try await HTTPServer.start(
                [.init(any), .init(any, isSecure: true)], service: Greeter(), on: relay.group, tls: tls,
                neighbour: relay.server)
            let failure: (any Error)?
            do {
                try await body(
                    SharedPort(
                        relay: relay, plain: http.listening[0].endpoint.port ?? 0,
                        secure: http.listening[1].endpoint.port ?? 0))
                failure = nil
            } catch {
                failure = error
            }
            await http.stop(within: .zero)
            if let failure { throw failure }
        }
    }

    /// All that comes until the server ends the connection. `name` is asked for in the handshake; without it there is
    /// none.
    func answer(to request: String, of name: String? = nil) throws -> String {
        let tls = try name.map { try TLSContext.client(trusting: .anyone, applicationProtocols: [$0]) }
        let client = try LoopbackClient(port: tls == nil ? plain : secure, tls: tls)
        try client.send(request)
        return try client.receiveAll()
    }
}

private struct Greeter: HTTPService {
    func respond(to request: HTTPRequest) async -> HTTPResponse { HTTPResponse(.ok, body: .bytes(Bytes("hello".utf8))) }
    func refuse(_ fault: HTTPFault, path: String?) -> HTTPResponse { HTTPResponse(fault.status) }
}

@Suite(.serialized) struct SharedPortTests {
    @Test func `a client without TLS is told by its first byte, and is relayed`() async throws {
        try await SharedPort.run { shared in
            let report = await shared.relay.probe(RelayURL(.tcp, host: "localhost", port: shared.plain))
            #expect(report.isHealthy, "\(report)")
            #expect(report.isWell(.echo))
            let answer = try shared.answer(to: "GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 200") && answer.hasSuffix("hello"), "\(answer)")
        }
    }

    @Test func `a client that asks for it in its handshake is relayed`() async throws {
        try await SharedPort.run { shared in
            let report = await shared.relay.probe(RelayURL(.tls, host: "localhost", port: shared.secure)) {
                $0.trust = .anyone
            }
            #expect(report.isHealthy, "\(report)")
            #expect(report.isWell(.echo))
            let answer = try shared.answer(
                to: "GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n", of: "http/1.1")
            #expect(answer.hasPrefix("HTTP/1.1 200") && answer.hasSuffix("hello"), "\(answer)")
        }
    }

    @Test func `what was agreed in the handshake counts, not the first byte`() async throws {
        try await SharedPort.run { shared in
            let refusal = try shared.answer(to: "\0\u{1}\0\0", of: "http/1.1")
            #expect(refusal.hasPrefix("HTTP/1.1 400"), "\(refusal)")
            // HTTP's letters are no STUN: the connection ends without a word.
            let silence = try shared.answer(to: "GET / HTTP/1.1\r\n\r\n", of: "stun.turn")
            #expect(silence == "")
        }
    }

    @Test func `a relay that has stopped takes nobody over`() async throws {
        try await SharedPort.run { shared in
            await shared.relay.server.stop()
            let silence = try shared.answer(to: "\0\u{1}\0\0")
            #expect(silence == "")
        }
    }
}
