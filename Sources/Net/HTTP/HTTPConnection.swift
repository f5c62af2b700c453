// One connection of the HTTP server: requests out of bytes, answers into bytes.
//
// One request at a time: the next head is read when the answer before it is queued, so pipelined answers are in order
// and a request sees the effects of the one before. A connection without a request is this object, its transport and
// a timer; only a request has a task. Reading is in this file, answering in `HTTPConnection+Answer.swift`.

import Base
import Wire

/// `@unchecked Sendable`: everything is touched on the shard's thread only. The tasks of its requests prefer that
/// shard as their executor.
final class HTTPConnection: ConnectionProtocol, BodySource, @unchecked Sendable {
    /// What the next bytes are.
    enum Reading {
        case head
        /// So much of a body is still to come.
        case length(Int64)
        case chunked(ChunkedDecoder)
        /// The request is complete; what comes is kept until it is answered.
        case held
        /// Nothing of this client is read any more.
        case ended
    }

    /// What the deadline is for.
    private enum Waiting { case nothing, request, head, body }

    /// The request that is being answered.
    struct Exchange {
        let facts: RequestFacts
        let path: String
        let begun: Instant
        let upgrades: Bool
        var body: BodyStream?
        var task: Task<Void, Never>?
        /// The client waits for `100 Continue`.
        var owesContinue: Bool
        var closes = false
    }

    let lane: HTTPLane
    let transport: Transport
    var options: HTTPServer.Options { lane.common.options }

    private var parser: RequestHeadParser
    var reading = Reading.head
    var exchange: Exchange?
    private var kept = Bytes()
    private var keptStart = 0
    private(set) var peerHasEnded = false
    /// The last answers must shrink in the queue before another request is read.
    private var awaitsRoom = false
    var roomWaiter: CheckedContinuation<Void, Never>?
    private(set) var isGone = false

    private var waiting = Waiting.nothing
    private var deadline = Instant(nanoseconds: 0)
    /// Made when the connection first waits for something.
    private var timer: ShardTimer?
    /// HTTP waits for nothing on this connection any more.
    private var isDetached = false
    private var windowBytes = 0
    /// Nothing has come yet, and it may be for a neighbour.
    private var isUndecided: Bool

    init(_ transport: Transport, in lane: HTTPLane) {
        self.transport = transport
        self.lane = lane
        parser = RequestHeadParser(limits: lane.common.options.limits)
        isUndecided = lane.common.neighbour != nil
    }

    /// After the transport has begun to read. A request that came at once needs no deadline for its head.
    func start() {
        guard !isGone, waiting == .nothing, exchange == nil, case .head = reading else { return }
        wait(for: .request, options.headerTimeout)
    }

    // MARK: Bytes

    func received(_ bytes: Span<UInt8>) {
        if isUndecided {
            isUndecided = false
            if passOn(bytes) { return }
        }
        if keptCount > 0 {
            keep(bytes, from: 0)
        } else {
            keep(bytes, from: consume(bytes))
        }
        updateReading()
    }

    private var keptCount: Int { kept.count - keptStart }

    private func keep(_ bytes: Span<UInt8>, from position: Int) {
        guard position < bytes.count else { return }
        bytes.extracting(position..<bytes.count).withUnsafeBufferPointer { kept.append(contentsOf: $0) }
    }

    /// Goes as far as this connection can go now; what is left is kept.
    private func consume(_ bytes: Span<UInt8>) -> Int {
        var position = 0
        while position < bytes.count {
            switch reading {
            case .head:
                if awaitsRoom { return position }
                takeHead(bytes, &position)
            case .length(let left): takeBody(bytes, &position, left)
            case .chunked(let decoder): takeChunks(bytes, &position, decoder)
            case .held: return position
            case .ended: return bytes.count
            }
        }
        return position
    }

    private func takeHead(_ bytes: Span<UInt8>, _ position: inout Int) {
        do throws(HTTPParseError) {
            let (consumed, head) = try parser.consume(bytes.extracting(position..<bytes.count))
            position += consumed
            if let head {
                begin(head, bytes, &position)
            } else if waiting != .head, !parser.isIdle {
                wait(for: .head, options.headerTimeout)
            }
        } catch {
            position = bytes.count
            refuse(HTTPFault(error.status, error.reason, field: error.field), path: error.path)
        }
    }

    // MARK: Requests

    private func begin(_ parsed: ParsedHead, _ bytes: Span<UInt8>, _ position: inout Int) {
        wait(for: .nothing, .zero)
        let head = parsed.head
        let facts = RequestFacts(
            isHead: head.method == .head, minorVersion: head.minorVersion, keepsAlive: parsed.keepsAlive,
            headers: head.headers)
        var started = Exchange(
            facts: facts, path: head.path, begun: lane.shard.now, upgrades: parsed.upgradesToWebSocket,
            owesContinue: parsed.expectsContinue)
        let body = takeBodyStart(parsed, &started, bytes, &position)
        let request = HTTPRequest(
            head: head, body: body, connection: connectionInfo(head.headers), loop: lane.shard)
        lane.common.figures.requests.increment()
        lane.common.figures.inProgress.add(1)
        started.task = Task(executorPreference: lane.shard) { [self] in await serve(request) }
        exchange = started
    }

    /// A body that came whole with its head is given whole; of any other, its reader gets pieces as they come.
    private func takeBodyStart(
        _ parsed: ParsedHead, _ started: inout Exchange, _ bytes: Span<UInt8>, _ position: inout Int
    ) -> RequestBody {
        switch parsed.framing {
        case .none:
            reading = .held
            return .empty
        case .length(let length) where length <= Int64(min(bytes.count - position, options.bodyWindow)):
            let end = position + Int(length)
            let whole = bytes.extracting(position..<end).withUnsafeBufferPointer { Bytes($0) }
            position = end
            reading = .held
            started.owesContinue = false
            return RequestBody(whole)
        case .length(let length):
            reading = .length(length)
            return stream(length, &started)
        case .chunked:
            reading = .chunked(ChunkedDecoder(limits: options.limits))
            return stream(nil, &started)
        }
    }

    private func stream(_ length: Int64?, _ started: inout Exchange) -> RequestBody {
        let body = BodyStream(length: length, loop: lane.shard, source: self)
        started.body = body
        if !started.owesContinue { beginBodyWindow() }
        return RequestBody(body)
    }

    private func connectionInfo(_ headers: RequestHeaders) -> ConnectionInfo {
        let own = transport.info
        guard let peer = transport.peer else { return own }
        if case .none = options.proxies { return own }
        let client = options.proxies.client(peer: peer, isSecure: own.isSecure, headers)
        guard client.address != peer || client.isSecure != own.isSecure else { return own }
        return ConnectionInfo(
            remoteAddress: Private("\(client.address)"), remotePort: client.address == peer ? own.remotePort : 0,
            isSecure: client.isSecure)
    }

    // MARK: Bodies

    private func takeBody(_ bytes: Span<UInt8>, _ position: inout Int, _ left: Int64) {
        let count = Int(min(left, Int64(bytes.count - position)))
        take(bytes, position..<(position + count))
        position += count
        if Int64(count) == left { bodyEnded() } else { reading = .length(left - Int64(count)) }
    }

    private func takeChunks(_ bytes: Span<UInt8>, _ position: inout Int, _ decoder: ChunkedDecoder) {
        var decoder = decoder
        do throws(HTTPParseError) {
            while true {
                switch try decoder.next(bytes, at: &position) {
                case .data(let range): take(bytes, range)
                case .incomplete:
                    reading = .chunked(decoder)
                    return
                case .end: return bodyEnded()
                }
            }
        } catch {
            position = bytes.count
            breakOff(HTTPFault(error.status, error.reason, field: error.field))
        }
    }

    private func take(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        windowBytes += range.count
        guard let body = exchange?.body, !range.isEmpty else { return }
        body.append(bytes.extracting(range).withUnsafeBufferPointer { Bytes($0) })
    }

    private func bodyEnded() {
        exchange?.body?.finish()
        reading = exchange == nil ? .head : .held
        if exchange == nil { waitForRequest() } else { wait(for: .nothing, .zero) }
    }

    /// The rest of the body will not come. Its reader is told, and answers; the connection ends after that.
    private func breakOff(_ fault: HTTPFault) {
        reading = .ended
        wait(for: .nothing, .zero)
        guard let exchange else { return transport.close() }
        self.exchange?.closes = true
        exchange.body?.fail(fault)
    }

    func bodyIsWanted() {
        if exchange?.owesContinue == true {
            exchange?.owesContinue = false
            transport.send(ResponseHeadWriter.continue)
            beginBodyWindow()
        }
        updateReading()
    }

    /// Reads on only while nobody is too far behind: the reader of a body, or the answer to the last request.
    private func updateReading() {
        let isFull =
            exchange?.body.map {
                $0.bufferedBytes >= ($0.isReadElsewhere ? options.uploadWindow : options.bodyWindow)
            } ?? false
        if isFull || keptCount >= options.pipelineWindow {
            transport.pauseReading()
        } else {
            transport.resumeReading()
        }
    }

    // MARK: The next request

    /// The answer is queued whole.
    func endExchange() {
        guard let ended = exchange else { return }
        exchange = nil
        lane.common.figures.inProgress.add(-1)
        lane.common.figures.latency.record(lane.shard.now - ended.begun)
        if ended.closes {
            reading = .ended
            return transport.close()
        }
        if case .held = reading { reading = .head }
        if transport.hasRoom {
            goOn()
        } else {
            awaitsRoom = true
            transport.callWhenDrained()
        }
    }

    private func goOn() {
        if keptCount > 0 {
            let bytes = kept
            let count = consume(bytes.span.extracting(keptStart..<bytes.count))
            keptStart += count
            if keptStart >= kept.count {
                kept = Bytes()
                keptStart = 0
            }
        }
        if peerHasEnded, keptCount == 0 { return finishAfterPeer() }
        updateReading()
        if exchange == nil { waitForRequest() }
    }

    private func finishAfterPeer() {
        if exchange == nil { transport.close() } else { exchange?.closes = true }
    }

    private func waitForRequest() {
        guard case .head = reading else { return beginBodyWindow() }
        if parser.isIdle { wait(for: .request, options.idleTimeout) }
    }

    // MARK: Ends

    func receivedEnd() {
        peerHasEnded = true
        // Requests that it has sent before it shut its sending half are answered first.
        if keptCount > 0 { return }
        switch reading {
        case .length, .chunked: breakOff(HTTPFault(.badRequest, "the client broke off within the body"))
        case .head, .held, .ended: reading = .ended
        }
        guard let exchange else { return transport.close() }
        // It may only have shut its sending half, so an answer that comes in spite of this is still sent.
        self.exchange?.closes = true
        exchange.task?.cancel()
    }

    func drained() {
        if let roomWaiter {
            self.roomWaiter = nil
            roomWaiter.resume()
        } else if awaitsRoom {
            awaitsRoom = false
            goOn()
        }
    }

    func serverStops() {
        if exchange == nil, case .head = reading, parser.isIdle, !awaitsRoom { transport.close() }
    }

    func closed(_ reason: TransportClosure) {
        isGone = true
        reading = .ended
        detach()
        guard let ended = exchange else { return }
        exchange = nil
        lane.common.figures.inProgress.add(-1)
        ended.task?.cancel()
        ended.body?.fail(HTTPFault(.badRequest, "the client went away"))
        roomWaiter?.resume()
        roomWaiter = nil
    }

    /// HTTP is done with this connection.
    func endExchangeForTakeover() {
        guard let ended = exchange else { return }
        exchange = nil
        reading = .ended
        lane.common.figures.inProgress.add(-1)
        lane.common.figures.latency.record(lane.shard.now - ended.begun)
        detach()
    }

    func detach() {
        isDetached = true
        timer?.cancel()
        timer = nil
        waiting = .nothing
    }

    /// What came after the request is the next owner's.
    func takeKept() -> Bytes {
        defer { (kept, keptStart) = (Bytes(), 0) }
        return Bytes(kept[keptStart...])
    }

    // MARK: Deadlines

    /// The timer is only moved when it would ring too late; one that rings too early looks here and is armed again.
    /// A busy connection so moves it once in ten seconds, not with every request.
    private func wait(for wanted: Waiting, _ limit: Duration) {
        waiting = wanted
        guard wanted != .nothing else { return }
        deadline = lane.shard.now + limit
        armTimer()
    }

    private func armTimer() {
        guard !isDetached else { return }
        if timer == nil { timer = lane.shard.makeTimer { [unowned self] in timerFired() } }
        timer?.armNoLater(than: deadline)
    }

    private func beginBodyWindow() {
        windowBytes = 0
        wait(for: .body, options.bodyRateWindow)
    }

    private func timerFired() {
        guard waiting != .nothing else { return }
        guard deadline <= lane.shard.now else {
            timer?.arm(at: deadline)
            return
        }
        switch waiting {
        case .nothing: break
        case .request: transport.close()
        case .head: refuse(HTTPFault(.requestTimeout, "the request took too long"), path: nil)
        case .body: checkBodyRate()
        }
    }

    /// A reader that is slower than the client is no fault of the client.
    private func checkBodyRate() {
        let wanted = Double(options.bodyRate) * options.bodyRateWindow.inSeconds
        if Double(windowBytes) >= wanted || transport.isPaused { return beginBodyWindow() }
        breakOff(HTTPFault(.requestTimeout, "the body came too slowly"))
    }
}
