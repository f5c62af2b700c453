// TCP to peers (RFC 6062): Connect, connections that peers make, and ConnectionBind, by which a second connection of the
// client becomes the way of the data.

package import Base
package import Wire

extension RelayEngine {
    func connect(_ ask: Ask, _ proof: Proof, _ index: UInt32) {
        guard tables.allocations[index].transport == .tcp else {
            return refuse(ask, .badRequest, .badRequest, proof, "Connect is for a TCP allocation")
        }
        guard let peer = ask.message.xorAddress(.xorPeerAddress) else {
            return refuse(ask, .badRequest, .badRequest, proof, "Connect has a peer")
        }
        guard tables.allocations[index].has(isV6: peer.ip.isV6) else {
            return refuse(
                ask, .peerAddressFamilyMismatch, .family, proof, "the peer is of another family than the allocation")
        }
        guard policy.allows(peer) else {
            return refuse(ask, .forbidden, .forbiddenPeer, proof, "this relay does not reach that peer")
        }
        guard tables.link(index, to: peer) == nil else {
            return refuse(ask, .connectionAlreadyExists, .connectionExists, proof, "this peer is connected already")
        }
        guard let link = makeLink(index, peer, .connecting, ask.now) else {
            return refuse(
                ask, .insufficientCapacity, .capacity, proof, "an allocation has so many connections, no more")
        }
        tables.links[link].transaction = ask.message.transactionID
        tables.links[link].answersSHA256 = proof.integrity == .sha256
        let relay = tables.relay(index, isV6: peer.ip.isV6)
        outbox.append(.connect(tables.connection(link), from: relay, to: peer))
    }

    private func makeLink(
        _ index: UInt32, _ peer: TransportAddress, _ phase: PeerLink.Phase, _ now: Instant
    ) -> UInt32? {
        guard Int(tables.allocations[index].linkCount) < settings.limits.connectionsPerAllocation else { return nil }
        let deadline = now + PeerLink.patience
        guard let link = tables.makeLink(index, to: peer, phase, deadline: deadline) else { return nil }
        tables.look(at: index, by: deadline)
        counters.connections &+= 1
        return link
    }

    package func peerConnected(_ connection: PeerConnectionID, now: Instant) {
        guard let link = tables.link(connection), tables.links[link].phase == .connecting else {
            return outbox.append(.closePeer(connection))
        }
        tables.links[link].phase = .waiting
        tables.links[link].deadline = now + PeerLink.patience
        tables.look(at: tables.links[link].allocation, by: now + PeerLink.patience)
        answerConnect(link) { $0.add(.connectionID, connection.rawValue) }
    }

    package func peerFailed(_ connection: PeerConnectionID, now: Instant) {
        guard let link = tables.link(connection), tables.links[link].phase == .connecting else { return }
        failConnect(link)
    }

    func failConnect(_ link: UInt32) {
        count(.connectionFailed)
        answerConnect(link, .error) {
            $0.add(error: .connectionTimeoutOrFailure, reason: "the peer does not answer")
        }
        tables.removeLink(link)
    }

    private func answerConnect(_ link: UInt32, _ kind: STUNClass = .success, _ add: (inout STUNWriter) -> Void) {
        let state = tables.links[link]
        let allocation = tables.allocations[state.allocation]
        guard let key = tables.user(allocation.user)?.key else { return }
        writer.begin(kind, .connect, state.transaction)
        add(&writer)
        finish(to: allocation.client, key, state.answersSHA256 ? .sha256 : .sha1, fingerprint: false)
    }

    /// A peer calls the relayed address of a TCP allocation. `nil`: close it. Otherwise keep it, and read nothing from
    /// it before `join`.
    package func peerArrived(on relay: RelayID, from peer: TransportAddress, now: Instant) -> PeerConnectionID? {
        guard let index = tables.allocation(of: relay), tables.allocations[index].phase == .open,
            tables.allocations[index].transport == .tcp, tables.allocations[index].expiry > now
        else {
            count(.mismatch)
            return nil
        }
        guard let permission = tables.permission(index, peer.ip), tables.permissions[permission].expiry > now else {
            count(.noPermission)
            return nil
        }
        // The port is the peer's own choice when it calls, so a rule about ports has nothing to say.
        guard tables.link(index, to: peer) == nil, let link = makeLink(index, peer, .waiting, now) else {
            count(.capacity)
            return nil
        }
        let connection = tables.connection(link)
        writer.begin(.indication, .connectionAttempt, nextIndicationID())
        writer.add(.connectionID, connection.rawValue)
        writer.add(.xorPeerAddress, xor: peer)
        let bytes = writer.bytes
        outbox.append(answer: bytes.span.bytes, to: tables.allocations[index].client)
        return connection
    }

    /// On a connection of its own, which has no allocation.
    func bindConnection(_ ask: Ask, _ proof: Proof) {
        guard ask.client.transport.isStream, tables.allocation(of: ask.client) == nil,
            let raw = ask.uint32(ask.request.connectionID)
        else {
            return refuse(
                ask, .badRequest, .badRequest, proof, "ConnectionBind comes on a connection of its own, with an id")
        }
        let connection = PeerConnectionID(rawValue: raw)
        guard let link = tables.link(connection), tables.links[link].phase == .waiting,
            tables.links[link].deadline > ask.now
        else { return refuse(ask, .badRequest, .badRequest, proof, "no connection waits under this id") }
        guard tables.allocations[tables.links[link].allocation].user == proof.user else {
            return refuse(ask, .wrongCredentials, .otherUser, proof, "the connection is another user's")
        }
        tables.links[link].phase = .joined
        tables.links[link].deadline = Instant(nanoseconds: .max)
        begin(.success, ask)
        finish(ask, proof)
        outbox.append(.join(ask.client, connection))
    }

    /// Either side of a joined connection, or the peer's before that, has ended.
    package func peerClosed(_ connection: PeerConnectionID, now: Instant) {
        if let link = tables.link(connection) { tables.removeLink(link) }
    }

    /// Bytes that went over a joined connection to the peer or from it. Returns how long to read nothing more from
    /// either side: zero within the allocation's and the engine's bandwidth.
    package func pause(after byteCount: Int, on connection: PeerConnectionID, toPeer: Bool, now: Instant) -> Duration {
        guard let link = tables.link(connection), byteCount > 0 else { return .zero }
        if toPeer {
            counters.bytesToPeers &+= UInt64(byteCount)
        } else {
            counters.bytesToClients &+= UInt64(byteCount)
        }
        let index = tables.links[link].allocation
        let own = allocationBandwidth.charge(byteCount, &tables.allocations[index].paid, now: now)
        return max(own, totalBandwidth.charge(byteCount, &totalPaid, now: now))
    }
}
