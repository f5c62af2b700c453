import Base
import Crypto
import Glibc
import Net
import Synchronization
import Testing
import Wire

/// One server and one loop for all tests here; both go with the process.
private enum Fixture {
    static let peer = Result { try PeerProcess("http_peer") }
    static let shard = Result { try Shard() }

    static func client(_ options: ConnectionOptions = ConnectionOptions()) throws -> CurlClient {
        CurlClient(loop: try shard.get(), options: options)
    }

    static func url(_ path: String) throws -> String { "http://127.0.0.1:\(try peer.get().port)\(path)" }
}

private func text(_ response: IncomingResponse) -> String { String(decoding: response.body, as: UTF8.self) }

@Suite(.enabled("needs python3") { PeerProcess.canRun }) struct HTTPClientTests {
    @Test func `an answer comes back with status, headers in lower case, and body`() async throws {
        let response = try await Fixture.client().send(OutgoingRequest(url: Fixture.url("/hello")))
        #expect(response.status == 200)
        #expect(text(response) == "hello")
        #expect(response.header("x-spaces") == "kept inside")
        #expect(response.header("content-length") == "5")
    }

    @Test(arguments: ["GET", "POST", "PUT", "PATCH", "DELETE"])
    func `method, headers and path go out as they were given`(_ method: String) async throws {
        let request = OutgoingRequest(
            method: method, url: try Fixture.url("/echo?a=%2F&b=./../c"),
            headers: [("X-One", "1"), ("X-Empty", ""), ("Content-Type", "application/json")])
        let lines = text(try await Fixture.client().send(request)).split(separator: "\n")
        #expect(lines.first == "\(method) /echo?a=%2F&b=./../c")
        #expect(lines.contains("x-one: 1"))
        #expect(lines.contains { $0.hasPrefix("x-empty:") })
        #expect(lines.contains("content-type: application/json"))
        #expect(!lines.contains { $0.hasPrefix("expect:") })
        #expect(lines[2] == "0")
    }

    @Test(arguments: ["POST", "PUT", "DELETE"])
    func `bytes are sent whole`(_ method: String) async throws {
        let body = SecureRandom.bytes(3_000_000)
        let request = OutgoingRequest(method: method, url: try Fixture.url("/echo"), body: .bytes(body))
        let lines = text(try await Fixture.client().send(request)).split(separator: "\n")
        #expect(lines[1] == Hex.encode(SHA256.hash(body)))
        #expect(lines[2] == "3000000")
        #expect(!lines.contains { $0.hasPrefix("content-type:") })
    }

    @Test func `a part of a file is sent, and a file that is shorter than promised fails`() async throws {
        let bytes = SecureRandom.bytes(500_000)
        let path = try CertificateFiles.write(bytes)
        defer { unlink(path) }
        var request = OutgoingRequest(
            method: "PUT", url: try Fixture.url("/echo"), body: .file(path: path, offset: 1_000, length: 400_000))
        let client = try Fixture.client()
        let lines = text(try await client.send(request)).split(separator: "\n")
        #expect(lines[1] == Hex.encode(SHA256.hash(Bytes(bytes[1_000..<401_000]))))
        request.body = .file(path: path, offset: 0, length: 500_001)
        await #expect(throws: TransportError.unreachable("the file to send became shorter")) {
            try await client.send(request)
        }
        request.body = .file(path: "/nonexistent", offset: 0, length: 1)
        await #expect(throws: TransportError.self) { try await client.send(request) }
    }

    /// The peer listens on the loopback: by name, by number, and as another system might write it.
    @Test(arguments: ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
    func `a client for others' addresses does not call the loopback, however it is written`(_ host: String) async throws
    {
        var options = ConnectionOptions()
        options.reachable = PublicAddresses()
        let request = OutgoingRequest(url: "http://\(host):\(try Fixture.peer.get().port)/hello")
        let client = try Fixture.client(options)
        await #expect(throws: TransportError.refusedAddress) { try await client.send(request) }
    }

    @Test func `what the operator allows besides is called`() async throws {
        var options = ConnectionOptions()
        options.reachable = PublicAddresses(allowed: [try #require(IPNetwork("127.0.0.0/8"))])
        let response = try await Fixture.client(options).send(OutgoingRequest(url: Fixture.url("/hello")))
        #expect(text(response) == "hello")
    }

    @Test(arguments: ["/large?n=100001", "/chunked?n=100001"])
    func `an answer above the limit is refused, with or without a length`(_ path: String) async throws {
        var request = OutgoingRequest(url: try Fixture.url(path), responseLimit: 100_000)
        let client = try Fixture.client()
        await #expect(throws: TransportError.tooLarge(limit: 100_000)) { try await client.send(request) }
        request.responseLimit = 100_001
        #expect(try await client.send(request).body.count == 100_001)
    }

    @Test func `a large answer comes in pieces to who wants pieces, who may stop it`() async throws {
        let client = try Fixture.client()
        let counted = Mutex((pieces: 0, bytes: 0))
        let request = OutgoingRequest(url: try Fixture.url("/chunked?n=1000000"))
        let response = try await client.send(request) { piece in
            counted.withLock { $0 = ($0.pieces + 1, $0.bytes + piece.count) }
        }
        #expect(response.status == 200 && response.body.isEmpty)
        #expect(counted.withLock { $0.bytes } == 1_000_000)
        #expect(counted.withLock { $0.pieces } > 10)
        await #expect(throws: TransportError.cancelled) {
            try await client.send(request) { _ in throw TransportError.cancelled }
        }
    }

    @Test func `a slow answer runs into the timeout, a cancelled task stops waiting`() async throws {
        let client = try Fixture.client()
        let started = Instant.now()
        await #expect(throws: TransportError.timedOut) {
            try await client.send(OutgoingRequest(url: Fixture.url("/slow"), timeout: .milliseconds(200)))
        }
        let task = Task { try await client.send(OutgoingRequest(url: Fixture.url("/slow"))) }
        try await Task.sleep(for: .milliseconds(100))
        task.cancel()
        await #expect(throws: TransportError.cancelled) { try await task.value }
        let early = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await client.send(OutgoingRequest(url: Fixture.url("/hello")))
        }
        await #expect(throws: TransportError.cancelled) { try await early.value }
        #expect(Instant.now() - started < .seconds(5))
    }

    @Test func `an answer that is cut is no answer`() async throws {
        await #expect(throws: TransportError.self) {
            try await Fixture.client().send(OutgoingRequest(url: Fixture.url("/cut")))
        }
    }

    @Test func `headers without end are refused`() async throws {
        await #expect(throws: TransportError.self) {
            try await Fixture.client().send(OutgoingRequest(url: Fixture.url("/headers?n=20")))
        }
    }

    @Test func `redirects are answers, not orders`() async throws {
        let response = try await Fixture.client().send(OutgoingRequest(url: Fixture.url("/redirect")))
        #expect(response.status == 302)
        #expect(response.header("location") == "/hello")
    }

    @Test(arguments: ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "", "http://", "nonsense"])
    func `other schemes and nonsense are refused`(_ url: String) async throws {
        await #expect(throws: TransportError.self) { try await Fixture.client().send(OutgoingRequest(url: url)) }
    }

    @Test(arguments: [("X-A", "1\r\nX-B: 2"), ("X-A\r\nX-B", "2"), ("", "1"), ("X A", "1"), ("X-A", "a\0b")])
    func `a header that would be two is refused`(_ name: String, _ value: String) async throws {
        await #expect(throws: TransportError.self) {
            try await Fixture.client().send(OutgoingRequest(url: Fixture.url("/hello"), headers: [(name, value)]))
        }
    }

    @Test func `nobody listening is unreachable, with the reason`() async throws {
        await #expect {
            try await Fixture.client().send(OutgoingRequest(url: "http://127.0.0.1:1/"))
        } throws: { error in
            guard case .unreachable(let reason) = error as? TransportError else { return false }
            return reason.contains("127.0.0.1")
        }
    }

    @Test func `a connection is used again, and many requests run at once`() async throws {
        let client = try Fixture.client()
        let request = OutgoingRequest(url: try Fixture.url("/hello"))
        let first = try await client.send(request).header("x-connection")
        #expect(try await client.send(request).header("x-connection") == first)
        let used = try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<100 { group.addTask { try await client.send(request).header("x-connection") } }
            return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
        }
        #expect(used.count <= 16)
        #expect(!used.contains(nil))
    }

    @Test func `a proxy is used when the operator says so`() async throws {
        var options = ConnectionOptions()
        options.proxy = try Fixture.url("")
        let client = try Fixture.client(options)
        let response = try await client.send(OutgoingRequest(url: "http://somewhere.invalid/hello"))
        // The name means nothing to anybody; the peer goes by the path of what it was asked.
        #expect(response.status == 200)
    }

    @Test func `TLS needs a certificate that is trusted, for that name`() async throws {
        let files = try CertificateFiles()
        let peer = try PeerProcess("http_peer", files.certificate, files.key)
        var options = ConnectionOptions()
        options.trustedCertificates = files.certificate
        let client = try Fixture.client(options)
        #expect(try await client.send(OutgoingRequest(url: "https://localhost:\(peer.port)/hello")).status == 200)
        await #expect(throws: TransportError.self) {
            try await client.send(OutgoingRequest(url: "https://127.0.0.1:\(peer.port)/hello"))
        }
        await #expect(throws: TransportError.self) {
            try await Fixture.client().send(OutgoingRequest(url: "https://localhost:\(peer.port)/hello"))
        }
    }
}

@Suite(.enabled("needs python3") { PeerProcess.canRun }) struct RequestSigningTests {
    private let signing = OutgoingRequest.Signing.awsV4(
        region: "eu-central-1", service: "s3", accessKey: "AKID", secretKey: Secret(text: "topsecret"))

    @Test(arguments: [
        ("GET", "/bucket"), ("GET", "/bucket/?list-type=2&prefix=a%2Fb%20c&max-keys=3"),
        ("DELETE", "/bucket/%C3%A4%2Bx"),
        ("GET", "/bucket/key?acl"), ("PUT", "/bucket/a/b/c"), ("HEAD", "/bucket/key"),
    ])
    func `another implementation agrees with the signature`(_ method: String, _ path: String) async throws {
        let body: OutgoingRequest.Body = method == "PUT" ? .bytes(SecureRandom.bytes(5_000)) : .none
        let request = OutgoingRequest(
            method: method, url: try Fixture.url(path), headers: [("x-amz-acl", "  private   data ")], body: body,
            signing: signing)
        let response = try await Fixture.client().send(request)
        #expect(response.status == 200, "\(text(response))")
    }

    @Test func `a file is sent unsigned, or under the hash that the caller knows`() async throws {
        let bytes = SecureRandom.bytes(200_000)
        let path = try CertificateFiles.write(bytes)
        defer { unlink(path) }
        var request = OutgoingRequest(
            method: "PUT", url: try Fixture.url("/bucket/file"), body: .file(path: path, offset: 0, length: 200_000),
            signing: signing)
        let client = try Fixture.client()
        #expect(try await client.send(request).body == bytes)
        request.headers = [("x-amz-content-sha256", Hex.encode(SHA256.hash(bytes)))]
        #expect(try await client.send(request).status == 200)
        request.headers = [("x-amz-content-sha256", Hex.encode(SHA256.hash([])))]
        #expect(try await client.send(request).status == 400)
    }

    @Test func `a wrong secret is refused by the other side`() async throws {
        let wrong = OutgoingRequest.Signing.awsV4(
            region: "eu-central-1", service: "s3", accessKey: "AKID", secretKey: Secret(text: "guess"))
        let request = OutgoingRequest(url: try Fixture.url("/bucket"), signing: wrong)
        #expect(try await Fixture.client().send(request).status == 403)
    }
}
