// How a connection becomes a WebSocket: the 101 is the last that HTTP says; the transport gets another owner.

import Base
import Crypto
import Wire

extension HTTPConnection {
    /// RFC 6455 §1.3: proves to the client that this server read its key as a WebSocket server does.
    private static let acceptanceSuffix = Bytes("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)

    func takeOver(_ request: HTTPRequest, _ response: HTTPResponse, _ acceptance: WebSocketAcceptance) {
        do throws(WebSocketRefusal) {
            let offer = try WebSocketOffer(checking: request.head)
            var acceptance = acceptance
            // A client must fail a handshake that names a subprotocol which it did not offer (RFC 6455 §4.1).
            if let name = acceptance.subprotocol, !offer.subprotocols.contains(name) { acceptance.subprotocol = nil }
            sendSwitch(offer, response, acceptance)
            becomeSocket(WebSocket(transport, compression: offer.compression, acceptance))
        } catch {
            endExchangeForTakeover()
            refuse(HTTPFault(error.status, error.reason, field: error.field), path: request.head.path, error.headers)
        }
    }

    private func sendSwitch(_ offer: WebSocketOffer, _ response: HTTPResponse, _ acceptance: WebSocketAcceptance) {
        var headers = response.headers
        headers.add("Upgrade", "websocket")
        var proof = Bytes(offer.key.utf8)
        proof += Self.acceptanceSuffix
        headers.add("Sec-WebSocket-Accept", Base64.encode(SHA1.hash(proof)))
        if let subprotocol = acceptance.subprotocol { headers.add("Sec-WebSocket-Protocol", subprotocol) }
        if let compression = offer.compression { headers.add("Sec-WebSocket-Extensions", compression.response) }
        transport.send { [date = lane.date] output in
            ResponseHeadWriter.write(
                .switchingProtocols, headers, framing: .none, connection: .upgrade, date: date, into: &output)
        }
    }

    private func becomeSocket(_ socket: WebSocket) {
        endExchangeForTakeover()
        let early = takeKept()
        transport.handOver(to: socket)
        socket.start()
        if lane.isDraining { socket.serverStops() }
        if !early.isEmpty { socket.received(early.span) }
        if peerHasEnded { socket.receivedEnd() }
        transport.resumeReading()
    }
}
