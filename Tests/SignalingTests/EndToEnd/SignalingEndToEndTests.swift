// Calls over the server's own HTTP port and media ports: two dialects, two peers, real sockets and threads.

import Accounts
import Base
import Crypto
import Glibc
import Media
import Net
import Synchronization
import TestKit
import Testing
import Wire

@testable import API
@testable import Signaling

@Suite(.serialized) struct SignalingEndToEndTests {
    private struct World {
        let api: APIHarness
        let calls: SoftCalls
        let media: TestMedia
        let hub: SignalingHub
        let port: UInt16
        let people: [APIHarness.Person]
    }

    /// The rows are those of this version, whether or not its tables have them already.
    private static var tables: [DialectTable] {
        let rows: [(Dialect, any DialectFormat, [Route])] = [
            (.manual, ManualFormat(), SignalingRows.manual), (.calls, CallsFormat(), SignalingRows.calls),
        ]
        return DialectTables.all.map { table in
            guard let (dialect, format, sockets) = rows.first(where: { $0.0 == table.dialect }) else { return table }
            let others = table.routes.filter { route in !sockets.contains { $0.path == route.path } }
            return DialectTable(dialect, format, others + sockets)
        }
    }

    private func serve(_ body: (World) async throws -> Void) async throws {
        let shards = try ShardGroup(count: 2)
        let media = try await TestMedia.make(on: shards.shards)
        let hub = SignalingHub(media: media.service)
        var setup = APIHarness.Setup()
        setup.tables = Self.tables
        setup.options.cors = CORSPolicy(origins: ["https://friend.example"])
        let reserved = CallTokens()
        setup.signaling = SignalingAccess(hub: hub) { token throws(CallError) in try await reserved.redeem(token) }
        try await APIHarness.run(setup) { api in
            let people = [try await api.register("alice"), try await api.register("bobby")]
            let calls = SoftCalls(hub, people.map(\.id))
            let server = try await HTTPServer.start(
                [.init(.tcp(IPAddress(v4: 0x7F00_0001), port: 0))], service: api.api, on: shards)
            let port = try #require(server.listening.first?.endpoint.port)
            try await body(World(api: api, calls: calls, media: media, hub: hub, port: port, people: people))
            await server.stop(within: .seconds(1))
        }
        await media.service.stop()
        shards.stop()
    }

    /// No signaling token is given out in these tests.
    private struct CallTokens {
        func redeem(_ token: String) async throws(CallError) -> (principal: Principal, call: CallID) {
            throw .account(.tokenInvalid)
        }
    }

    private func film(
        _ browser: SoftBrowser, section: Int, frames: Int, _ all: [SoftBrowser], _ frame: inout Int
    ) throws {
        var sequence = SequenceNumber(truncatingIfNeeded: 100 + frame * 2)
        for _ in 0..<frames {
            browser.peer.sendFrame(
                section: section, packets: 2, size: 700, timestamp: UInt32(frame) * 3_000, isKeyframe: frame % 10 == 0,
                pictureID: UInt16(frame), sequence: &sequence, now: .now())
            frame += 1
            let next = Instant.now() + .milliseconds(30)
            _ = try run(all) { Instant.now() >= next }
        }
    }

    @Test func `what a call prefers stands first in the server's offer`() async throws {
        try await serve { world in
            world.calls.state.withLock { $0.call.preferredCodecs = [.av1, .pcmu] }
            let browser = try SoftBrowser(
                world.port, "/calls/ws", .manual, headers: ["Authorization: Bearer \(world.people[0].token)"], seed: 5)
            browser.reacts = false
            try browser.send(
                ("type", .string("join")), ("call_id", .string("\(world.calls.id)")), ("role", .string("answerer")))
            #expect(try run([browser]) { !browser.messages("sdp:offer").isEmpty })
            let text = try #require(browser.messages("sdp:offer").last?["sdp"]?.stringValue)
            let offer = try SessionDescription(parsing: Bytes(text.utf8))
            for (kind, name) in [(SDPMediaKind.audio, "PCMU"), (.video, "AV1")] {
                let media = try #require(offer.media.first { $0.kind == kind })
                let first = media.rtpMaps.first { $0.payloadType == media.payloadTypes.first }
                #expect(first?.encoding == name)
            }
        }
    }

    @Test func `two people hold a call over two dialects, mute, lose a socket, come back and hang up`() async throws {
        try await serve { world in
            let (alice, bobby) = (world.people[0], world.people[1])
            let one = try SoftBrowser(
                world.port, "/calls/ws", .manual, headers: ["Authorization: Bearer \(alice.token)"],
                sections: [.init(.audio, .sendOnly), .init(.video, .sendOnly)], seed: 3)
            #expect(one.status == 101)
            try one.send(
                ("type", .string("join")), ("call_id", .string("\(world.calls.id)")), ("role", .string("offerer")))
            try one.send(("type", .string("sdp:offer")), ("sdp", .string(one.peer.offer())), ("id", .integer(1)))
            let two = try SoftBrowser(
                world.port, "/api/v1/calls/\(world.calls.id)/signaling?role=answerer&token=\(bobby.token)", .calls,
                seed: 4)
            #expect(two.status == 101)
            let both = [one, two]
            #expect(try run(both) { both.allSatisfy { $0.peer.phase == .connected } })
            #expect(try run(both) { one.messages("tracks").last?["tracks"]?.arrayValue?.count == 2 })
            let shown = one.messages("tracks").last?["tracks"]?.arrayValue ?? []
            #expect(shown.allSatisfy { $0["user_id"]?.stringValue == "\(bobby.id)" })

            var (there, back) = (0, 0)
            try film(one, section: 1, frames: 20, both, &there)
            #expect(try run(both) { two.packets >= 40 })
            try film(two, section: 1, frames: 20, both, &back)
            #expect(try run(both) { one.packets >= 40 })

            try one.send(("type", .string("control")), ("action", .string("video")), ("on", .bool(false)))
            #expect(
                try run(both) {
                    two.messages("participant_video").last?["data"]?["video_enabled"]?.boolValue == false
                })
            let before = two.packets
            try film(one, section: 1, frames: 15, both, &there)
            #expect(two.packets == before)
            try one.send(("type", .string("control")), ("action", .string("video")), ("on", .bool(true)))
            #expect(
                try run(both) {
                    two.messages("participant_video").last?["data"]?["video_enabled"]?.boolValue == true
                })
            try film(one, section: 1, frames: 20, both, &there)
            #expect(try run(both) { two.packets > before + 20 })

            // Media goes on while the socket is away.
            let token = try #require(one.messages("joined").last?["resume_token"]?.stringValue)
            one.breakOff()
            let during = two.packets
            try film(one, section: 1, frames: 10, both, &there)
            #expect(try run(both) { two.packets >= during + 20 })
            let again = try SoftBrowser(
                world.port, "/calls/ws", .manual, headers: ["Authorization: Bearer \(alice.token)"], seed: 5)
            try again.send(
                ("type", .string("join")), ("call_id", .string("\(world.calls.id)")), ("resume", .string(token)))
            #expect(try run([again] + both) { again.messages("joined").last?["resumed"]?.boolValue == true })

            try two.send(("type", .string("hangup")))
            #expect(try run([again] + both) { two.closeCode == 1000 })
            #expect(try run([again]) { again.messages("participant:left").last?["reason"]?.stringValue == "left" })
            #expect(world.hub.sessionCount == 1)
        }
    }

    @Test func `a socket that cannot be opened says why, in HTTP or by its close code`() async throws {
        try await serve { world in
            let alice = world.people[0]
            let bearer = "Authorization: Bearer \(alice.token)"
            let path = "/api/v1/calls/\(world.calls.id)/signaling"
            #expect(try SoftBrowser(world.port, "/calls/ws", .manual).status == 401)
            #expect(
                try SoftBrowser(world.port, "/calls/ws", .manual, headers: ["Authorization: Bearer no"]).status == 401)
            #expect(
                try SoftBrowser(world.port, path, .calls, headers: [bearer, "Origin: https://evil.example"]).status
                    == 403)
            for origin in ["http://localhost", "https://friend.example"] {
                #expect(
                    try SoftBrowser(world.port, path, .calls, headers: [bearer, "Origin: \(origin)"]).status == 101)
            }
            let closures: [(String, [String], UInt16)] = [
                ("/calls/ws?token=wrong", [], 4001), ("\(path)?token=wrong", [], 4001),
                ("/api/v1/calls/\(UUID.random())/signaling", [bearer], 4004),
                ("\(path)?resume=nonsense", [bearer], 4004),
            ]
            for (target, headers, code) in closures {
                let browser = try SoftBrowser(world.port, target, .calls, headers: headers)
                #expect(browser.status == 101)
                #expect(try run([browser]) { browser.closeCode == code }, "\(target)")
            }
            let plain = try await world.api.get("/calls/ws", as: alice)
            #expect(plain.status == 426)
            #expect(plain.header("upgrade") == "websocket")
        }
    }

    @Test func `what cannot be read is told in the dialect's words, and too much of it closes`() async throws {
        try await serve { world in
            let one = try SoftBrowser(
                world.port, "/calls/ws", .manual, headers: ["Authorization: Bearer \(world.people[0].token)"])
            try one.send(.string("no object"))
            #expect(try run([one]) { one.messages("error").last?["code"]?.stringValue == "invalid_message" })
            try one.send(
                ("type", .string("join")), ("call_id", .string("\(world.calls.id)")), ("role", .string("host")))
            #expect(try run([one]) { one.messages("error").count == 2 })
            try one.send(("type", .string("sdp:offer")), ("sdp", .string("v=0")), ("id", .integer(8)))
            #expect(try run([one]) { one.messages("error").last?["code"]?.stringValue == "not_joined" })
            #expect(one.messages("error").last?["ref"]?.integerValue == 8)
            try one.send(("type", .string("join")), ("call_id", .string("call_\(world.calls.id)")))
            try one.send(("type", .string("sdp:offer")), ("sdp", .string("v=0\r\nx")), ("id", .integer(9)))
            #expect(try run([one]) { one.messages("error").last?["code"]?.stringValue == "sdp_invalid" })
            #expect(one.messages("error").last?["info"]?["line"]?.integerValue == 2)
            for _ in 0..<5 { try one.send(("type", .string("nonsense"))) }
            #expect(try run([one]) { one.closeCode == 4002 })
        }
    }
}
