import Base
import Relay
import TestKit
import Testing
import Wire

/// A relay that reaches two public addresses: what most tests need.
func openStage(_ change: (inout RelaySettings) -> Void = { _ in }) -> RelayStage {
    var settings = RelayStage.settings()
    change(&settings)
    guard let policy = PeerPolicy(.open) else { preconditionFailure("an empty policy") }
    return RelayStage(settings: settings, policy: policy)
}

let peer4 = TransportAddress(IPAddress(v4: 0x0808_0808), 5_000)
let other4 = TransportAddress(IPAddress(v4: 0x0101_0101), 6_000)
let peer6 = TransportAddress(IPAddress(v6: 0x2A01_0000_0000_0000, 9), 7_000)

@Suite struct AllocateTests {
    @Test(arguments: RelayTestClient.Style.allCases)
    func `the first request is challenged, the second is served`(style: RelayTestClient.Style) throws {
        let stage = openStage { $0.understandsUserhash = true }
        let client = RelayTestClient(stage, style: style)
        stage.engine.announce(name: String(decoding: client.name, as: UTF8.self), wallClock: stage.wallClock)
        stage.client(client.bare(.allocate), from: client.path)
        let challenge = try #require(stage.answer())
        #expect(challenge.code == .unauthenticated && !challenge.has(.software))
        #expect(challenge.value(.realm) == Bytes("plexichat".utf8))
        #expect(challenge.value(.passwordAlgorithms) == [0, 2, 0, 0, 0, 1, 0, 0])
        #expect(stage.engine.allocationCount == 0)

        let answer = try #require(client.allocate())
        #expect(answer.isSuccess && answer.isAuthentic(client.key, client.integrity))
        #expect(answer.address(.xorMappedAddress) == client.path.remote)
        #expect(answer.address(.xorRelayedAddress)?.ip == RelayStage.v4)
        #expect(answer.uint32(.lifetime) == 600)
        #expect(stage.engine.allocationCount == 1 && stage.sockets.count == 1)
    }

    @Test func `a repeated Allocate gets the same bytes, another one 437`() throws {
        let stage = openStage()
        let client = RelayTestClient(stage)
        client.fetchNonce()
        let request = client.message(.allocate) { $0.add(.requestedTransport, UInt32(17) << 24) }
        stage.client(request, from: client.path)
        let first = try #require(stage.answer())
        stage.tick(after: .seconds(1))
        stage.client(request, from: client.path)
        #expect(stage.answer()?.bytes == first.bytes)
        #expect(client.allocate()?.code == .allocationMismatch)
        #expect(stage.engine.allocationCount == 1)
    }

    @Test func `a repetition while the socket is opened is not a second allocation`() throws {
        let stage = openStage()
        stage.opening = .waits
        let client = RelayTestClient(stage)
        client.fetchNonce()
        let request = client.message(.allocate) { $0.add(.requestedTransport, UInt32(17) << 24) }
        stage.client(request, from: client.path)
        stage.client(request, from: client.path)
        #expect(stage.take().isEmpty && stage.engine.allocationCount == 1)
        let commands = stage.takeCommands()
        guard commands.count == 1, case .open(let order) = commands[0] else {
            Issue.record("one socket is ordered")
            return
        }
        stage.answer(order)
        stage.drain()
        #expect(stage.answer()?.isSuccess == true)
    }

    @Test(
        arguments: [
            (17, 0, 600), (17, 1, 600), (17, 700, 700), (17, 1_000_000, 3_600), (17, UInt32.max, 3_600),
        ] as [(UInt32, UInt32, UInt32)])
    func `lifetimes are between the default and the most`(protocolNumber: UInt32, asked: UInt32, granted: UInt32) {
        let stage = openStage()
        let client = RelayTestClient(stage)
        #expect(client.allocate { $0.add(.lifetime, asked) }?.uint32(.lifetime) == granted)
    }

    @Test func `both families at once, and each alone`() throws {
        let stage = openStage()
        let dual = RelayTestClient(stage, port: 1)
        let both = try #require(dual.allocate { $0.add(.additionalAddressFamily, UInt32(2) << 24) })
        #expect(both.addresses(.xorRelayedAddress).map(\.ip) == [RelayStage.v4, RelayStage.v6])
        let six = RelayTestClient(stage, port: 2)
        let alone = try #require(six.allocate { $0.add(.requestedAddressFamily, UInt32(2) << 24) })
        #expect(alone.addresses(.xorRelayedAddress).map(\.ip) == [RelayStage.v6])
        #expect(six.permit(peer4)?.code == .peerAddressFamilyMismatch)
        #expect(dual.permit(peer4, peer6)?.isSuccess == true)
    }

    @Test(arguments: [true, false])
    func `an additional family as the drafts had it counts with old numbers only`(isTaken: Bool) throws {
        let stage = openStage { $0.acceptsOldNumbers = isTaken }
        let client = RelayTestClient(stage)
        let answer = try #require(client.allocate { $0.add(.draftAdditionalAddressFamily, UInt32(2) << 24) })
        #expect(answer.addresses(.xorRelayedAddress).map(\.ip) == [RelayStage.v4] + (isTaken ? [RelayStage.v6] : []))
        let refreshed = client.ask(.refresh) { $0.add(.requestedAddressFamily, UInt32(2) << 24) }
        #expect(isTaken ? refreshed?.isSuccess == true : refreshed?.code == .peerAddressFamilyMismatch)
        #expect(client.permit(peer4)?.isSuccess == true)
        let wrong = RelayTestClient(stage, port: 2)
        let both = wrong.allocate {
            $0.add(.requestedAddressFamily, UInt32(1) << 24)
            $0.add(.draftAdditionalAddressFamily, UInt32(2) << 24)
        }
        #expect(isTaken ? both?.code == .badRequest : both?.isSuccess == true)
    }

    @Test func `of two families the one that there is not is named`() throws {
        let stage = openStage()
        stage.opening = .knowsNoV6
        let dual = RelayTestClient(stage)
        let answer = try #require(dual.allocate { $0.add(.additionalAddressFamily, UInt32(2) << 24) })
        #expect(answer.isSuccess && answer.addresses(.xorRelayedAddress).count == 1)
        #expect(answer.value(.addressErrorCode) == [2, 0, 4, 40])
        let alone = RelayTestClient(stage, port: 2)
        #expect(alone.allocate { $0.add(.requestedAddressFamily, UInt32(2) << 24) }?.code == .addressFamilyNotSupported)
        #expect(stage.engine.allocationCount == 1 && stage.sockets.count == 1)
    }

    @Test func `one family of two is given up alone`() throws {
        let stage = openStage()
        let client = RelayTestClient(stage)
        _ = client.allocate { $0.add(.additionalAddressFamily, UInt32(2) << 24) }
        let answer = client.ask(.refresh) {
            $0.add(.lifetime, UInt32(0))
            $0.add(.requestedAddressFamily, UInt32(2) << 24)
        }
        #expect(answer?.isSuccess == true && stage.sockets.count == 1 && stage.engine.allocationCount == 1)
        #expect(client.permit(peer6)?.code == .peerAddressFamilyMismatch)
        #expect(client.permit(peer4)?.isSuccess == true)
    }

    @Test func `a pair of ports: an even one, and its successor for who brings the token`() throws {
        let stage = openStage()
        let first = RelayTestClient(stage, port: 1)
        let answer = try #require(first.allocate { $0.add(.evenPort, Bytes([0x80]).span.bytes) })
        let even = try #require(answer.address(.xorRelayedAddress))
        let token = try #require(answer.value(.reservationToken))
        #expect(even.port % 2 == 0 && token.count == 8)

        let thief = RelayTestClient(stage, session: "mallory", port: 2)
        #expect(thief.allocate { $0.add(.reservationToken, token.span.bytes) }?.code == .wrongCredentials)
        let second = RelayTestClient(stage, port: 3)
        let next = try #require(second.allocate { $0.add(.reservationToken, token.span.bytes) })
        #expect(next.address(.xorRelayedAddress)?.port == even.port + 1)
        let late = RelayTestClient(stage, port: 4)
        #expect(late.allocate { $0.add(.reservationToken, token.span.bytes) }?.code == .insufficientCapacity)
        #expect(stage.engine.allocationCount == 2)
    }

    @Test func `what was reserved and not claimed is given back`() throws {
        let stage = openStage()
        let client = RelayTestClient(stage)
        let answer = try #require(client.allocate { $0.add(.evenPort, Bytes([0x80]).span.bytes) })
        let token = try #require(answer.value(.reservationToken))
        stage.tick(after: .seconds(32))
        #expect(stage.engine.allocationCount == 1 && stage.sockets.count == 1)
        let late = RelayTestClient(stage, port: 4)
        #expect(late.allocate { $0.add(.reservationToken, token.span.bytes) }?.code == .insufficientCapacity)
    }

    private struct Wrong: CustomTestStringConvertible {
        let testDescription: String
        let code: STUNErrorCode
        let add: @Sendable (inout STUNWriter) -> Void
    }

    @Test func `what an Allocate may not ask for`() {
        let rows: [Wrong] = [
            Wrong(testDescription: "no transport", code: .badRequest) { _ in },
            Wrong(testDescription: "an unknown transport", code: .unsupportedTransport) {
                $0.add(.requestedTransport, UInt32(99) << 24)
            },
            Wrong(testDescription: "TCP over UDP", code: .badRequest) { $0.add(.requestedTransport, UInt32(6) << 24) },
            Wrong(testDescription: "two ways of families", code: .badRequest) {
                $0.add(.requestedTransport, UInt32(17) << 24)
                $0.add(.requestedAddressFamily, UInt32(1) << 24)
                $0.add(.additionalAddressFamily, UInt32(2) << 24)
            },
            Wrong(testDescription: "an additional IPv4", code: .badRequest) {
                $0.add(.requestedTransport, UInt32(17) << 24)
                $0.add(.additionalAddressFamily, UInt32(1) << 24)
            },
            Wrong(testDescription: "an unknown family", code: .addressFamilyNotSupported) {
                $0.add(.requestedTransport, UInt32(17) << 24)
                $0.add(.requestedAddressFamily, UInt32(9) << 24)
            },
            Wrong(testDescription: "a token and an even port", code: .badRequest) {
                $0.add(.requestedTransport, UInt32(17) << 24)
                $0.add(.reservationToken, UInt64(7))
                $0.add(.evenPort, Bytes([0x80]).span.bytes)
            },
            Wrong(testDescription: "a pair of ports in two families", code: .badRequest) {
                $0.add(.requestedTransport, UInt32(17) << 24)
                $0.add(.additionalAddressFamily, UInt32(2) << 24)
                $0.add(.evenPort, Bytes([0x80]).span.bytes)
            },
            Wrong(testDescription: "a token of nobody", code: .insufficientCapacity) {
                $0.add(.requestedTransport, UInt32(17) << 24)
                $0.add(.reservationToken, UInt64(7))
            },
            Wrong(testDescription: "an unknown attribute", code: .unknownAttribute) {
                $0.add(.requestedTransport, UInt32(17) << 24)
                $0.add(STUNAttributeType(rawValue: 0x7777), UInt32(1))
            },
            Wrong(testDescription: "a ticket to begin with", code: .badRequest) {
                $0.add(.requestedTransport, UInt32(17) << 24)
                $0.add(.mobilityTicket, UInt32(1))
            },
        ]
        let stage = openStage()
        let client = RelayTestClient(stage)
        for row in rows {
            let answer = client.ask(.allocate, row.add)
            #expect(answer?.code == row.code, "\(row.testDescription)")
            #expect(answer?.isAuthentic(client.key) == true, "\(row.testDescription)")
        }
        #expect(stage.engine.allocationCount == 0 && stage.sockets.isEmpty)
    }

    @Test func `DONT-FRAGMENT is unknown where it cannot be done`() {
        let stage = openStage { $0.canSetDontFragment = false }
        let client = RelayTestClient(stage)
        let answer = client.allocate { $0.add(flag: .dontFragment) }
        #expect(answer?.code == .unknownAttribute)
        #expect(answer?.value(.unknownAttributes) == [0x00, 0x1A])
    }

    @Test func `an allocation ends by its own wish, by time, and with its connection`() {
        let stage = openStage()
        let first = RelayTestClient(stage, port: 1)
        _ = first.allocate()
        let gone = first.refresh(0)
        #expect(gone?.isSuccess == true && gone?.uint32(.lifetime) == 0 && stage.engine.allocationCount == 0)
        #expect(first.refresh(0)?.code == .allocationMismatch)

        _ = first.allocate()
        stage.tick(after: .seconds(500))
        #expect(first.refresh(600)?.uint32(.lifetime) == 600)
        stage.tick(after: .seconds(599))
        #expect(stage.engine.allocationCount == 1)
        stage.tick(after: .seconds(3))
        #expect(stage.engine.allocationCount == 0 && stage.sockets.isEmpty && stage.engine.nextDeadline == nil)
        #expect(stage.engine.counters.expired == 1 && stage.engine.counters.released == 1)

        let stream = RelayTestClient(stage, port: 2, transport: .tcp)
        _ = stream.allocate()
        stage.engine.connectionClosed(stream.path, now: stage.now)
        stage.drain()
        #expect(stage.engine.allocationCount == 0 && stage.sockets.isEmpty)
    }

    @Test func `an allocation that is over makes room before anybody has looked`() {
        let stage = openStage()
        let client = RelayTestClient(stage)
        _ = client.allocate()
        stage.now = stage.now + .seconds(601)
        #expect(client.refresh(600)?.code == .allocationMismatch)
        #expect(client.allocate()?.isSuccess == true && stage.engine.allocationCount == 1)
    }

    @Test func `a socket that comes after its allocation has gone is closed`() {
        let stage = openStage()
        stage.opening = .waits
        let client = RelayTestClient(stage, port: 2, transport: .tcp)
        _ = client.allocate()
        let commands = stage.takeCommands()
        stage.engine.connectionClosed(client.path, now: stage.now)
        stage.drain()
        guard case .open(let order)? = commands.first else {
            Issue.record("a socket is ordered")
            return
        }
        #expect(stage.takeCommands() == [.close(order.relay)])
        #expect(!stage.engine.relayOpened(order.relay, at: peer4, next: nil, now: stage.now))
        #expect(stage.engine.outbox.isEmpty && stage.engine.allocationCount == 0)
    }
}
