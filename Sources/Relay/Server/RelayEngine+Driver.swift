// What the driver tells: sockets that were opened, connections that ended.

package import Base
package import Wire

extension RelayEngine {
    /// The socket is there; `address` is what clients are told. For `evenAndNext`, `next` is the address of the second
    /// socket; without it the client is refused (508) and the first is closed. `false`: nobody waits for it any more
    /// (the order was closed in between), so what was opened is to be closed, the second socket too.
    @discardableResult
    package func relayOpened(
        _ relay: RelayID, at address: TransportAddress, next: TransportAddress?, now: Instant
    ) -> Bool {
        guard let index = tables.allocation(of: relay), tables.allocations[index].phase == .opening,
            tables.allocations[index].relayed(isV6: relay.isV6).phase == .opening
        else { return false }
        setRelayed(index, isV6: relay.isV6, RelayedAddress(phase: .open, address: address))
        let reservation = tables.allocations[index].reservation
        if reservation != nowhere, let next {
            setRelayed(reservation, isV6: relay.isV6, RelayedAddress(phase: .open, address: next))
        }
        completeAllocation(index, now)
        return true
    }

    package enum OpenFailure: Sendable {
        /// No port or descriptor is free. 508.
        case exhausted
        /// This host has no address of the family. 440.
        case noSuchFamily
    }

    package func relayRefused(_ relay: RelayID, _ failure: OpenFailure, now: Instant) {
        guard let index = tables.allocation(of: relay), tables.allocations[index].phase == .opening,
            tables.allocations[index].relayed(isV6: relay.isV6).phase == .opening
        else { return }
        let code = failure == .exhausted ? STUNErrorCode.insufficientCapacity : .addressFamilyNotSupported
        setRelayed(index, isV6: relay.isV6, RelayedAddress(phase: .refused, error: code.rawValue))
        completeAllocation(index, now)
    }

    /// The client's connection has ended: not to be called for one that was joined (`peerClosed`), nor for one that
    /// the engine has closed. Its allocation ends with it, unless the client has a mobility ticket for it.
    package func connectionClosed(_ client: ClientPath, now: Instant) {
        guard let index = tables.allocation(of: client) else { return }
        if tables.allocations[index].phase == .open, tables.allocations[index].isMobile {
            tables.detach(index)
        } else {
            end(index)
        }
    }

    /// A relayed socket broke. The allocation has lost what it is for.
    package func relayFailed(_ relay: RelayID) {
        guard let index = tables.allocation(of: relay) else { return }
        end(index)
    }

    // MARK: Ending

    /// With its sockets and connections. A pair that is still being made ends whole.
    func end(_ index: UInt32) {
        let allocation = tables.allocations[index]
        if allocation.reservation != nowhere { end(allocation.reservation) }
        closeRelayed(index, isV6: false)
        closeRelayed(index, isV6: true)
        var link = allocation.firstLink
        while link != nowhere {
            outbox.append(.closePeer(tables.connection(link)))
            link = tables.links[link].next
        }
        tables.removeAllocation(index)
    }

    func closeRelayed(_ index: UInt32, isV6: Bool) {
        let phase = tables.allocations[index].relayed(isV6: isV6).phase
        if phase == .open || phase == .opening { outbox.append(.close(tables.relay(index, isV6: isV6))) }
        setRelayed(index, isV6: isV6, RelayedAddress())
    }
}
