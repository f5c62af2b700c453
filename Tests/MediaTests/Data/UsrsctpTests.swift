import Base
import TestKit
import Testing
import Wire

@testable import Media

/// Our association against usrsctp, the stack that browsers had before dcSCTP. See `UsrsctpLibrary`.
@Suite(.serialized, .enabled(if: UsrsctpLibrary.shared != nil, "no libusrsctp; PLEXI_LIBUSRSCTP names one"))
struct UsrsctpTests {
    enum Beginning: String, CaseIterable, Sendable { case ours, theirs, both }

    /// Ours, theirs, and a network between them in steps of five milliseconds.
    final class Link {
        static var nextPeer: UInt { UInt.random(in: 1...1_000_000) }

        let library: UsrsctpLibrary
        let ours: SCTPSide
        let peer = nextPeer
        var socket: UsrsctpLibrary.Socket
        private var listener: UsrsctpLibrary.Socket?
        private let loss: Double
        private var random: SplitMix
        private var toOurs: [(Instant, Bytes)] = []
        private var toTheirs: [(Instant, Bytes)] = []
        private var partial: [UInt16: Bytes] = [:]
        var received: [SCTPMessage] = []
        var now = Instant(nanoseconds: 1_000_000_000)

        init(_ library: UsrsctpLibrary, seed: UInt64, loss: Double, beginning: Beginning) throws {
            self.library = library
            self.loss = loss
            random = SplitMix(seed: seed)
            ours = SCTPSide(seed: seed)
            UsrsctpLibrary.sent = []
            socket = try library.makeSocket(peer: peer, port: 5_000)
            switch beginning {
            case .ours:
                library.listen(socket)
                listener = socket
                ours.association.connect(now: now)
            case .theirs: library.connect(socket, peer: peer, port: 5_000)
            case .both:
                library.connect(socket, peer: peer, port: 5_000)
                ours.association.connect(now: now)
            }
        }

        func close() {
            library.close(socket)
            if let listener, listener != socket { library.close(listener) }
            for _ in 0..<200 { step() }
            library.forget(peer: peer)
        }

        private func isLost() -> Bool { Double.random(in: 0..<1, using: &random) < loss }

        private func delayed() -> Instant { now + .milliseconds(Int64.random(in: 5...15, using: &random)) }

        func step() {
            var packet: Bytes = []
            while ours.association.nextPacket(into: &packet, now: now) {
                if !isLost() { toTheirs.append((delayed(), packet)) }
            }
            for packet in UsrsctpLibrary.sent where !isLost() { toOurs.append((delayed(), packet)) }
            UsrsctpLibrary.sent = []
            now = now + .milliseconds(5)
            for (_, packet) in toTheirs.filter({ $0.0 <= now }) { library.input(packet, peer: peer) }
            toTheirs.removeAll { $0.0 <= now }
            for (_, packet) in toOurs.filter({ $0.0 <= now }) {
                ours.association.receive(packet.span.bytes, now: now)
            }
            toOurs.removeAll { $0.0 <= now }
            library.elapse(milliseconds: 5)
            if let due = ours.association.deadline, due <= now { ours.association.handleTimeout(now: now) }
            ours.takeEvents()
            if listener == socket, ours.isConnected, let accepted = library.accept(socket) { socket = accepted }
            while let part = library.receive(socket) {
                partial[part.stream, default: []] += part.bytes
                guard part.isLast else { continue }
                received.append(
                    SCTPMessage(
                        streamID: part.stream, protocolID: part.protocolID,
                        payload: partial.removeValue(forKey: part.stream) ?? []))
            }
        }

        func run(steps: Int, until condition: () -> Bool) -> Bool {
            for _ in 0..<steps where !condition() { step() }
            return condition()
        }
    }

    static let sizes = [1, 3, 60, 500, 1_104, 1_105, 1_200, 2_500, 9_000, 30_000]

    @Test(arguments: Beginning.allCases, [0.0, 0.05])
    func `a thousand messages each way arrive whole and in order`(beginning: Beginning, loss: Double) throws {
        let library = try #require(UsrsctpLibrary.shared)
        let link = try Link(library, seed: 42, loss: loss, beginning: beginning)
        defer { link.close() }
        #expect(link.run(steps: 4_000) { link.ours.isConnected })
        let total = 1_000
        let payloads = (0..<total).map { SCTPTransferTests.payload($0, Self.sizes[$0 % Self.sizes.count]) }
        var sent = 0
        var sentBack = 0
        let done = link.run(steps: 200_000) {
            while sent < total,
                link.ours.send(payloads[sent], on: UInt16(sent % 4), protocolID: UInt32(sent), now: link.now)
                    == .accepted
            { sent += 1 }
            while sentBack < total,
                library.send(
                    payloads[sentBack], on: link.socket, stream: UInt16(sentBack % 4), protocolID: UInt32(sentBack),
                    isUnordered: false)
            { sentBack += 1 }
            return link.received.count >= total && link.ours.messages.count >= total
        }
        #expect(done, "\(link.received.count) of \(sent) there, \(link.ours.messages.count) of \(sentBack) here")
        for messages in [link.received, link.ours.messages] {
            #expect(messages.count == total)
            for stream in 0..<4 {
                let numbers = messages.filter { $0.streamID == stream }.map { Int($0.protocolID) }
                #expect(numbers == Array(stride(from: stream, to: total, by: 4)))
            }
            for message in messages { #expect(message.payload == payloads[Int(message.protocolID)]) }
        }
        print(
            "usrsctp, \(beginning) first, loss \(loss): \((link.now - Instant(nanoseconds: 1_000_000_000)).inSeconds) s of",
            "virtual time; ours \(link.ours.counters)")
    }

    @Test func `unreliable messages of ours are skipped by theirs`() throws {
        let library = try #require(UsrsctpLibrary.shared)
        let link = try Link(library, seed: 43, loss: 0.2, beginning: .both)
        defer { link.close() }
        #expect(link.run(steps: 4_000) { link.ours.isConnected })
        for isOrdered in [true, false] {
            let reliability = DataChannelReliability(limit: .retransmissions(0), isOrdered: isOrdered)
            let before = link.received.count
            for number in 0..<200 {
                let payload = SCTPTransferTests.payload(number, number % 5 == 0 ? 5_000 : 100)
                _ = link.ours.send(payload, on: 3, protocolID: UInt32(number), reliability: reliability, now: link.now)
                for _ in 0..<5 { link.step() }
            }
            #expect(link.ours.send([7], on: 3, protocolID: 5_000, now: link.now) == .accepted)
            #expect(link.run(steps: 20_000) { link.received.last?.protocolID == 5_000 })
            let numbers = link.received.dropFirst(before).dropLast().map { Int($0.protocolID) }
            #expect(numbers.count > 60 && numbers.count < 200)
            #expect(Set(numbers).count == numbers.count)
            if isOrdered { #expect(numbers == numbers.sorted()) }
        }
    }

    @Test func `streams are reset from both sides, and used again`() throws {
        let library = try #require(UsrsctpLibrary.shared)
        let link = try Link(library, seed: 44, loss: 0.05, beginning: .theirs)
        defer { link.close() }
        #expect(link.run(steps: 4_000) { link.ours.isConnected })
        for round in 1...3 {
            #expect(link.ours.send([1, 2], on: 6, protocolID: 51, now: link.now) == .accepted)
            #expect(library.send([3], on: link.socket, stream: 6, protocolID: 53, isUnordered: true))
            #expect(link.run(steps: 5_000) { link.received.count == round && link.ours.messages.count == round })
            link.ours.association.resetStreams([6], now: link.now)
            #expect(
                link.run(steps: 5_000) {
                    link.ours.events.filter { $0 == .outgoingReset([6], isDone: true) }.count == round
                })
            library.reset(link.socket, stream: 6)
            #expect(
                link.run(steps: 5_000) { link.ours.events.filter { $0 == .incomingReset([6]) }.count == round })
            // Their side needs our answer before it takes data for the stream again.
            for _ in 0..<400 { link.step() }
        }
    }

    @Test func `our shutdown is theirs`() throws {
        let library = try #require(UsrsctpLibrary.shared)
        let link = try Link(library, seed: 45, loss: 0.05, beginning: .ours)
        defer { link.close() }
        #expect(link.run(steps: 4_000) { link.ours.isConnected })
        for _ in 0..<20 { link.step() }
        link.ours.association.shutdown(now: link.now)
        #expect(link.run(steps: 20_000) { link.ours.closeReason != nil })
        #expect(link.ours.closeReason == .shutdown)
    }
}
