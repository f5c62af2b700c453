// plexibench ws-server: our HTTP server with one channel, the counterpart of nchan's: GET /sub becomes a WebSocket
// that hears everything, POST /pub says its body to all of them.

import Base
import Glibc
import Net
import Wire

/// The channel of one shard, on its thread only.
private final class Channel: WebSocketHandler, @unchecked Sendable {
    private var sockets: [ObjectIdentifier: WebSocket] = [:]

    func opened(_ socket: WebSocket) { sockets[ObjectIdentifier(socket)] = socket }
    func received(_ message: WebSocketMessage, on socket: WebSocket) {}
    func closed(_ socket: WebSocket, code: UInt16, reason: String) { sockets[ObjectIdentifier(socket)] = nil }

    func publish(_ body: Bytes) {
        let frame = SharedFrame(textBytes: body)
        for socket in sockets.values { socket.send(frame) }
    }
}

private struct ChannelService: HTTPService {
    let channel = Channel()

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        switch (request.head.method, request.head.path) {
        case (.get, "/sub"):
            return HTTPResponse(.switchingProtocols, body: .webSocket(WebSocketAcceptance(handler: channel)))
        case (.post, "/pub"):
            guard let body = try? await request.body.collect(upTo: 64 << 10), UTF8Validator.isValid(body) else {
                return HTTPResponse(.badRequest)
            }
            channel.publish(body)
            return HTTPResponse(.accepted)
        default:
            return HTTPResponse(.notFound)
        }
    }

    func refuse(_ fault: HTTPFault, path: String?) -> HTTPResponse {
        HTTPResponse(fault.status, body: .bytes(Bytes(fault.reason.utf8)))
    }
}

/// One shard, so that it can be pinned to one core; until the process is ended.
func runWebSocketServer() {
    raiseDescriptorLimit()
    runToEnd {
        let group = try ShardGroup(count: 1)
        var options = HTTPServer.Options()
        options.connections = 100_000
        options.connectionsPerAddress = 100_000
        let port = UInt16(clamping: Arguments.integer("port", default: 0))
        let server = try await HTTPServer.start(
            [.init(.tcp(IPAddress(v4: 0x7F00_0001), port: port))], service: ChannelService(), on: group,
            options: options)
        print("ws-server: \(server.listening[0].endpoint), process \(getpid())")
        fflush(nil)
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }
}
