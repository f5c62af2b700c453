// The far end of a probe's echo: a UDP socket of our own that answers what the relay brings it.

import Base
import CShims
import Crypto
import Glibc
import Wire

protocol RelayEchoOwner: AnyObject {
    /// Where the relay would send to.
    func echoFound(_ peer: TransportAddress)
    func echoSends(_ bytes: Bytes, to peer: TransportAddress)
    /// Round-trip time, or `nil` when nothing came back.
    func echoEnded(_ time: Duration?)
}

/// On the thread of its loop.
final class RelayEcho {
    /// Random, so that nobody answers for the relay by accident.
    private static let tokenBytes = 32
    /// The server is asked where it sees the socket, no longer than this: not every relay answers on UDP.
    private static let locateLimit = Duration.milliseconds(1_200)
    private static let bufferBytes = 2_048

    private let loop: any EventLoop
    private let options: RelayProbeOptions
    private let local: IPAddress
    private let server: TransportAddress
    private let asksServer: Bool
    private let relayed: TransportAddress
    private weak var owner: (any RelayEchoOwner)?
    private var descriptor: Int32 = -1
    private var watch: (any DescriptorWatch)?
    private var asking = RelayClient(nil)
    private var locateEnds: Instant?
    private let question = SecureRandom.bytes(tokenBytes)
    private let answer = SecureRandom.bytes(tokenBytes)
    private var sent = 0
    private var sentAt = Instant.now()
    private var nextSend: Instant?

    private(set) var peer: TransportAddress?

    init(
        on loop: any EventLoop, options: RelayProbeOptions, local: IPAddress, server: TransportAddress,
        asksServer: Bool, relayed: TransportAddress, owner: any RelayEchoOwner
    ) {
        self.loop = loop
        self.options = options
        self.local = local
        self.server = server
        self.asksServer = asksServer
        self.relayed = relayed
        self.owner = owner
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    func close() {
        owner = nil
        watch?.cancel()
        watch = nil
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    var deadline: Instant? {
        [asking.deadline, locateEnds, nextSend].compactMap { $0 }.min()
    }

    // MARK: - Where we are

    func locate() {
        var address = plexi_address(TransportAddress(local, 0))
        descriptor = plexi_datagram_socket(&address, Int32(Self.bufferBytes * 16))
        guard descriptor >= 0 else { return owner?.echoEnded(nil) ?? () }
        watch = try? loop.watch(descriptor, for: .readable) { [weak self] _ in self?.read() }
        peer = TransportAddress(address)
        guard asksServer, server.ip.isV6 == local.isV6 else { return found() }
        locateEnds = .now() + Self.locateLimit
        asking.askBinding(now: .now())
        sendQuestions()
    }

    private func sendQuestions() {
        while let message = asking.takeMessage() { send(message, to: server) }
    }

    private func found() {
        locateEnds = nil
        guard let peer else { return }
        owner?.echoFound(peer)
    }

    // MARK: - The echo

    /// The channel is there.
    func bound() {
        send(answer, to: relayed)  // opens our own way in
        ask()
    }

    private func ask() {
        guard let peer else { return }
        sent += 1
        sentAt = .now()
        nextSend = sentAt + options.echoInterval
        owner?.echoSends(question, to: peer)
    }

    func cameBack(_ bytes: Bytes) {
        // The first one greeted the relay before anything was asked.
        guard nextSend != nil, bytes == answer, hasEchoed else { return }
        nextSend = nil
        owner?.echoEnded(.now() - sentAt)
    }

    private var hasEchoed = false

    func handleTimeout(now: Instant) {
        asking.handleTimeout(now: now)
        sendQuestions()
        if let ends = locateEnds, ends <= now { found() }
        guard let next = nextSend, next <= now else { return }
        if sent < options.echoes {
            ask()
        } else {
            nextSend = nil
            owner?.echoEnded(nil)
        }
    }

    private func send(_ bytes: Bytes, to address: TransportAddress) {
        var address = plexi_address(address)
        _ = plexi_datagram_send(descriptor, bytes, UInt(bytes.count), &address)
    }

    private func read() {
        withUnsafeTemporaryAllocation(byteCount: Self.bufferBytes, alignment: 16) { buffer in
            while descriptor >= 0 {
                var from = plexi_address()
                let count = plexi_datagram_receive(descriptor, buffer.baseAddress, UInt(buffer.count), &from)
                // An error of an earlier datagram (ICMP) is gone once read; an empty socket ends it.
                if count < 0 { return }
                guard count <= buffer.count else { continue }
                take(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), TransportAddress(from))
            }
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer, _ from: TransportAddress) {
        if from == server, locateEnds != nil {
            asking.receive(bytes.bytes, now: .now())
            while let event = asking.takeEvent() {
                if case .mapped(let address) = event { peer = address }
                found()
            }
        } else if from.ip == relayed.ip, bytes.elementsEqual(question) {
            hasEchoed = true
            send(answer, to: from)
        }
    }
}
