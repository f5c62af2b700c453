import Base
import Relay
import TestKit
import Testing
import Wire

@Suite struct PolicyTests {
    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
    private func networks(_ texts: String...) -> [IPNetwork] { texts.compactMap { IPNetwork($0) } }

    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.1",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.31.196.1",
        "192.52.193.1", "192.88.99.1", "192.168.1.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::2", "64:ff9b::1", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:1::1", "2001:2::1",
        "2001:3::1", "2001:4:112::1", "2001:10::1", "2001:20::1", "2001:30::1", "2001:db8::1", "2002::1",
        "2620:4f:8000::1", "3fff::1", "5f00::1", "fc00::1", "fdff::1", "fe80::1", "fec0::1", "ff02::1",
    ])
    func `the special-purpose registries are denied`(text: String) throws {
        let policy = try #require(PeerPolicy(.open))
        #expect(try !policy.allows(address(text)))
    }

    @Test(arguments: [
        "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "172.15.255.255",
        "172.32.0.0", "192.0.1.1", "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255",
        "2001:200::1", "2606:4700::1111", "2a00::1", "2001:db9::1", "3ffe::1",
    ])
    func `the rest of the Internet is not`(text: String) throws {
        let policy = try #require(PeerPolicy(.open))
        #expect(try policy.allows(address(text)))
    }

    /// Each writes 127.0.0.1, in a network that an operator has allowed.
    @Test(arguments: [
        "::ffff:127.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b:1::127.0.0.1",
        "64:ff9b:1:7f00:0:1::", "64:ff9b:1:007f:0000:0001::", "64:ff9b:1:0:7f:0:100::", "2002:7f00:1::",
        "2001:0:808:808::80ff:fffe", "2001:0:7f00:1::f7f7:f7f7", "2a00::5efe:127.0.0.1", "2a00::200:5efe:127.0.0.1",
    ])
    func `an address within an address is judged too`(text: String) throws {
        let everySix = try #require(PeerPolicy(.open, allowed: networks("::/0")))
        #expect(try !everySix.allows(address(text)))
        let both = try #require(
            PeerPolicy(.open, denied: networks("127.0.0.0/8"), allowed: networks("::/0", "0.0.0.0/0")))
        #expect(try !both.allows(address(text)))
        let all = try #require(PeerPolicy(.open, allowed: networks("::/0", "0.0.0.0/0")))
        #expect(try all.allows(address(text)))
    }

    @Test func `what is configured as denied stays denied, what is allowed is allowed`() throws {
        let policy = try #require(
            PeerPolicy(.open, denied: networks("8.8.0.0/16"), allowed: networks("10.0.0.0/8", "8.8.8.8/32")))
        #expect(try !policy.allows(address("8.8.8.8")) && policy.allows(address("8.9.8.8")))
        #expect(try policy.allows(address("10.9.8.7")) && !policy.allows(address("192.168.0.1")))
        #expect(try !policy.allows(address("64:ff9b::8.8.8.8")))
    }

    @Test func `our own sockets are no peers`() throws {
        let own = TransportAddress(try address("10.0.0.5"), 8_080)
        let policy = try #require(PeerPolicy(.open, allowed: networks("10.0.0.0/8"), listeners: [own]))
        #expect(!policy.allows(own))
        #expect(try policy.allows(TransportAddress(address("10.0.0.5"), 8_081)))
        #expect(try !policy.allows(TransportAddress(address("8.8.8.8"), 0)))
    }

    @Test func `by default only media sockets are reached`() throws {
        let sfu = PeerEndpoints(try address("10.0.0.5"), ports: 40_000...40_003)
        let policy = try #require(PeerPolicy(.sfuOnly([sfu, PeerEndpoints(try address("10.0.0.5"), ports: 9...9)])))
        for port: UInt16 in [40_000, 40_003, 9] {
            #expect(try policy.allows(TransportAddress(address("10.0.0.5"), port)))
        }
        // The database, the metrics, the management of the same machine; the rest of the world.
        for port: UInt16 in [5_432, 9_090, 80, 443, 39_999, 40_004] {
            #expect(try !policy.allows(TransportAddress(address("10.0.0.5"), port)))
        }
        #expect(try !policy.allows(address("8.8.8.8")) && policy.allows(address("10.0.0.5")))
        #expect(try !policy.allows(address("64:ff9b::10.0.0.5")))
        #expect(try !PeerPolicy.nobody.allows(address("10.0.0.5")))
    }

    @Test func `lists have bounds`() throws {
        let many = (0...1_024).compactMap { IPNetwork(IPAddress(v4: UInt32($0)), prefixLength: 32) }
        #expect(PeerPolicy(.open, denied: many) == nil && PeerPolicy(.open, allowed: many) == nil)
        #expect(PeerPolicy(.open, denied: Array(many.dropLast())) != nil)
    }

    // MARK: At the engine

    private func stage() throws -> RelayStage {
        let sfu = PeerEndpoints(try address("10.0.0.5"), ports: 40_000...40_003)
        return RelayStage(policy: try #require(PeerPolicy(.sfuOnly([sfu]))))
    }

    @Test(arguments: ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.6", "8.8.8.8"])
    func `CreatePermission, ChannelBind and Connect refuse alike`(text: String) throws {
        let stage = try stage()
        let peer = TransportAddress(try address(text), 40_000)
        let client = RelayTestClient(stage, port: 1)
        _ = client.allocate()
        #expect(client.permit(peer)?.code == .forbidden)
        #expect(client.bind(0x4000, to: peer)?.code == .forbidden)
        let stream = RelayTestClient(stage, port: 2, transport: .tcp)
        _ = stream.ask(.allocate) { $0.add(.requestedTransport, UInt32(6) << 24) }
        #expect(stream.ask(.connect) { $0.add(.xorPeerAddress, xor: peer) }?.code == .forbidden)
        #expect(stage.engine.permissionCount == 0 && stage.engine.channelCount == 0)
        #expect(stage.engine.counters[.forbiddenPeer] == 3)
    }

    @Test func `a mapped address from the wire is an IPv4 address`() throws {
        // Written by hand: family IPv6, ::ffff:127.0.0.1.
        let stage = openStage()
        let client = RelayTestClient(stage)
        _ = client.allocate { $0.add(.additionalAddressFamily, UInt32(2) << 24) }
        let answer = client.ask(.createPermission) { writer in
            var value: Bytes = [0, 2, 0x12, 0x34]
            let id = writer.bytes[4..<20]
            let plain = Bytes(repeating: 0, count: 10) + [0xFF, 0xFF, 127, 0, 0, 1]
            value += zip(plain, id).map { $0 ^ $1 }
            writer.add(.xorPeerAddress, value.span.bytes)
        }
        #expect(answer?.code == .forbidden)
    }

    @Test func `a permission is for the ports of the policy only, both ways`() throws {
        let stage = try stage()
        let client = RelayTestClient(stage)
        _ = client.allocate()
        let media = TransportAddress(try address("10.0.0.5"), 40_001)
        let database = TransportAddress(try address("10.0.0.5"), 5_432)
        #expect(client.permit(database)?.isSuccess == true)
        #expect(client.bind(0x4001, to: database)?.code == .forbidden)
        _ = stage.take()
        client.send([1, 2, 3], to: database)
        #expect(stage.take().isEmpty)
        client.send([1, 2, 3], to: media)
        #expect(stage.take().count == 1)
        let relay = try #require(stage.sockets.keys.first)
        stage.peer([9], from: database, to: relay)
        #expect(stage.take().isEmpty)
        stage.peer([9], from: media, to: relay)
        #expect(stage.take().count == 1)
    }

    @Test func `one address that is refused refuses the whole request`() throws {
        let stage = try stage()
        let client = RelayTestClient(stage)
        _ = client.allocate()
        let media = TransportAddress(try address("10.0.0.5"), 40_001)
        #expect(client.permit(media, peer4)?.code == .forbidden && stage.engine.permissionCount == 0)
    }

    @Test func `a changed policy ends what it does not allow`() throws {
        let stage = openStage()
        let client = RelayTestClient(stage)
        _ = client.allocate()
        #expect(client.bind(0x4000, to: peer4)?.isSuccess == true && client.permit(other4)?.isSuccess == true)
        let sfu = PeerEndpoints(other4.ip, ports: 1...65_535)
        stage.engine.set(try #require(PeerPolicy(.sfuOnly([sfu]))), now: stage.now)
        #expect(stage.engine.channelCount == 0 && stage.engine.permissionCount == 1)
        _ = stage.take()
        stage.client(RelayTestClient.channelData(0x4000, [1]), from: client.path)
        #expect(stage.take().isEmpty)
    }
}
