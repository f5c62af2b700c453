// One client of a relay under load: allocates, binds a channel to the peer, and sends frames of video through it, the
// packets of a frame together: datagrams with one call, on streams message by message, as browsers do. Without a relay in between it speaks with the peer itself: what both ways
// have in common is then known.

import Base
import Crypto
import Relay
import Wire

/// What all clients send.
struct RelayLoadShape {
    /// Video of 2.3 Mbit/s: frames of 8 packets, 30 times a second.
    let packets = Arguments.integer("packets", default: 8)
    let interval = Duration.microseconds(Int64(1_000_000 / max(1, Arguments.integer("rate", default: 30))))
    let length = max(16, Arguments.integer("length", default: 1_200))
}

/// On the loop's thread.
final class RelayLoadClient: RelayLinkOwner {
    enum Phase: Equatable {
        case connecting
        case ready
        case failed(String)
    }

    /// A client that is later than this lets frames be: several at once would be no load that people make.
    private static let lateMax = Duration.milliseconds(50)

    private let loop: any EventLoop
    private let shape: RelayLoadShape
    private let peer: TransportAddress
    /// `nil` without a relay in between.
    private var machine: RelayClient
    private let isDirect: Bool
    private let isStream: Bool
    private var link: RelayClientLink?
    private var machineTimer: (any ScheduledTimer)?
    private var frameTimer: (any ScheduledTimer)?
    private var nextFrame = Instant(nanoseconds: 0)
    private var message = Bytes()
    private var frame = Bytes()
    /// Where the payload begins in what is sent and received.
    private var header: Int { isDirect ? 0 : ChannelData.headerLength }
    private(set) var phase = Phase.connecting
    private(set) var sent = 0
    private(set) var returned = 0
    private(set) var skipped = 0
    /// Nanoseconds to the peer and back; filled while it is wanted.
    private(set) var latencies: [UInt64] = []
    var isTimed = false

    init(
        _ url: RelayURL?, at server: TransportAddress, _ credentials: RelayClientCredentials?,
        peer: TransportAddress, _ shape: RelayLoadShape, on loop: any EventLoop
    ) {
        self.loop = loop
        self.shape = shape
        self.peer = peer
        isDirect = url == nil
        isStream = url?.isStream ?? false
        var settings = RelayClientSettings()
        settings.isReliable = isStream
        machine = RelayClient(credentials, settings)
        let way = url ?? RelayURL(.udp, host: "127.0.0.1", port: peer.port)
        link = RelayClientLink(way, at: isDirect ? peer : server, trusting: .anyone, on: loop, owner: self)
        machineTimer = loop.timer { [unowned self] in
            machine.handleTimeout(now: .now())
            drain()
        }
        frameTimer = loop.timer { [unowned self] in sendFrame() }
    }

    func open() { link?.open() }

    func close() {
        frameTimer?.cancel()
        if !isDirect {
            machine.release(now: .now())
            drain()
        }
        machineTimer?.cancel()
        link?.close()
        link = nil
    }

    // MARK: - Becoming ready

    func linkIsReady() {
        guard !isDirect else { return becomeReady(header: []) }
        machine.allocate(now: .now())
        drain()
    }

    func linkFailed(_ failure: RelayLinkFailure) { phase = .failed("\(failure)") }

    private func drain() {
        while let event = machine.takeEvent() { take(event) }
        while let message = machine.takeMessage() { link?.send(message) }
        if let deadline = machine.deadline { machineTimer?.arm(at: deadline) }
    }

    private func take(_ event: RelayClientEvent) {
        switch event {
        case .allocated: machine.bind(peer, now: .now())
        case .bound(let number, _) where phase == .connecting:
            var header = Bytes()
            header.append(bigEndian: number)
            header.append(bigEndian: UInt16(shape.length))
            becomeReady(header: header)
        case .failed(let step, let error): phase = .failed("\(step): \(error)")
        case .received, .mapped, .permitted, .bound, .refreshed, .released: break
        }
    }

    private func becomeReady(header: Bytes) {
        message = header + Bytes(repeating: 0x55, count: shape.length)
        if isStream { while message.count & 3 != 0 { message.append(0) } }
        phase = .ready
    }

    // MARK: - Frames

    /// The first one leaves at `first`.
    func begin(at first: Instant) {
        nextFrame = first
        frameTimer?.arm(at: first)
    }

    func pause() { frameTimer?.cancel() }

    private func sendFrame() {
        let now = Instant.now()
        if now - nextFrame > Self.lateMax {
            skipped += 1
        } else {
            send()
        }
        nextFrame = nextFrame + shape.interval
        frameTimer?.arm(at: nextFrame)
    }

    private func send() {
        let time = Instant.now().nanoseconds
        for index in 0..<8 { message[header + index] = UInt8(truncatingIfNeeded: time >> UInt64(8 * index)) }
        frame.removeAll(keepingCapacity: true)
        for _ in 0..<shape.packets { frame += message }
        link?.send(burst: frame, of: message.count)
        sent += shape.packets
    }

    func linkReceived(_ bytes: RawSpan) {
        guard isDirect || bytes.byteCount > 0 && bytes.byte(0) & 0xC0 == 0x40 else {
            machine.receive(bytes, now: .now())
            return drain()
        }
        guard bytes.byteCount >= header + 8 else { return }
        returned += 1
        guard isTimed else { return }
        var time: UInt64 = 0
        for index in 0..<8 { time |= UInt64(bytes.byte(header + index)) << UInt64(8 * index) }
        latencies.append(Instant.now().nanoseconds &- time)
    }
}
