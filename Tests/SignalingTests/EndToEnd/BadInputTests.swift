// What hostile and broken clients send to a whole server, and what they are answered: the table `Bad input` of
// docs/protocol/signaling.md. What needs no socket is in SignalingSocketTests.

import Accounts
import Base
import Media
import TestKit
import Testing
import Wire

@testable import Signaling

@Suite(.serialized) struct BadInputTests {
    private static let folder = "Tests/Vectors/sdp/malformed"

    /// `@unchecked Sendable`: one thread after the other.
    private final class Pages: @unchecked Sendable {
        let all: [SoftBrowser]
        init(_ all: [SoftBrowser]) { self.all = all }
    }

    private func join(_ browser: SoftBrowser, _ call: CallID) throws {
        try browser.send(("type", .string("join")), ("call_id", .string("\(call)")))
        #expect(try run([browser]) { browser.messages("joined").count == 1 })
    }

    // MARK: Descriptions

    @Test func `each malformed description is answered or refused by name, and the next good one is taken`()
        async throws
    {
        let files = try RepositoryFile.names(in: Self.folder).filter { $0.hasSuffix(".sdp") }
        #expect(files.count > 90)
        try await ServedCalls.run("alice", "bobby", "carol") { world in
            let call = try await world.call(from: 1, to: [0, 2])
            let codes = try await ServedCalls.blocking {
                var codes: [String: Int] = [:]
                for file in files { codes[try offer(file, to: call, world), default: 0] += 1 }
                return codes
            }
            #expect(Set(codes.keys) == ["answered", "sdp_invalid", "sdp_unacceptable"])
            #expect(codes["sdp_invalid", default: 0] > 20, "\(codes)")
            #expect(world.media.service.sessionCount == 0)
        }
    }

    /// On a socket of its own: how it was answered.
    private func offer(_ file: String, to call: CallID, _ world: ServedCalls) throws -> String {
        let browser = try world.browser(0, sections: [.init(.audio, .sendOnly)], reacts: false)
        try join(browser, call)
        let bad = String(decoding: try RepositoryFile.bytes("\(Self.folder)/\(file)"), as: UTF8.self)
        try browser.send(("type", .string("sdp:offer")), ("sdp", .string(bad)), ("id", .integer(1)))
        var verdict = "silence"
        _ = try run([browser]) {
            if browser.messages("sdp:answer").last != nil { verdict = "answered" }
            if let error = browser.messages("error").last {
                #expect(error["ref"]?.integerValue == 1, "\(file)")
                #expect(error["info"]?["reason"]?.stringValue?.isEmpty == false || error["detail"] != nil, "\(file)")
                verdict = error["code"]?.stringValue ?? "no code"
            }
            return verdict != "silence"
        }
        if verdict != "answered" {
            try browser.send(
                ("type", .string("sdp:offer")), ("sdp", .string(browser.peer.offer())), ("id", .integer(2)))
            #expect(try run([browser]) { browser.messages("sdp:answer").last?["id"]?.integerValue == 2 }, "\(file)")
        }
        try browser.send(("type", .string("hangup")))
        #expect(try run([browser]) { browser.closeCode == 1000 }, "\(file)")
        return verdict
    }

    @Test func `text that is no UTF-8, and a binary message, close the socket`() async throws {
        try await ServedCalls.run("alice") { world in
            try await ServedCalls.blocking {
                for (opcode, code) in [(WebSocketOpcode.text, UInt16(1007)), (.binary, 4002)] {
                    let browser = try world.browser(0)
                    try browser.send([0x7B, 0xFF, 0xFE], as: opcode)
                    #expect(try run([browser]) { browser.closeCode == code })
                }
            }
        }
    }

    @Test func `a message that is too long closes the socket`() async throws {
        try await ServedCalls.run("alice") { world in
            try await ServedCalls.blocking {
                let browser = try world.browser(0)
                try browser.send(text: String(repeating: "x", count: SignalingLimits.messageBytes + 1))
                #expect(try run([browser]) { browser.closeCode == 1009 })
            }
        }
    }

    // MARK: Floods

    @Test func `ten thousand candidates close the socket and nothing else`() async throws {
        try await ServedCalls.run("alice", "bobby", "carol") { world in
            let call = try await world.call(from: 1, to: [0, 2])
            try await ServedCalls.blocking {
                let browser = try world.browser(0, sections: [.init(.audio, .sendOnly)])
                try join(browser, call)
                let line = #"{"type":"ice:candidate","candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host"}"#
                // The server may close before all of it is written.
                for _ in 0..<10_000 where browser.closeCode == nil {
                    do { try browser.send(text: line) } catch { break }
                    if browser.sent % 100 == 0 { try browser.turn() }
                }
                #expect(try run([browser]) { browser.closeCode == 4003 })
                #expect(browser.messages("error").count < 10)
                let other = try world.browser(1)
                try other.send(("type", .string("ping")), ("id", .integer(1)))
                #expect(try run([other]) { other.messages("pong").count == 1 })
            }
        }
    }

    // MARK: Rights

    @Test func `who is removed and keeps sending is forwarded to nobody`() async throws {
        try await ServedCalls.run("alice", "bobby", "carol") { world in
            let call = try await world.call(from: 0, to: [1, 2])
            let bobby = world.people[1].id
            let frames = try await ServedCalls.blocking {
                let pages = Pages([
                    try world.browser(0, sections: [.init(.audio, .sendOnly)]),
                    try world.browser(1, sections: [.init(.video, .sendOnly)]),
                ])
                let (one, two) = (pages.all[0], pages.all[1])
                for page in pages.all {
                    try join(page, call)
                    try page.send(("type", .string("sdp:offer")), ("sdp", .string(page.peer.offer())))
                }
                #expect(try run(pages.all) { pages.all.allSatisfy { $0.peer.phase == .connected } })
                #expect(try run(pages.all) { one.messages("tracks").last?["tracks"]?.arrayValue?.count == 1 })
                var frame = 0
                try film(two, pages, 20, &frame)
                #expect(try run(pages.all) { one.packets >= 40 })
                try one.send(
                    ("type", .string("control")), ("action", .string("remove")),
                    ("participant_id", .string("\(bobby)")))
                #expect(try run(pages.all) { two.closeCode == 4005 })
                let before = one.packets
                try film(two, pages, 20, &frame)
                #expect(one.packets == before)
                return frame
            }
            #expect(frames == 40)
            #expect(world.media.service.sessionCount == 1)
        }
    }

    private func film(_ browser: SoftBrowser, _ pages: Pages, _ frames: Int, _ frame: inout Int) throws {
        var sequence = SequenceNumber(truncatingIfNeeded: 100 + frame * 2)
        for _ in 0..<frames {
            browser.peer.sendFrame(
                section: 0, packets: 2, size: 700, timestamp: UInt32(frame) * 3_000, isKeyframe: frame % 10 == 0,
                pictureID: UInt16(frame), sequence: &sequence, now: .now())
            frame += 1
            let next = Instant.now() + .milliseconds(30)
            _ = try run(pages.all) { Instant.now() >= next }
        }
    }

    @Test func `tokens that have expired, or whose login has ended, open nothing`() async throws {
        try await ServedCalls.run("alice", "bobby") { world in
            let bobby = try await world.principal(1)
            let call = try await world.call(from: 0, to: [1])
            let expired = try await world.api.calls.join(call, by: bobby).token.exposedText
            world.api.advance(by: .minutes(5))
            let revoked = try await world.api.calls.join(call, by: bobby).token.exposedText
            func closure(_ token: String) async throws -> UInt16? {
                try await ServedCalls.blocking {
                    let browser = try SoftBrowser(world.port, "/calls/ws?token=\(token)", .manual)
                    _ = try run([browser]) { browser.closeCode != nil }
                    return browser.closeCode
                }
            }
            #expect(try await closure(expired) == 4001)
            try await world.api.accounts.logout(bobby, origin: TestAccounts.origin())
            #expect(try await closure(revoked) == 4001)
            #expect(try await closure(world.people[1].token) == 4001)
            let status = try await ServedCalls.blocking { try world.browser(1).status }
            #expect(status == 401)
        }
    }

    @Test func `a token for one call opens no other`() async throws {
        try await ServedCalls.run("alice", "bobby", "carol", "david") { world in
            let token = try await world.api.calls.initiate(
                NewCall(kind: .audio, invited: [world.people[1].id]), by: try await world.principal(0)
            ).token.exposedText
            let other = try await world.call(from: 2, to: [0, 3])
            try await ServedCalls.blocking {
                let browser = try SoftBrowser(world.port, "/calls/ws?token=\(token)", .manual)
                try browser.send(("type", .string("join")), ("call_id", .string("\(other)")))
                #expect(try run([browser]) { browser.closeCode == 4004 })
            }
        }
    }
}
