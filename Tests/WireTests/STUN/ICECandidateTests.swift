import Base
import Testing

@testable import Wire

@Suite struct ICECandidateTests {
    /// Rows where another parser is milder than the grammar: an empty foundation, a name without a value, a port that
    /// is none.
    private static let strict = [
        "candidate: 1 udp 500 127.0.0.1 80 typ host", " 1 udp 500 127.0.0.1 80 typ host",
        "candidate:0 1 TCP 2122252543 172.16.156.106 49760 typ host unsupported",
        "candidate:1 1 UDP 1685987071 24.23.204.141 54609 typ srflx raddr 192.168.1.4 rport 70000",
    ]
    /// Rows where another parser wants more than the grammar: a port with each related address.
    private static let mild = [
        "848194626 1 udp 16777215 50.0.0.1 5000 typ relay raddr 192.168.0.1 extension 322",
        "848194626 1 udp 16777215 50.0.0.1 5000 typ relay raddr 192.168.0.1",
    ]

    @Test func `lines of browsers and other parsers are read or refused`() throws {
        let bytes = VectorFolder("stun").bytes(of: "ice-candidates.json")
        let rows = try #require(try JSONValue(parsing: bytes, limits: JSONLimits(depth: 8, values: 10_000)).arrayValue)
        try #require(rows.count > 50)
        for row in rows {
            let line = try #require(row["candidate"]?.stringValue)
            let isWrong = row["error"]?.boolValue == true
            do throws(ICECandidateError) {
                let candidate = try ICECandidate(parsing: line)
                #expect(!isWrong || Self.mild.contains(line), "\(line)")
                #expect(try ICECandidate(parsing: candidate.line) == candidate, "\(line)")
            } catch {
                #expect(isWrong || error == .unsupported || Self.strict.contains(line), "\(line): \(error)")
            }
        }
    }

    @Test func `the parts of a line are where they belong`() throws {
        let line =
            "candidate:842163049 1 tcp 1677729535 2001:db8::1 9 typ srflx raddr 10.0.0.1 rport 0 tcptype active "
            + "generation 0 network-cost 50"
        let candidate = try ICECandidate(parsing: "a=" + line)
        #expect(candidate.foundation == "842163049" && candidate.component == 1)
        #expect(candidate.transport == .tcp(.active) && candidate.priority == 1_677_729_535)
        #expect(candidate.host == .address(try #require(IPAddress("2001:db8::1"))) && candidate.port == 9)
        #expect(candidate.kind == .serverReflexive && candidate.relatedPort == 0)
        #expect(candidate.extensions == [.init("generation", "0"), .init("network-cost", "50")])
        #expect(candidate.line == line)
    }

    @Test func `names stay names`() throws {
        let line = "candidate:1 1 udp 1 0b1c2d3e-aaaa-bbbb-cccc-000011112222.local 5000 typ host"
        #expect(try ICECandidate(parsing: line).host == .name("0b1c2d3e-aaaa-bbbb-cccc-000011112222.local"))
    }

    @Test(arguments: [
        "", "candidate:", "candidate:1", "candidate:1 1 udp 1 1.2.3.4 5 typ", "candidate:1 1 udp 1 1.2.3.4 5 type host",
        "candidate:1 0 udp 1 1.2.3.4 5 typ host", "candidate:1 257 udp 1 1.2.3.4 5 typ host",
        "candidate:1 1 udp 4294967296 1.2.3.4 5 typ host", "candidate:1 1 udp 99999999999 1.2.3.4 5 typ host",
        "candidate:1 1 udp 1 1.2.3.256 5 typ host", "candidate:1 1 udp 1 1.2.3.4 65536 typ host",
        "candidate:1 1 udp -1 1.2.3.4 5 typ host", "candidate:1  1 udp 1 1.2.3.4 5 typ host",
        "candidate:1 1 udp 1 1.2.3.4 5 typ host ", "candidate:1 1 udp 1 1.2.3.4 5 typ host alone",
        "candidate:123456789012345678901234567890123 1 udp 1 1.2.3.4 5 typ host",
        "candidate:1_ 1 udp 1 1.2.3.4 5 typ host", "candidate:1 1 tcp 1 1.2.3.4 5 typ host tcptype both",
    ])
    func `a line that is not of the grammar is malformed`(line: String) {
        do throws(ICECandidateError) {
            _ = try ICECandidate(parsing: line)
            Issue.record("accepted")
        } catch {
            #expect(error != .unsupported)
        }
    }

    @Test(arguments: [
        "candidate:1 1 ssltcp 1 1.2.3.4 443 typ host", "candidate:1 1 udp 1 1.2.3.4 5 typ future",
        "candidate:1 1 tcp 1 1.2.3.4 5 typ host",
    ])
    func `a candidate of another time is to be skipped`(line: String) {
        #expect(throws: ICECandidateError.unsupported) { try ICECandidate(parsing: line) }
    }

    @Test func `lengths and extensions are bounded`() throws {
        let head = "candidate:1 1 udp 1 1.2.3.4 5 typ host"
        let many = (0..<40).reduce(head) { line, index in line + " x\(index) y" }
        #expect(try ICECandidate(parsing: many).extensions.count == 16)
        let long = head + " x " + String(repeating: "y", count: 1_024)
        #expect(throws: ICECandidateError.self) { try ICECandidate(parsing: long) }
    }

    @Test func `our own candidate has the priority of the RFC`() throws {
        let address = TransportAddress(try #require(IPAddress("192.0.2.1")), 3_478)
        let candidate = ICECandidate(foundation: "1", address: address)
        #expect(candidate.line == "candidate:1 1 udp 2130706431 192.0.2.1 3478 typ host")
        #expect(try ICECandidate(parsing: candidate.line) == candidate)
    }

    @Test func `credentials are of the grammar, and ours are numbers`() throws {
        let own = ICECredentials(randomBytes: Bytes((0..<24).map { $0 &* 11 }))
        let password = String(decoding: own.password.exposedBytes, as: UTF8.self)
        #expect(own.ufrag.utf8.count == 8 && password.utf8.count == 24)
        #expect(own.localUfrag?.description == own.ufrag)
        // Every random bit is in them: their alphabet is that of Base64.
        #expect(Base64.decode(own.ufrag) == Bytes((0..<6).map { $0 &* 11 }))
        #expect(Base64.decode(password) == Bytes((6..<24).map { $0 &* 11 }))
        #expect(try ICECredentials(ufrag: own.ufrag, password: password).localUfrag == own.localUfrag)
        #expect(throws: WireError.self) { try ICECredentials(ufrag: "abc", password: password) }
        #expect(throws: WireError.self) { try ICECredentials(ufrag: "ab:d", password: password) }
        #expect(throws: WireError.self) { try ICECredentials(ufrag: "abcd", password: "short") }
        let other = try ICECredentials(ufrag: "abcd", password: password)
        #expect(other.localUfrag == nil)
    }
}
