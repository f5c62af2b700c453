// Relay credentials, against values made by another program.

import Base
import Signaling
import Testing

@Suite struct RelayCredentialTests {
    private var options: RelayOptions {
        var options = RelayOptions()
        options.openServers = ["stun:stun.example.org:3478"]
        options.relays = ["turn:relay.example.org:3478?transport=udp", "turns:relay.example.org:5349"]
        options.secret = Secret(text: "north remembers")
        return options
    }

    @Test func `a password is the HMAC-SHA1 of expiry and session, in Base64`() throws {
        // Python: base64.b64encode(hmac.new(secret, name, hashlib.sha1).digest())
        let session = try #require(UUID("00000000-0000-4000-8000-000000000001"))
        let now = Timestamp(secondsSinceEpoch: 1_760_000_000)
        let configuration = options.configuration(for: session, now: now)
        #expect(configuration.expiresAt == now + .hours(4))
        #expect(configuration.servers.count == 2)
        #expect(configuration.servers[0].credential == nil)
        #expect(configuration.servers[1].username == "1760014400:00000000-0000-4000-8000-000000000001")
        #expect(configuration.servers[1].credential?.exposed == "r/wT/sePk7Jq/DLVkQ2N6b4QL3k=")
    }

    @Test func `who does not answer is left out until it does, and only changes are news`() {
        let options = options
        let (udp, tls) = (options.relays[0], options.relays[1])
        #expect(!options.health.note(udp, isHealthy: true))
        #expect(options.health.note(udp, isHealthy: false) && !options.health.note(udp, isHealthy: false))
        #expect(options.configuration(for: .random(), now: .now()).servers.map(\.urls) == [options.openServers, [tls]])
        #expect(options.health.note(tls, isHealthy: false))
        #expect(options.configuration(for: .random(), now: .now()).servers.map(\.urls) == [options.openServers])
        #expect(options.health.note(udp, isHealthy: true))
        #expect(options.configuration(for: .random(), now: .now()).servers.map(\.urls) == [options.openServers, [udp]])
    }

    @Test func `without a secret no relay is told`() {
        var without = options
        without.secret = nil
        #expect(without.configuration(for: .random(), now: .now()).servers.map(\.urls) == [without.openServers])
    }

    @Test func `a credential does not print`() {
        let configuration = options.configuration(for: .random(), now: .now())
        let password = configuration.servers[1].credential?.exposed ?? ""
        #expect(!password.isEmpty && !"\(configuration)".contains(password))
    }
}
