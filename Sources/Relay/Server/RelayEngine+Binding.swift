// Binding (RFC 8489), which asks for no password, and discovery of a NAT's behaviour (RFC 5780), where it is configured.

import Wire

extension RelayEngine {
    func answerBinding(_ ask: Ask) {
        var ask = ask
        if ask.request.padding.isThere { ask.request.addUnknown(.padding) }
        if settings.discovery == nil {
            if ask.request.changeRequest.isThere { ask.request.addUnknown(.changeRequest) }
            if ask.request.responsePort.isThere { ask.request.addUnknown(.responsePort) }
        }
        guard ask.request.unknownCount == 0 else { return refuseUnproven(ask, .unknownAttribute, .unknownAttribute) }
        guard let way = wayBack(ask) else { return refuseUnproven(ask, .badRequest, .badRequest) }
        begin(.success, ask)
        writer.add(.xorMappedAddress, xor: ask.client.remote)
        if let origin = way.origin { writer.add(.responseOrigin, plain: origin) }
        if let other = way.other { writer.add(.otherAddress, plain: other) }
        if finishUnproven(ask, to: way.client) { counters.bindings &+= 1 }
    }

    private struct WayBack {
        var client: ClientPath
        var origin: TransportAddress?
        var other: TransportAddress?
    }

    /// Where the answer goes, and from which of our sockets. `nil` for a request that makes no sense.
    private func wayBack(_ ask: Ask) -> WayBack? {
        var way = WayBack(client: ask.client)
        guard let discovery = settings.discovery, ask.client.transport == .udp,
            let place = discovery.place(of: ask.client.handle)
        else {
            // Elsewhere an answer comes back the way that the request came.
            let isPlain = !ask.request.changeRequest.isThere && !ask.request.responsePort.isThere
            return isPlain ? way : nil
        }
        var from = place
        if ask.request.changeRequest.isThere {
            guard let flags = ask.uint32(ask.request.changeRequest) else { return nil }
            if flags & 4 != 0 { from.isAlternate.toggle() }
            if flags & 2 != 0 { from.isSecondPort.toggle() }
        }
        if ask.request.responsePort.isThere {
            guard ask.request.responsePort.length >= 2 else { return nil }
            let port = ask.message.span.uint16(Int(ask.request.responsePort.start))
            guard port != 0 else { return nil }
            way.client.remote.port = port
        }
        let origin = discovery.listener(at: from)
        way.client.handle = origin.handle
        way.origin = origin.address
        way.other =
            discovery.listener(
                at: .init(isAlternate: !place.isAlternate, isSecondPort: !place.isSecondPort)
            ).address
        return way
    }
}

extension BehaviourDiscovery {
    struct Place {
        var isAlternate: Bool
        var isSecondPort: Bool
    }

    func listener(at place: Place) -> RelayListener {
        let pair = place.isAlternate ? alternate : primary
        return place.isSecondPort ? pair.1 : pair.0
    }

    func place(of handle: UInt32) -> Place? {
        for isAlternate in [false, true] {
            for isSecondPort in [false, true] {
                let place = Place(isAlternate: isAlternate, isSecondPort: isSecondPort)
                if listener(at: place).handle == handle { return place }
            }
        }
        return nil
    }
}
