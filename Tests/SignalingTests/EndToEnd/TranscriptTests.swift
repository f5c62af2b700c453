// Replays the transcripts of docs/protocol/signaling.md against a whole server: the page cannot say what is not so.

import Base
import Media
import TestKit
import Testing
import Wire

@testable import Signaling

@Suite(.serialized) struct TranscriptTests {
    private static let transcripts: [Transcript] = {
        guard let page = try? RepositoryFile.text("docs/protocol/signaling.md") else { return [] }
        return (try? Transcript.all(in: page)) ?? []
    }()

    @Test func `the page has a transcript of each flow`() {
        #expect(Self.transcripts.count >= 14)
        #expect(Self.transcripts.allSatisfy { $0.lines.count > 2 && !$0.name.isEmpty })
        #expect(Set(Self.transcripts.map(\.name)).count == Self.transcripts.count)
    }

    @Test(arguments: transcripts)
    func `what the page says is what the server says`(_ transcript: Transcript) async throws {
        try await ServedCalls.run("alice", "bobby", "carol", "david") { world in
            let replay = try await Replay(transcript, world)
            try await ServedCalls.blocking { try replay.play(transcript) }
        }
    }

    @Test func `a message matches what it is, and nothing else`() throws {
        func matches(_ expected: String, _ found: String) throws -> Bool {
            Transcript.match(
                try Transcript.expectation(expected), try JSONValue(parsing: Bytes(found.utf8)), ["U1": "a"]) != nil
        }
        #expect(try matches(#"{"type":"x","user_id":"U1"}"#, #"{"type":"x","user_id":"a"}"#))
        #expect(try !matches(#"{"type":"x","user_id":"U1"}"#, #"{"type":"x","user_id":"b"}"#))
        #expect(try !matches(#"{"type":"x"}"#, #"{"type":"x","more":1}"#))
        #expect(try matches(#"{"type":"x",…}"#, #"{"type":"x","more":1}"#))
        #expect(try !matches(#"{"type":"x","in":{"a":1},…}"#, #"{"type":"x","in":{"a":2}}"#))
        #expect(try !matches(#"{"a":"O1","b":"O1"}"#, #"{"a":"one","b":"two"}"#))
        #expect(try !matches(#"{"type":"x","gone":null}"#, #"{"type":"x"}"#))
    }
}

/// One transcript under way: what its names stand for, and how far the client has read.
/// `@unchecked Sendable`: one thread after the other.
private final class Replay: @unchecked Sendable {
    /// Skipped where another message is waited for.
    private static let ambient: Set<String> = [
        "participant:updated", "call:status", "tracks", "speakers", "stream", "layers", "quality", "presence", "pong",
        "participant_muted", "participant_video", "participant_update", "call_status_update", "user_status",
    ]

    private let world: ServedCalls
    private var bound: [String: String] = [:]
    private var client: SoftBrowser?
    private var other: SoftBrowser?
    private var media: SoftPeerSocket?
    private var read = 0
    /// The server's last offer that was not answered.
    private var offered: String?

    init(_ transcript: Transcript, _ world: ServedCalls) async throws {
        self.world = world
        for (number, person) in world.people.enumerated() { bound["U\(number + 1)"] = "\(person.id)" }
        let isHost = !transcript.lines.contains { $0.text == "U2 is the host" }
        let call = isHost ? try await world.call(from: 0, to: [1, 2]) : try await world.call(from: 1, to: [0, 2])
        bound["C1"] = "\(call)"
    }

    /// What has come and was not read.
    private var rest: [JSONValue] { client.map { Array($0.messages.dropFirst(read)) } ?? [] }

    private var browsers: [SoftBrowser] { [client, other].compactMap { $0 } }

    func play(_ transcript: Transcript) throws {
        for (number, line) in transcript.lines.enumerated() {
            guard try play(line) else {
                Issue.record("line \(number + 1): \(line.text)\nfound: \(rest)")
                return
            }
        }
    }

    private func play(_ line: Transcript.Line) throws -> Bool {
        switch line.speaker {
        case .client: try say(line)
        case .other: try sayOther(line.text)
        case .circumstance: return try happen(line.text)
        case .server:
            for _ in 0..<line.repetitions { guard try hear(line.text) else { return false } }
        }
        return true
    }

    // MARK: Saying

    private func say(_ line: Transcript.Line) throws {
        if line.text.hasPrefix("GET ") {
            let target = try filled(String(line.text.dropFirst(4)))
            client = try open(target, target.hasPrefix("/api/") ? .calls : .manual)
            return
        }
        let browser = try client ?? open("/calls/ws", .manual)
        client = browser
        if browser.peer.sections.isEmpty, line.text.contains(#""sdp":"O"#) {
            browser.peer.add(.init(.audio, .sendOnly))
        }
        let text = try filled(line.text, describe: { [self] name in try describe(name, browser) })
        for _ in 0..<line.repetitions { try browser.send(text: text) }
    }

    private func open(_ target: String, _ dialect: SoftBrowser.Dialect) throws -> SoftBrowser {
        // The page that has lost its socket still has its peer.
        let browser = try world.browser(0, target, dialect, reacts: false, media: media)
        media = browser.media
        #expect(browser.status == 101)
        read = 0
        return browser
    }

    private func sayOther(_ line: String) throws {
        let browser = try other ?? world.browser(1, sections: [.init(.audio, .sendOnly)])
        other = browser
        try browser.send(text: try filled(line, describe: { _ in browser.peer.offer() }))
    }

    /// An offer of the client's, or its answer to the offer that it has read.
    private func describe(_ name: String, _ browser: SoftBrowser) throws -> String {
        if name.hasPrefix("O") { return browser.peer.offer() }
        // Of nothing: what it says is not looked at.
        guard let offer = offered else { return browser.peer.offer() }
        offered = nil
        return try browser.peer.accept(offer: offer, now: .now())
    }

    /// The line with values in the place of names. In a path they stand bare.
    private func filled(_ line: String, describe: ((String) throws -> String)? = nil) throws -> String {
        var text = line.replacing("/C1/", with: "/\(bound["C1"] ?? "")/")
        for piece in line.split(separator: "\"") where Transcript.isPlaceholder(String(piece)) {
            let name = String(piece)
            let value = try bound[name] ?? #require(try describe?(name), "\(name) stands for nothing")
            bound[name] = value
            text = text.replacing("\"\(name)\"", with: String(decoding: JSONValue.string(value).encoded, as: UTF8.self))
        }
        return text
    }

    // MARK: Hearing

    private func hear(_ line: String) throws -> Bool {
        let expected = try Transcript.expectation(line)
        let browser = try #require(client)
        var isFound = false
        var isOther = false
        _ = try run(browsers) {
            while read < browser.messages.count, !isFound, !isOther {
                let message = browser.messages[read]
                if let next = Transcript.match(expected, message, bound) {
                    bound = next
                    isFound = true
                    try take(message, browser)
                } else if !Self.ambient.contains(message["type"]?.stringValue ?? "") {
                    isOther = true
                    break
                }
                read += 1
            }
            return isFound || isOther
        }
        return isFound
    }

    private func take(_ message: JSONValue, _ browser: SoftBrowser) throws {
        guard let sdp = message["sdp"]?.stringValue else { return }
        if message["type"]?.stringValue?.hasSuffix("offer") == true {
            offered = sdp
        } else {
            offered = nil
            try browser.peer.accept(answer: sdp, now: .now())
        }
    }

    // MARK: What happens besides

    private func happen(_ text: String) throws -> Bool {
        if text == "U2 is the host" { return true }
        if text == "the connection breaks off" {
            client?.breakOff()
            client = nil
            return true
        }
        let closing = "the socket is closed with "
        guard text.hasPrefix(closing), let code = UInt16(text.dropFirst(closing.count)), let browser = client else {
            return false
        }
        return try run(browsers) { browser.closeCode == code }
    }
}
