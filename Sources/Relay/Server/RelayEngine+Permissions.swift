// Whom an allocation speaks to: CreatePermission and ChannelBind (RFC 8656 §9, §12).

import Base
import Wire

extension RelayEngine {
    /// Addresses of one CreatePermission; 400 beyond. A browser sends one, and a request with more than this is longer
    /// than a packet.
    static let peersPerRequestMax = 32

    /// All of them or none.
    func createPermission(_ ask: Ask, _ proof: Proof, _ index: UInt32) {
        guard (1...Self.peersPerRequestMax).contains(ask.request.peerCount) else {
            return refuse(ask, .badRequest, .badRequest, proof, "a permission is for one address, or a few")
        }
        var newCount = 0
        var offset = STUNMessage.headerLength
        while let attribute = ask.message.nextAttribute(from: &offset) {
            guard attribute.type == .xorPeerAddress else { continue }
            guard let peer = ask.message.xorAddress(attribute) else {
                return refuse(ask, .badRequest, .badRequest, proof, "XOR-PEER-ADDRESS is malformed")
            }
            guard check(ask, proof, index, peer.ip) else { return }
            if tables.permission(index, peer.ip) == nil { newCount += 1 }
        }
        guard hasRoom(index, for: newCount, ask.now) else {
            return refuse(
                ask, .insufficientCapacity, .permissionQuota, proof, "an allocation has so many permissions, no more")
        }
        offset = STUNMessage.headerLength
        while let attribute = ask.message.nextAttribute(from: &offset) {
            guard attribute.type == .xorPeerAddress, let peer = ask.message.xorAddress(attribute) else { continue }
            _ = permit(index, peer.ip, ask.now)
        }
        begin(.success, ask)
        finish(ask, proof)
    }

    /// Otherwise the refusal has been written.
    private func check(_ ask: Ask, _ proof: Proof, _ index: UInt32, _ address: IPAddress) -> Bool {
        guard tables.allocations[index].has(isV6: address.isV6) else {
            refuse(ask, .peerAddressFamilyMismatch, .family, proof, "the peer is of another family than the allocation")
            return false
        }
        guard policy.allows(address) else {
            refuse(ask, .forbidden, .forbiddenPeer, proof, "this relay does not reach that peer")
            return false
        }
        return true
    }

    private func hasRoom(_ index: UInt32, for newCount: Int, _ now: Instant) -> Bool {
        func fits() -> Bool {
            Int(tables.allocations[index].permissionCount) + newCount <= settings.limits.permissionsPerAllocation
                && tables.permissions.count + newCount <= tables.permissions.capacity
        }
        if fits() { return true }
        prune(index, now)
        return fits()
    }

    /// Installs it, or lets it begin again. `nil` when there is no place.
    private func permit(_ index: UInt32, _ address: IPAddress, _ now: Instant) -> UInt32? {
        let expiry = now + Permission.lifetime
        if let permission = tables.permission(index, address) {
            tables.permissions[permission].expiry = expiry
            return permission
        }
        guard let permission = tables.makePermission(index, address, expiry: expiry) else { return nil }
        counters.permissions &+= 1
        tables.look(at: index, by: expiry)
        return permission
    }

    func bindChannel(_ ask: Ask, _ proof: Proof, _ index: UInt32) {
        guard tables.allocations[index].transport == .udp else {
            return refuse(ask, .badRequest, .badRequest, proof, "a TCP allocation has no channels")
        }
        guard let word = ask.uint32(ask.request.channelNumber),
            let number = channelNumber(UInt16(truncatingIfNeeded: word >> 16)),
            let peer = ask.message.xorAddress(.xorPeerAddress)
        else {
            return refuse(ask, .badRequest, .badRequest, proof, "a channel has a number of 0x4000 to 0x4fff and a peer")
        }
        guard check(ask, proof, index, peer.ip) else { return }
        guard policy.allowsPort(of: peer) else {
            return refuse(ask, .forbidden, .forbiddenPeer, proof, "this relay does not reach that port")
        }
        dropExpired(tables.channel(index, number), ask.now)
        dropExpired(tables.channel(index, to: peer), ask.now)
        let byNumber = tables.channel(index, number)
        guard byNumber == tables.channel(index, to: peer) else {
            return refuse(ask, .badRequest, .badRequest, proof, "the channel or the peer is bound to another")
        }
        guard install(byNumber, index, number, peer, ask.now) else {
            return refuse(
                ask, .insufficientCapacity, .permissionQuota, proof, "an allocation has so many channels, no more")
        }
        begin(.success, ask)
        finish(ask, proof)
    }

    private func channelNumber(_ number: UInt16) -> UInt16? {
        settings.acceptsOldNumbers && ChannelNumber.old.contains(number)
            ? number : ChannelNumber(rawValue: number)?.rawValue
    }

    private func dropExpired(_ channel: UInt32?, _ now: Instant) {
        if let channel, tables.channels[channel].expiry <= now { tables.removeChannel(channel) }
    }

    private func install(
        _ channel: UInt32?, _ index: UInt32, _ number: UInt16, _ peer: TransportAddress, _ now: Instant
    ) -> Bool {
        let expiry = now + Channel.lifetime
        if let channel {
            guard permit(index, peer.ip, now) != nil else { return false }
            tables.channels[channel].expiry = expiry
            return true
        }
        func fits() -> Bool {
            Int(tables.allocations[index].channelCount) < settings.limits.channelsPerAllocation
                && tables.channels.count < tables.channels.capacity
        }
        if !fits() { prune(index, now) }
        let isNew = tables.permission(index, peer.ip) == nil
        guard fits(), hasRoom(index, for: isNew ? 1 : 0, now), let permission = permit(index, peer.ip, now),
            tables.makeChannel(index, number, to: peer, permission: permission, expiry: expiry) != nil
        else { return false }
        counters.channels &+= 1
        tables.look(at: index, by: expiry)
        return true
    }
}
