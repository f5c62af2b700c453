// Refresh (RFC 8656 §8), by which allocations go on, end, and move to another address of their client (RFC 8016).

import Base
import Wire

extension RelayEngine {
    func refresh(_ ask: Ask, _ proof: Proof) {
        if let lifetime = optional(ask.request.lifetime), lifetime.length != 4 {
            return refuse(ask, .badRequest, .badRequest, proof, "LIFETIME has four bytes")
        }
        if openAllocation(of: ask.client, ask.now) == nil, ask.request.ticket.isThere { return move(ask, proof) }
        guard let index = openAllocation(of: ask.client, ask.now) else {
            return refuse(
                ask, .allocationMismatch, .mismatch, proof, "there is no allocation for this address")
        }
        guard tables.allocations[index].user == proof.user else {
            return refuse(ask, .wrongCredentials, .otherUser, proof, "the allocation is another user's")
        }
        var family: Bool?
        if ask.request.family.isThere {
            guard let word = ask.uint32(ask.request.family), word >> 24 == 1 || word >> 24 == 2,
                tables.allocations[index].has(isV6: word >> 24 == 2)
            else {
                return refuse(
                    ask, .peerAddressFamilyMismatch, .family, proof, "the allocation has no such address")
            }
            family = word >> 24 == 2
        }
        let isRepeatedMove =
            tables.allocations[index].isMobile
            && tables.allocations[index].move == ask.message.transactionID
        apply(ask, proof, index, family: family, withTicket: isRepeatedMove)
    }

    private func optional(_ field: RelayRequest.Field) -> RelayRequest.Field? { field.isThere ? field : nil }

    /// Lifetime 0 ends the allocation, or one family of two if it names one.
    private func apply(_ ask: Ask, _ proof: Proof, _ index: UInt32, family: Bool?, withTicket: Bool) {
        begin(.success, ask)
        if ask.uint32(ask.request.lifetime) == 0 {
            writer.add(.lifetime, UInt32(0))
            finish(ask, proof)
            if let family, tables.allocations[index].has(isV6: !family) {
                closeRelayed(index, isV6: family)
            } else {
                counters.released &+= 1
                end(index)
            }
            return
        }
        var expiry = ask.now + lifetime(ask)
        if let drainEnd { expiry = max(min(expiry, drainEnd), ask.now) }
        tables.allocations[index].expiry = expiry
        reschedule(index, ask.now)
        writer.add(.lifetime, UInt32(clamping: (expiry - ask.now).components.seconds))
        if withTicket { addTicket(index) }
        finish(ask, proof)
    }

    // MARK: Moving

    func addTicket(_ index: UInt32) {
        let allocation = tables.allocations[index]
        let ticket = tokens.seal(
            RelayTokens.Ticket(
                shard: settings.shard, place: index, generation: allocation.generation, number: allocation.ticket))
        writer.add(.mobilityTicket, ticket.span.bytes)
    }

    /// From another address, with the newest ticket of an allocation. The nonce has shown that the client is there (it
    /// is bound to the address), so what peers send goes to the new path at once, and the old one is forgotten.
    private func move(_ ask: Ask, _ proof: Proof) {
        guard settings.allowsMobility else {
            return refuse(
                ask, .mobilityForbidden, .mobilityForbidden, proof, "allocations stay with their address here")
        }
        // An allocation of this path that is not open yet, or over and not yet cleared away.
        guard tables.allocation(of: ask.client) == nil else {
            return refuse(ask, .allocationMismatch, .mismatch, proof, "this address has an allocation already")
        }
        guard let ticket = tokens.open(ask.value(ask.request.ticket)), ticket.shard == settings.shard else {
            return refuse(ask, .badRequest, .badRequest, proof, "the ticket is not of this relay")
        }
        let relay = RelayID(index: ticket.place, generation: ticket.generation, isV6: false)
        guard let index = tables.allocation(of: relay), tables.allocations[index].phase == .open,
            tables.allocations[index].expiry > ask.now, tables.allocations[index].isMobile,
            tables.allocations[index].ticket == ticket.number
        else {
            return refuse(ask, .allocationMismatch, .mismatch, proof, "the ticket's allocation is gone")
        }
        guard tables.allocations[index].user == proof.user else {
            return refuse(ask, .wrongCredentials, .otherUser, proof, "the allocation is another user's")
        }
        if !tables.allocations[index].isDetached {
            let old = tables.allocations[index].client
            tables.detach(index)
            if old.transport != .udp { outbox.append(.closeClient(old)) }
        }
        tables.attach(index, to: ask.client)
        tables.allocations[index].ticket &+= 1
        tables.allocations[index].move = ask.message.transactionID
        counters.moved &+= 1
        apply(ask, proof, index, family: nil, withTicket: true)
    }

    /// Which shard's ticket a Refresh from an unknown path carries (RFC 8016), for a driver whose kernel gave the path to
    /// another shard. A look at the message, without a check of any code.
    package static func shard(ofTicketIn message: RawSpan) -> UInt8? {
        guard let message = try? STUNMessage(parsing: message), message.method == .refresh,
            let attribute = message.attribute(.mobilityTicket)
        else { return nil }
        return RelayTokens.look(at: message.value(attribute))?.shard
    }
}
