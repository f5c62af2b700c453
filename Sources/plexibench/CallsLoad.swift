// Signaling sockets of the client: many on one thread, read when there is something to read.

import Base
import CShims
import Glibc
import TestKit
import Wire

/// One socket in manual's form. Messages are told apart by how they begin: `type` comes first.
final class CallSocket {
    let descriptor: Int32
    private let connection: BlockingSocket
    private var receiver = WebSocketReceiver(.client, messageLimit: 1 << 20, allowsCompression: false)
    /// Came with the answer to the handshake.
    private var early = Bytes()
    private static let chunk = 64 << 10

    /// Blocks until it is open.
    init(port: UInt16, token: String) throws {
        let target = try LoadTarget("ws://127.0.0.1:\(port)/calls/ws")
        connection = try BlockingSocket(target)
        descriptor = connection.descriptor
        try connection.send(LoadHandshake.request(target, headers: "Authorization: Bearer \(token)\r\n"))
        let head = try receiveHead()
        guard LoadHandshake.isAccepted(head) else {
            throw LoadError("no socket: \(String(decoding: head.prefix { $0 != 13 }, as: UTF8.self))")
        }
    }

    /// What comes behind it (a call that rings) is kept.
    private func receiveHead() throws -> Bytes {
        var received = Bytes()
        while true {
            var chunk = Bytes(repeating: 0, count: 4_096)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { throw SystemError("receive an answer") }
            received += chunk[..<count]
            guard let end = received.firstRange(of: Bytes("\r\n\r\n".utf8))?.upperBound else { continue }
            early = Bytes(received[end...])
            return Bytes(received[..<end])
        }
    }

    func say(_ pairs: (String, JSONValue)...) throws {
        let text = JSONValue.object(JSONObject(pairs)).encoded
        try connection.send(WebSocketFrame.encode(.text, text, mask: UInt32.random(in: 1...UInt32.max)))
    }

    func join(_ call: String, as role: String = "offerer") throws {
        try say(("type", .string("join")), ("call_id", .string(call)), ("role", .string(role)))
    }

    /// What has come; nothing is waited for.
    func read(_ take: (String) throws -> Void) throws {
        if !early.isEmpty {
            let bytes = early
            early = []
            try decode(bytes, take)
        }
        var chunk = Bytes(repeating: 0, count: Self.chunk)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            guard count > 0 else {
                guard count < 0, errno == EAGAIN || errno == EINTR else { throw SystemError("read a socket") }
                return
            }
            try decode(Bytes(chunk[..<count]), take)
        }
    }

    private func decode(_ bytes: Bytes, _ take: (String) throws -> Void) throws {
        var offset = 0
        while let event = try receiver.next(bytes.span, &offset) {
            switch event {
            case .text(let text): try take(text)
            case .ping(let payload):
                try connection.send(WebSocketFrame.encode(.pong, payload, mask: UInt32.random(in: 1...UInt32.max)))
            case .close(let code, let reason): throw LoadError("closed with \(code.rawValue) \(reason)")
            default: break
            }
        }
    }
}

/// The server under test, its people and their sockets.
final class CallsLoad {
    private static let patience = Duration.seconds(30)

    let process: MediaProcess
    let port: UInt16
    /// User and system, of all its threads, also of those that have ended. In hundredths.
    var processorSeconds: Double { WebSocketServerProcess(id: Int(process.id)).processorSeconds ?? 0 }
    private(set) var tokens: [String] = []

    init(core: Int?) throws {
        guard let process = MediaProcess(["calls-server"], core: core) else {
            throw LoadError("the server could not be started")
        }
        self.process = process
        let words = (process.channel.line() ?? "").split(separator: " ")
        guard words.count == 2, let port = UInt16(words[1]) else { throw LoadError("the server did not start") }
        self.port = port
    }

    func addPeople(_ count: Int) throws {
        process.channel.say("people \(count)\n")
        guard process.channel.line() == "ok \(count)" else { throw LoadError("people: refused") }
        for _ in 0..<count {
            let words = (process.channel.line() ?? "").split(separator: " ")
            guard words.count == 2 else { throw LoadError("people: a line is missing") }
            tokens.append(String(words[1]))
        }
    }

    /// The call's id.
    func call(from first: Int, people count: Int) throws -> String {
        process.channel.say("call \(first) \(count)\n")
        let words = (process.channel.line() ?? "").split(separator: " ")
        guard words.count == 2, words[0] == "ok" else { throw LoadError("call: refused") }
        return String(words[1])
    }

    func socket(_ person: Int) throws -> CallSocket { try CallSocket(port: port, token: tokens[person]) }

    /// Reads all of them until it is done.
    func read(
        _ sockets: [CallSocket], for patience: Duration = CallsLoad.patience, until isDone: () -> Bool,
        _ take: (Int, String) throws -> Void
    ) throws {
        var polled = sockets.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        let end = Instant.now() + patience
        while !isDone() {
            guard Instant.now() < end else { throw LoadError("the server took too long") }
            guard poll(&polled, nfds_t(polled.count), 10) > 0 else { continue }
            for (number, entry) in polled.enumerated() where entry.revents != 0 {
                try sockets[number].read { try take(number, $0) }
            }
        }
    }

    /// What comes meanwhile is read over.
    func quiet(_ sockets: [CallSocket], _ time: Duration) throws {
        let end = Instant.now() + time
        try read(sockets, until: { Instant.now() >= end }) { _, _ in }
    }

    /// All of them, each in its call.
    func join(_ sockets: [CallSocket], _ call: (Int) -> String) throws {
        for (number, socket) in sockets.enumerated() { try socket.join(call(number)) }
        var joined = 0
        try read(sockets, until: { joined == sockets.count }) { _, text in
            if text.hasPrefix(#"{"type":"joined""#) { joined += 1 }
        }
    }
}
