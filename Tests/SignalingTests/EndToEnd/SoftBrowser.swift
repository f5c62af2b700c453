// A client as a page would be: a WebSocket to the server, a soft peer on UDP, and answers to every offer.

import Base
import Crypto
import Glibc
import Media
import Net
import TestKit
import Testing
import Wire

final class SoftBrowser {
    enum Dialect { case manual, calls }

    private let http: LoopbackClient
    private let dialect: Dialect
    let media: SoftPeerSocket
    var peer: SoftPeer { media.peer }
    let status: Int
    private var receiver = WebSocketReceiver(.client, messageLimit: 1 << 20, allowsCompression: false)
    private(set) var messages: [JSONValue] = []
    private(set) var closeCode: UInt16?
    private(set) var sent = 0
    /// Whether it answers offers by itself, and takes answers.
    var reacts = true

    init(
        _ port: UInt16, _ target: String, _ dialect: Dialect, headers: [String] = [],
        sections: [SoftPeer.Section] = [], seed: UInt64 = 1, media: SoftPeerSocket? = nil
    ) throws {
        self.dialect = dialect
        self.media = try media ?? SoftPeerSocket(try SoftPeer(sections, identity: try DTLSIdentity.make(), seed: seed))
        let http = try LoopbackClient(port: port, timeout: .seconds(10))
        self.http = http
        let lines =
            [
                "GET \(target) HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
            ] + headers
        try http.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
        status = try http.receiveHead().status
    }

    func send(_ json: JSONValue) throws { try send(json.encoded, as: .text) }

    func send(text: String) throws { try send(Bytes(text.utf8), as: .text) }

    func send(_ bytes: Bytes, as opcode: WebSocketOpcode) throws {
        try http.send(WebSocketFrame.encode(opcode, bytes, mask: UInt32.random(in: 1...UInt32.max)))
        sent += 1
    }

    func send(_ pairs: (String, JSONValue)...) throws { try send(.object(JSONObject(pairs))) }

    /// As a network does that goes away.
    func breakOff() {
        http.reset()
        closeCode = 1006
    }

    func close() throws {
        try http.send(
            WebSocketFrame.encode(
                .close, WebSocketFrame.closePayload(.normal, ""), mask: UInt32.random(in: 1...UInt32.max)))
    }

    /// Reads what has come, answers offers, and lets the peer do what is due.
    func turn() throws {
        media.turn()
        guard closeCode == nil, http.hasBytes() else { return }
        let bytes = try http.receive()
        guard !bytes.isEmpty else {
            closeCode = 1006
            return
        }
        var offset = 0
        while let event = try receiver.next(bytes.span, &offset) {
            switch event {
            case .text(let text):
                let message = try JSONValue(parsing: Bytes(text.utf8))
                messages.append(message)
                if reacts { try react(to: message) }
            case .close(let code, _): closeCode = code.rawValue
            default: break
            }
        }
    }

    private func react(to message: JSONValue) throws {
        let type = message["type"]?.stringValue
        guard let sdp = message["sdp"]?.stringValue else { return }
        switch type {
        case "sdp:offer", "offer":
            let answer = try peer.accept(offer: sdp, now: .now())
            try send(
                ("type", .string(dialect == .manual ? "sdp:answer" : "answer")), ("sdp", .string(answer)),
                ("id", message["id"] ?? .null))
        case "sdp:answer", "answer": try peer.accept(answer: sdp, now: .now())
        default: break
        }
    }

    func messages(_ type: String) -> [JSONValue] { messages.filter { $0["type"]?.stringValue == type } }

    var packets: Int { peer.streams.values.filter { $0.retransmissions == 0 }.reduce(0) { $0 + $1.packets } }
}

extension LoopbackClient {
    /// Whether a read would not wait.
    func hasBytes() -> Bool { isReadable(within: 0) }
}

/// Lets all of them do what is due until it holds; false when that took longer than ten seconds.
func run(_ browsers: [SoftBrowser], until isDone: () throws -> Bool) throws -> Bool {
    let end = Instant.now() + .seconds(10)
    while try !isDone() {
        if Instant.now() > end { return false }
        for browser in browsers { try browser.turn() }
        usleep(500)
    }
    return true
}
