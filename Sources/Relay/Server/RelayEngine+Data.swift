// What the relay is for: bytes from clients to peers and back. Nothing is copied and nothing is allocated; headers are
// skipped, or written into the room before a packet.

package import Base
package import Wire

extension RelayEngine {
    /// ChannelData to its peer: the commonest of all.
    @inline(__always)
    func relayChannelData(_ packet: RelayPacket, from client: ClientPath, _ now: Instant) {
        let number = UInt16(bigEndian: packet.start.loadUnaligned(as: UInt16.self))
        let length = Int(UInt16(bigEndian: packet.start.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
        guard length <= packet.count &- ChannelData.headerLength else { return count(.malformed) }
        guard let index = openAllocation(of: client, now), let channel = tables.channel(index, number),
            tables.channels[channel].expiry > now
        else { return count(.noPermission) }
        relay(
            packet.start + ChannelData.headerLength, length, from: index, to: tables.channels[channel].peer, now,
            dontFragment: false)
    }

    @inline(__always)
    private func relay(
        _ start: UnsafeRawPointer, _ length: Int, from index: UInt32, to peer: TransportAddress, _ now: Instant,
        dontFragment: Bool
    ) {
        guard admits(length, index, now) else { return count(.bandwidth) }
        counters.packetsToPeers &+= 1
        counters.bytesToPeers &+= UInt64(length)
        let relay = tables.relay(index, isV6: peer.ip.isV6)
        outbox.append(start, length, to: .peer(relay, peer), dontFragment: dontFragment)
    }

    /// The engine's bound first: what it refuses costs the allocation nothing.
    @inline(__always)
    private func admits(_ length: Int, _ index: UInt32, _ now: Instant) -> Bool {
        let before = totalPaid
        guard totalBandwidth.admits(length, &totalPaid, now: now) else { return false }
        if allocationBandwidth.admits(length, &tables.allocations[index].paid, now: now) { return true }
        totalPaid = before
        return false
    }

    /// A Send indication (RFC 8656 §11.2). It has no answer, whatever is wrong with it.
    func relaySend(_ ask: Ask, _ packet: RelayPacket) {
        let request = ask.request
        guard request.unknownCount == 0 else { return count(.unknownAttribute) }
        guard request.data.isThere, let peer = ask.message.xorAddress(.xorPeerAddress),
            settings.canSetDontFragment || !request.dontFragment.isThere
        else { return count(.badRequest) }
        guard let index = openAllocation(of: ask.client, ask.now) else { return count(.mismatch) }
        guard tables.allocations[index].transport == .udp, tables.allocations[index].has(isV6: peer.ip.isV6) else {
            return count(.family)
        }
        guard let permission = tables.permission(index, peer.ip), tables.permissions[permission].expiry > ask.now else {
            return count(.noPermission)
        }
        // The address was allowed when the permission was given, and would be gone with it; the port comes here first.
        guard policy.allowsPort(of: peer) else { return count(.forbiddenPeer) }
        relay(
            packet.start + Int(request.data.start), Int(request.data.length), from: index, to: peer, ask.now,
            dontFragment: request.dontFragment.isThere)
    }

    /// From a peer, at a relayed UDP socket. The packet has `RelayPacket.headroom` and `tailroom`.
    package func receive(_ packet: RelayPacket, on relay: RelayID, from peer: TransportAddress, now: Instant) {
        guard let index = tables.allocation(of: relay), tables.allocations[index].phase == .open,
            !tables.allocations[index].isDetached, tables.allocations[index].expiry > now
        else { return count(.mismatch) }
        if let channel = tables.channel(index, to: peer), tables.channels[channel].expiry > now {
            guard tables.permissions[tables.channels[channel].permission].expiry > now else {
                return count(.noPermission)
            }
            deliver(packet, to: index, channel: tables.channels[channel].number, now)
        } else {
            guard let permission = tables.permission(index, peer.ip), tables.permissions[permission].expiry > now else {
                return count(.noPermission)
            }
            guard policy.allowsPort(of: peer) else { return count(.forbiddenPeer) }
            deliver(packet, to: index, from: peer, now)
        }
    }

    @inline(__always)
    private func deliver(_ packet: RelayPacket, to index: UInt32, channel number: UInt16, _ now: Instant) {
        let client = tables.allocations[index].client
        guard packet.count <= 0xFFFF, admits(packet.count, index, now) else { return count(.bandwidth) }
        let start = packet.start - ChannelData.headerLength
        start.storeBytes(of: number.bigEndian, as: UInt16.self)
        start.storeBytes(of: UInt16(truncatingIfNeeded: packet.count).bigEndian, toByteOffset: 2, as: UInt16.self)
        let filling = client.transport.isStream ? -packet.count & 3 : 0
        clear(packet, filling)
        counters.packetsToClients &+= 1
        counters.bytesToClients &+= UInt64(packet.count)
        outbox.append(start, ChannelData.headerLength &+ packet.count &+ filling, to: .client(client))
    }

    /// What fills a packet up is sent too: zeros, not what lay there.
    @inline(__always) private func clear(_ packet: RelayPacket, _ filling: Int) {
        for offset in 0..<filling {
            packet.start.storeBytes(of: 0, toByteOffset: packet.count &+ offset, as: UInt8.self)
        }
    }

    /// As a Data indication: header, XOR-PEER-ADDRESS, the header of DATA, the packet.
    private func deliver(_ packet: RelayPacket, to index: UInt32, from peer: TransportAddress, _ now: Instant) {
        let filling = -packet.count & 3
        let addressLength = peer.ip.isV6 ? 20 : 8
        let rest = 4 &+ addressLength &+ 4 &+ packet.count &+ filling
        guard rest <= 0xFFFF, admits(packet.count, index, now) else { return count(.bandwidth) }
        let headerLength = STUNMessage.headerLength &+ 4 &+ addressLength &+ 4
        let start = packet.start - headerLength
        let header = UnsafeMutableRawBufferPointer(start: start, count: headerLength)
        writeDataHeader(header, peer, packet.count, rest)
        clear(packet, filling)
        counters.packetsToClients &+= 1
        counters.bytesToClients &+= UInt64(packet.count)
        outbox.append(
            start, headerLength &+ packet.count &+ filling, to: .client(tables.allocations[index].client))
    }

    private func writeDataHeader(
        _ header: UnsafeMutableRawBufferPointer, _ peer: TransportAddress, _ dataLength: Int, _ rest: Int
    ) {
        let id = nextIndicationID()
        var span = MutableRawSpan(_unsafeBytes: header)
        span.store(bigEndian: UInt16(0x0017), at: 0)
        span.store(bigEndian: UInt16(truncatingIfNeeded: rest), at: 2)
        span.store(bigEndian: STUNMessage.magicCookie, at: 4)
        span.store(bigEndian: id.high, at: 8)
        span.store(bigEndian: id.low, at: 12)
        span.store(bigEndian: STUNAttributeType.xorPeerAddress.rawValue, at: 20)
        span.store(bigEndian: UInt16(peer.ip.isV6 ? 20 : 8), at: 22)
        span.store(bigEndian: UInt16(peer.ip.isV6 ? 2 : 1), at: 24)
        span.store(bigEndian: peer.port ^ UInt16(truncatingIfNeeded: STUNMessage.magicCookie >> 16), at: 26)
        let (high, low) = peer.ip.words
        if peer.ip.isV6 {
            span.store(bigEndian: high ^ (UInt64(STUNMessage.magicCookie) << 32 | UInt64(id.high)), at: 28)
            span.store(bigEndian: low ^ id.low, at: 36)
        } else {
            span.store(bigEndian: UInt32(truncatingIfNeeded: low) ^ STUNMessage.magicCookie, at: 28)
        }
        let data = header.count &- 4
        span.store(bigEndian: STUNAttributeType.data.rawValue, at: data)
        span.store(bigEndian: UInt16(truncatingIfNeeded: dataLength), at: data &+ 2)
    }

    /// An ICMP error about what was sent to a peer (RFC 8656 §11.5). `data` as in the ICMP message: the MTU, or 0.
    package func peerUnreachable(
        on relay: RelayID, peer: TransportAddress, icmpType: UInt8, icmpCode: UInt8, data: UInt32, now: Instant
    ) {
        guard let index = tables.allocation(of: relay), tables.allocations[index].phase == .open,
            !tables.allocations[index].isDetached, let permission = tables.permission(index, peer.ip),
            tables.permissions[permission].expiry > now
        else { return }
        writer.begin(.indication, .data, nextIndicationID())
        writer.add(.xorPeerAddress, xor: peer)
        let what = UInt64(icmpType & 0x7F) << 9 | UInt64(icmpCode)
        writer.add(.icmp, what << 32 | UInt64(data))
        let bytes = writer.bytes
        outbox.append(answer: bytes.span.bytes, to: tables.allocations[index].client)
    }
}

extension MutableRawSpan {
    @_lifetime(self: copy self)
    fileprivate mutating func store(bigEndian value: UInt64, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
    }
}
