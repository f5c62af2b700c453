// The answering half of a connection.

import Base
import Synchronization
import Wire

extension HTTPConnection {
    /// Runs as the request's task, on the shard.
    func serve(_ request: HTTPRequest) async {
        let response = await lane.common.service.respond(to: request)
        lane.shard.checkIsolated()
        guard !isGone else { return }
        if case .webSocket(let acceptance) = response.body { return takeOver(request, response, acceptance) }
        if let rest = beginAnswer(response) { await pump(rest) }
        if !isGone { endExchange() }
    }

    /// A request that could not be read: the service words the answer, then the connection ends.
    /// `extra` is said beside the service's headers.
    func refuse(_ fault: HTTPFault, path: String?, _ extra: ResponseHeaders = ResponseHeaders()) {
        reading = .ended
        lane.common.figures.faults.increment()
        let response = lane.common.service.refuse(fault, path: path)
        var body = Bytes()
        if case .bytes(let bytes) = response.body { body = bytes }
        var headers = response.headers
        headers.append(extra)
        transport.send { [date = lane.date, headers] output in
            ResponseHeadWriter.write(
                response.status, headers, framing: .length(Int64(body.count)), connection: .close, date: date,
                into: &output)
        }
        transport.send(body)
        transport.close()
    }

    /// Queues the head and, where nothing has to be waited for, the body. The rest otherwise.
    private func beginAnswer(_ response: HTTPResponse) -> BodyPump? {
        guard let exchange else { return nil }
        var plan = AnswerPlan(response, to: exchange.facts, closes: mustClose(exchange), options: options)
        var deflater = plan.compression == .none ? nil : lane.compressors.take()
        if plan.compression != .none, deflater == nil {
            plan = AnswerPlan(
                response, to: exchange.facts, closes: mustClose(exchange), options: options, mayCompress: false)
        }
        self.exchange?.closes = plan.connection == .close
        var body = response.body
        if plan.compression == .whole, case .bytes(let plain) = body, let compressor = deflater {
            let compressed = Self.compress(plain, compressor)
            lane.compressors.giveBack(compressor)
            deflater = nil
            plan.framing = .length(Int64(compressed.count))
            body = .bytes(compressed)
        }
        sendHead(response, plan)
        return sendBody(body, plan, deflater)
    }

    private func sendBody(_ body: HTTPResponse.Body, _ plan: AnswerPlan, _ deflater: Deflater?) -> BodyPump? {
        guard plan.sendsBody else {
            if let deflater { lane.compressors.giveBack(deflater) }
            return nil
        }
        switch body {
        case .none, .webSocket: break
        case .file(let region): transport.send(region)
        case .bytes(let bytes):
            guard plan.compression == .stream else {
                transport.send(bytes)
                break
            }
            let slices = Slices(bytes, of: AnswerPlan.slice)
            return BodyPump(next: { await slices.next() }, left: nil, framing: plan.framing, deflater: deflater)
        case .stream(let length, let next):
            return BodyPump(next: next, left: length, framing: plan.framing, deflater: deflater)
        }
        return nil
    }

    /// Whether the client's next bytes would be in doubt, or unwanted.
    private func mustClose(_ exchange: Exchange) -> Bool {
        if exchange.closes || lane.isDraining { return true }
        switch reading {
        case .head, .held: return false
        case .length(let left): return exchange.owesContinue || left > Int64(options.discardLimit)
        case .chunked, .ended: return true
        }
    }

    private func sendHead(_ response: HTTPResponse, _ plan: AnswerPlan) {
        var headers = response.headers
        if plan.variesByEncoding { headers.add("Vary", "Accept-Encoding") }
        if plan.compression != .none {
            headers.add("Content-Encoding", "gzip")
            headers.weakenEntityTag()
        }
        transport.send { [date = lane.date] output in
            ResponseHeadWriter.write(
                response.status, headers, framing: plan.framing, connection: plan.connection, date: date,
                into: &output)
        }
    }

    private static func compress(_ bytes: Bytes, _ deflater: Deflater) -> Bytes {
        var output = Bytes()
        output.reserveCapacity(bytes.count / 3 + 64)
        deflater.compress(bytes, .finish, into: &output)
        return output
    }

    /// Asks for the next piece only when the client has taken most of the last ones.
    private func pump(_ body: BodyPump) async {
        defer { if let deflater = body.deflater { lane.compressors.giveBack(deflater) } }
        var left = body.left
        do {
            while let piece = try await body.next() {
                lane.shard.checkIsolated()
                guard !isGone else { return }
                if let rest = left {
                    guard piece.count <= rest else { return cutShort(body.framing) }
                    left = rest - Int64(piece.count)
                }
                send(body.encode(piece), body.framing)
                if !transport.hasRoom { await waitForRoom() }
                guard !isGone else { return }
            }
            lane.shard.checkIsolated()
            guard !isGone else { return }
            if let left, left > 0 { return cutShort(body.framing) }
            send(body.encodeEnd(), body.framing)
            if body.framing == .chunked { transport.send(ChunkWriter.bodyEnd) }
        } catch {
            lane.shard.checkIsolated()
            if !isGone { cutShort(body.framing) }
        }
    }

    private func send(_ piece: Bytes, _ framing: ResponseFraming) {
        guard !piece.isEmpty else { return }
        guard framing == .chunked else { return transport.send(piece) }
        transport.send { ChunkWriter.begin(piece.count, into: &$0) }
        transport.send(piece)
        transport.send(ChunkWriter.chunkEnd)
    }

    private func waitForRoom() async {
        await withCheckedContinuation { continuation in
            roomWaiter = continuation
            transport.callWhenDrained()
        }
    }

    /// The head promised more. An end of the connection without it tells the client; where the end of the connection
    /// is the end of the body, only a reset does.
    private func cutShort(_ framing: ResponseFraming) {
        exchange?.closes = true
        if framing == .untilClose { transport.cut() }
    }
}

/// A body that is asked for piece by piece.
private struct BodyPump {
    let next: @Sendable () async throws -> Bytes?
    /// Promised in the head.
    let left: Int64?
    let framing: ResponseFraming
    let deflater: Deflater?

    /// Flushed, so that a client sees each piece of a slow stream when it is made.
    func encode(_ piece: Bytes) -> Bytes { deflater.map { Self.run($0, piece, .sync) } ?? piece }

    func encodeEnd() -> Bytes { deflater.map { Self.run($0, [], .finish) } ?? [] }

    private static func run(_ deflater: Deflater, _ piece: Bytes, _ flush: Deflater.Flush) -> Bytes {
        var output = Bytes()
        deflater.compress(piece, flush, into: &output)
        return output
    }
}

/// Long bytes in slices, with a pause between them in which other work of the shard is done.
private final class Slices: Sendable {
    private let bytes: Bytes
    private let size: Int
    private let position = Atomic<Int>(0)

    init(_ bytes: Bytes, of size: Int) {
        self.bytes = bytes
        self.size = size
    }

    func next() async -> Bytes? {
        let start = position.load(ordering: .relaxed)
        guard start < bytes.count else { return nil }
        if start > 0 { await Task.yield() }
        let end = min(start + size, bytes.count)
        position.store(end, ordering: .relaxed)
        return Bytes(bytes[start..<end])
    }
}
