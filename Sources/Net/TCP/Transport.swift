// One stream connection: bytes in, bytes out, and its end. What the bytes mean is the owner's business.
//
// A transport has one owner at a time: an HTTP connection first, a WebSocket after a takeover. It reads only while the
// owner wants it to, gathers what the owner sends during a turn of the loop and writes it in one system call at the
// turn's end, and tells the owner when a slow peer has taken enough to go on. All of it on the shard's thread.

package import Base
import Crypto
import Glibc
package import Wire

/// Speaks on a transport. Every call comes on the shard's thread.
package protocol ConnectionProtocol: AnyObject {
    /// Bytes came. They are valid during the call only, and the owner takes them all, even when it pauses reading.
    func received(_ bytes: Span<UInt8>)

    /// The peer sends no more. It may still read; an owner with nothing to say closes.
    func receivedEnd()

    /// Nothing, or little (`TransportOptions.lowWater`), is queued any more. Comes once after each
    /// `callWhenDrained`.
    func drained()

    /// The server goes away and wants this connection to end soon: an answer with `Connection: close`, a close frame.
    func serverStops()

    /// The connection is gone, by either side. Comes exactly once, as the last call; inside `cut`, if that is why.
    func closed(_ reason: TransportClosure)
}

/// Who keeps transports; is told of each that is gone, after its owner.
protocol TransportTable: AnyObject {
    func left(_ transport: Transport)
}

package enum TransportClosure: Sendable, Equatable {
    /// This side closed, and all that was queued was handed to the kernel.
    case finished
    /// The peer reset the connection, or TLS failed.
    case broken
    /// The peer took nothing for as long as `TransportOptions.writeStall`.
    case stalled
    /// `cut` was called.
    case cut
}

package struct TransportOptions: Sendable {
    /// `drained` comes when no more than this is queued. Higher keeps fast clients busier, lower holds less memory for
    /// slow ones.
    package var lowWater = 32 << 10
    /// A peer that takes none of what is queued for so long is cut off. Lower frees memory sooner, and hurts phones in
    /// tunnels.
    package var writeStall: Duration = .seconds(30)
    /// After a close we read on for so long, so that a peer that is still sending gets to read our last answer
    /// instead of a reset (RFC 9112 §9.6).
    package var linger: Duration = .seconds(2)
    /// The same in bytes: more of an unwanted upload than this is not read.
    package var lingerBytes = 1 << 20
    /// A TLS handshake that takes longer is cut off.
    package var handshake: Duration = .seconds(10)

    package init() {}
}

package final class Transport: TurnEndObserver {
    /// Full reads from one socket in one turn. Higher favours throughput of one upload, lower fairness among many.
    private static let readsPerTurn = 4
    /// Bytes written for one socket in one turn, for the same reason.
    private static let writtenPerTurn = 1 << 20

    private enum Phase {
        case open
        /// The owner has closed; what is queued goes out first.
        case finishing
        /// Our end is shut; what still comes is read and dropped.
        case lingering
        case gone
    }

    package let loop: Shard
    package let info: ConnectionInfo
    /// Who is connected; `nil` for a local socket. Behind a proxy, the proxy.
    package let peer: IPAddress?

    private let descriptor: Int32
    private let options: TransportOptions
    private let security: TransportSecurity?
    private var watch: PollWatch?
    private var owner: (any ConnectionProtocol)?
    private var table: (any TransportTable)?

    private var phase = Phase.open
    private var output = OutputQueue()
    private var peerHasEnded = false
    private var isReadingPaused = false
    private var isFlushPlanned = false
    private var isBlocked = false
    private var wantsDrained = false
    private var timer: ShardTimer?
    /// When the peer last took something, or began to owe it; for `writeStall`.
    private var lastProgress = Instant(nanoseconds: 0)
    private var lingerEnd = Instant(nanoseconds: 0)
    private var lingered = 0
    package private(set) var bytesReceived: UInt64 = 0
    package private(set) var bytesSent: UInt64 = 0
    /// Where the transport stands in its server's table.
    var tableIndex = -1

    /// Takes the descriptor over, which is non-blocking and connected.
    init(
        _ descriptor: Int32, on loop: Shard, info: ConnectionInfo, peer: IPAddress?, options: TransportOptions,
        session: TLSSession?, in table: any TransportTable
    ) {
        self.descriptor = descriptor
        self.loop = loop
        self.info = info
        self.options = options
        self.peer = peer
        self.table = table
        security = session.map { TransportSecurity($0) }
    }

    /// Begins to read for `owner`, at once: a client mostly has something to say when it connects, and what is there
    /// already costs no turn of the loop. The owner may have been called, up to `closed`, when this returns.
    func start(_ owner: any ConnectionProtocol) throws(SystemError) {
        loop.checkIsolated()
        self.owner = owner
        if security != nil { armTimer(at: loop.now + options.handshake) }
        read()
        guard phase != .gone else { return }
        watch = try loop.pollWatch(descriptor, for: wantedInterest) { [self] readiness in ready(readiness) }
    }

    /// Gives the connection to another owner. The old one gets no more calls; bytes that it holds it passes on.
    package func handOver(to newOwner: any ConnectionProtocol) {
        owner = newOwner
        wantsDrained = false
    }

    /// What the handshake agreed on (ALPN); `nil` without TLS, and where nothing was asked for.
    package var applicationProtocol: String? { security?.session.applicationProtocol }

    // MARK: Sending

    package var isOpen: Bool { phase == .open }

    /// Bytes in memory that the kernel has not taken yet.
    package var queuedBytes: Int { output.byteCount + (security?.unsentCount ?? 0) }

    /// Little enough is queued to add more: what `drained` reports.
    package var hasRoom: Bool { output.fileCount == 0 && queuedBytes <= options.lowWater }

    /// Queues bytes; they go out at the end of this turn. Large ones are shared, not copied. Nothing happens after a
    /// close.
    package func send(_ bytes: Bytes) {
        guard phase == .open, !bytes.isEmpty else { return }
        output.append(bytes, loop.buffers)
        planFlush()
    }

    /// Queues what `build` appends, without a buffer of its own.
    package func send(_ build: (inout Bytes) -> Void) {
        guard phase == .open else { return }
        output.append(loop.buffers, build)
        planFlush()
    }

    /// Queues a message that its reader can use alone. Under TLS it is a record of its own (up to 16 KiB, and while
    /// the socket keeps up): its reader has it with its own last byte, not with that of the messages behind it.
    package func send(message: UnsafeRawBufferPointer) {
        guard phase == .open else { return }
        let taken = output.isEmpty ? security?.encrypt(message) ?? 0 : 0
        if taken < message.count {
            output.append(loop.buffers) { $0.append(contentsOf: UnsafeRawBufferPointer(rebasing: message[taken...])) }
        }
        planFlush()
    }

    /// Queues a part of a file, which is read when the peer takes it.
    func send(_ region: FileRegion) {
        guard phase == .open, region.length > 0 else { return }
        output.append(region)
        planFlush()
    }

    /// Asks for one call of `drained`, which comes in a later turn of the loop when little is queued.
    package func callWhenDrained() {
        wantsDrained = true
        planFlush()
    }

    private func planFlush(evenIfBlocked: Bool = false) {
        guard !isFlushPlanned, !isBlocked || evenIfBlocked else { return }
        isFlushPlanned = true
        loop.flushAtEndOfTurn(self)
    }

    func turnEnded() {
        isFlushPlanned = false
        if security != nil, phase == .open { decrypt() }
        flush()
    }

    private func flush() {
        guard phase == .open || phase == .finishing else { return }
        do {
            try write()
        } catch {
            return end(.broken)
        }
        if phase == .finishing, !isBlocked, output.isEmpty { return shutOurEnd() }
        guard wantsDrained, hasRoom else { return }
        wantsDrained = false
        owner?.drained()
    }

    private func write() throws {
        var budget = Self.writtenPerTurn
        while hasSomethingToWrite {
            guard budget > 0, let count = try writeOnce(budget) else { return block() }
            guard count > 0 else { throw TLSError.broken("the session takes nothing") }
            budget -= count
            bytesSent &+= UInt64(count)
            lastProgress = loop.now
        }
        output.recycle(loop.buffers)
        guard isBlocked else { return }
        isBlocked = false
        applyInterest()
    }

    /// Under TLS nothing of ours can be written before the handshake is done.
    private var hasSomethingToWrite: Bool {
        guard let security else { return !output.isEmpty }
        return security.hasUnsent || !security.isHandshaking && !output.isEmpty
    }

    private func writeOnce(_ limit: Int) throws -> Int? {
        guard let security else { return try output.write(to: descriptor, atMost: limit) }
        if !security.hasUnsent { try security.encrypt(&output, scratch: loop.receiveBuffer) }
        return try security.send(to: descriptor)
    }

    /// The kernel takes no more for now.
    private func block() {
        guard !isBlocked else { return }
        isBlocked = true
        lastProgress = loop.now
        armTimer(at: loop.now + options.writeStall)
        applyInterest()
    }

    // MARK: Receiving

    /// No `received` comes until `resumeReading`. The peer's end is not noticed in the meantime.
    package func pauseReading() {
        guard !isReadingPaused else { return }
        isReadingPaused = true
        applyInterest()
    }

    package var isPaused: Bool { isReadingPaused }

    package func resumeReading() {
        guard isReadingPaused else { return }
        isReadingPaused = false
        applyInterest()
        if security != nil { planFlush(evenIfBlocked: true) }  // decrypted bytes may wait in the session
    }

    private func applyInterest() { watch?.interest = wantedInterest }

    private var wantedInterest: Readiness {
        var interest: Readiness = []
        if !peerHasEnded, !isReadingPaused || phase != .open { interest.insert(.readable) }
        if isBlocked { interest.insert(.writable) }
        return interest
    }

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.writable), isBlocked { flush() }
        if readiness.contains(.readable), phase != .gone { read() }
    }

    private func read() {
        for _ in 0..<Self.readsPerTurn {
            guard !peerHasEnded, !isReadingPaused || phase != .open, phase != .gone else { return }
            let buffer = loop.receiveBuffer
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 {
                take(buffer, count)
                if count < buffer.count { return }
            } else if count == 0 {
                return takeEnd()
            } else if errno == EAGAIN {
                return
            } else if errno != EINTR {
                return end(.broken)
            }
        }
    }

    private func take(_ buffer: UnsafeMutableBufferPointer<UInt8>, _ count: Int) {
        bytesReceived &+= UInt64(count)
        guard phase == .open else { return drop(count) }
        guard let security else { return give(UnsafeBufferPointer(rebasing: buffer[..<count])) }
        do {
            try security.session.receive(UnsafeRawBufferPointer(start: buffer.baseAddress, count: count))
        } catch {
            return fail(security)
        }
        decrypt()
        planFlush()
    }

    private func give(_ bytes: UnsafeBufferPointer<UInt8>) { owner?.received(bytes.span) }

    /// Gives the owner what the session has, as long as it wants it.
    private func decrypt() {
        guard let security else { return }
        let buffer = loop.receiveBuffer
        while phase == .open, !isReadingPaused, !peerHasEnded {
            do {
                switch try security.session.read(into: UnsafeMutableRawBufferPointer(buffer)) {
                case .plaintext(let count): give(UnsafeBufferPointer(rebasing: buffer[..<count]))
                case .needsMore: return
                case .ended: return takeEnd()
                }
            } catch {
                return fail(security)
            }
        }
    }

    /// The peer gets the alert, if its socket takes it now.
    private func fail(_ security: TransportSecurity) {
        _ = try? security.send(to: descriptor)
        end(.broken)
    }

    private func takeEnd() {
        peerHasEnded = true
        applyInterest()
        switch phase {
        case .open: owner?.receivedEnd()
        case .lingering: end(.finished)
        case .finishing, .gone: break
        }
    }

    private func drop(_ count: Int) {
        lingered += count
        if lingered > options.lingerBytes { end(.finished) }
    }

    // MARK: The end

    /// Sends what is queued, then ends the connection in a way that lets the peer read it all.
    package func close() {
        guard phase == .open else { return }
        phase = .finishing
        applyInterest()
        planFlush()
    }

    /// Ends the connection now, by a reset. What is queued is lost.
    package func cut() {
        if phase != .gone {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }
        end(.cut)
    }

    package func serverStops() { owner?.serverStops() }

    private func shutOurEnd() {
        if let security, security.close() {
            planFlush()  // comes back here when the last record is out
            return
        }
        guard !peerHasEnded else { return end(.finished) }
        phase = .lingering
        shutdown(descriptor, Int32(SHUT_WR))
        lingerEnd = loop.now + options.linger
        armTimer(at: lingerEnd)
        applyInterest()
    }

    private func end(_ reason: TransportClosure) {
        guard phase != .gone else { return }
        phase = .gone
        timer?.cancel()
        timer = nil
        watch?.cancelBeforeClose()
        watch = nil
        Glibc.close(descriptor)
        output = OutputQueue()
        let (owner, table) = (owner, table)
        self.owner = nil
        self.table = nil
        owner?.closed(reason)
        table?.left(self)
    }

    // MARK: Deadlines

    private func armTimer(at deadline: Instant) {
        if timer == nil { timer = loop.makeTimer { [unowned self] in timerFired() } }
        timer?.arm(at: deadline)
    }

    private func timerFired() {
        switch phase {
        case .lingering: end(.finished)
        case .open where security?.isHandshaking == true: end(.broken)
        case .open, .finishing:
            guard isBlocked else { return }
            let deadline = lastProgress + options.writeStall
            if deadline <= loop.now { end(.stalled) } else { armTimer(at: deadline) }
        case .gone: break
        }
    }
}
