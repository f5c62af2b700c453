// One engine and some soft peers on a simulated network: virtual time, no socket.

import Base
import Crypto
import TestKit
import Wire

@testable import Media

final class EngineWorld {
    static let serverAddress = TransportAddress(IPAddress(v4: 0xC000_0201), 5_000)

    let engine: MediaEngine
    var net: SimNet
    private(set) var peers: [(peer: SoftPeer, address: TransportAddress, id: ParticipantID)] = []
    /// Times that a deadline came up by itself, and not with what a batch brought.
    private(set) var timersFired = 0

    /// Whether peers tell what their networks carry. Without, nothing is estimated, paced or held back: for tests of who
    /// gets what, which do not want to wait for an estimate to climb.
    var reportsNetwork = true

    init(seed: UInt64, settings: MediaSettings = MediaSettings(), packetSlots: Int = 4_096) throws {
        net = SimNet(seed: seed)
        var small = settings
        small.limits.packetSlots = min(settings.limits.packetSlots, packetSlots)
        small.limits.sessions = min(settings.limits.sessions, 512)
        engine = MediaEngine(
            settings: small, identity: try DTLSIdentity.make(), now: net.now, wallClock: .now(), seed: (seed, 7))
        engine.advertise([Self.serverAddress])
        net.attach(Self.serverAddress)
        engine.outbox.flush = { [unowned self] _ in flushEngine() }
    }

    @discardableResult
    func join(
        _ room: String, as role: MediaService.Role, _ sections: [SoftPeer.Section], up: [SimNet.LinkID] = [],
        down: [SimNet.LinkID] = [], identity: DTLSIdentity? = nil, edit: (String) -> String = { $0 }
    ) throws -> Int {
        let peer = try SoftPeer(
            sections, identity: try identity ?? DTLSIdentity.make(), seed: UInt64(peers.count) + 99)
        peer.offersTransportFeedback = reportsNetwork
        return try join(room, as: role, peer, up: up, down: down, edit: edit)
    }

    /// With an offer that a test writes.
    @discardableResult
    func join(
        _ room: String, as role: MediaService.Role, _ sections: [SoftPeer.Section], up: [SimNet.LinkID] = [],
        down: [SimNet.LinkID] = [], offer: (SoftPeer) -> String
    ) throws -> Int {
        let peer = try SoftPeer(sections, identity: DTLSIdentity.make(), seed: UInt64(peers.count) + 99)
        let text = offer(peer)
        return try join(room, as: role, peer, up: up, down: down, edit: { _ in text })
    }

    /// With a peer of its own; `edit` may change what it offers.
    func join(
        _ room: String, as role: MediaService.Role, _ peer: SoftPeer, up: [SimNet.LinkID] = [],
        down: [SimNet.LinkID] = [], edit: (String) -> String = { $0 }
    ) throws -> Int {
        let number = peers.count
        let address = TransportAddress(IPAddress(v4: 0xC000_0300 + UInt32(number)), 6_000)
        net.attach(address, up: up, down: down)
        let joined = try engine.join(room, as: role, offer: edit(peer.offer()), now: net.now)
        try peer.accept(answer: joined.sdp, now: net.now)
        peers.append((peer, address, joined.participant))
        return number
    }

    /// Somebody who is offered first, and answers.
    func invite(_ room: String, toSend kinds: [MediaKind], edit: (String) -> String = { $0 }) throws -> Int {
        let peer = try SoftPeer([], identity: DTLSIdentity.make(), seed: UInt64(peers.count) + 99)
        peer.offersTransportFeedback = reportsNetwork
        let number = peers.count
        let address = TransportAddress(IPAddress(v4: 0xC000_0300 + UInt32(number)), 6_000)
        net.attach(address)
        let invited = try engine.invite(room, toSend: kinds, now: net.now)
        peers.append((peer, address, invited.participant))
        let answer = edit(try peer.accept(offer: invited.sdp, now: net.now))
        try engine.accept(answer: answer, from: invited.participant, now: net.now)
        return number
    }

    func peer(_ number: Int) -> SoftPeer { peers[number].peer }
    func id(_ number: Int) -> ParticipantID { peers[number].id }

    /// The peer makes an offer, and takes the answer.
    func reoffer(_ number: Int) throws {
        let answer = try engine.accept(offer: peer(number).offer(), from: id(number), now: net.now)
        try peer(number).accept(answer: answer, now: net.now)
    }

    /// The engine makes an offer if it has one, and takes the answer. False when it had none.
    @discardableResult
    func takeOffer(_ number: Int) throws -> Bool {
        guard let offer = try engine.offer(to: id(number), now: net.now) else { return false }
        try engine.accept(answer: try peer(number).accept(offer: offer, now: net.now), from: id(number), now: net.now)
        return true
    }

    /// Runs for a while, in steps of a millisecond; `each` is called before each step.
    func run(_ duration: Duration, each: (Instant) -> Void = { _ in }) {
        let end = net.now + duration
        while net.now < end {
            each(net.now)
            step()
        }
    }

    /// Until the condition holds; false when it did not in time.
    func run(upTo duration: Duration, until condition: () -> Bool) -> Bool {
        let end = net.now + duration
        while net.now < end {
            if condition() { return true }
            step()
        }
        return condition()
    }

    private func step() {
        let now = net.now
        if let deadline = engine.deadline, deadline <= now {
            timersFired += 1
            engine.handleDeadlines(now: now)
        }
        flushEngine()
        for entry in peers {
            entry.peer.tick(now: now)
            for datagram in entry.peer.takeOutgoing() {
                net.send(datagram, from: entry.address, to: Self.serverAddress)
            }
        }
        let limit = now + .milliseconds(1)
        var hasBatch = false
        while let delivery = net.next(until: limit) {
            hasBatch = hasBatch || delivery.to == Self.serverAddress
            deliver(delivery)
        }
        engine.endBatch(now: net.now)
        if hasBatch { engine.handleDeadlines(now: net.now) }
        flushEngine()
    }

    private func deliver(_ delivery: SimDelivery) {
        guard delivery.to == Self.serverAddress else {
            peers.first { $0.address == delivery.to }?.peer.receive(delivery.datagram, now: net.now)
            return
        }
        guard let slot = engine.slab.allocate() else { return }
        engine.slab[slot].copyBytes(from: delivery.datagram)
        let free = engine.receive(
            slot, delivery.datagram.count, from: MediaPath(remote: delivery.from, socket: 0), now: net.now)
        engine.slab.release(free)
    }

    private func flushEngine() {
        var datagrams: [(Bytes, TransportAddress)] = []
        engine.outbox.visitDatagrams { bytes, path in datagrams.append((Bytes(bytes), path.remote)) }
        engine.outbox.removeAll()
        for (bytes, to) in datagrams { net.send(bytes, from: Self.serverAddress, to: to) }
    }
}
