// Allocate (RFC 8656 §7), and its answer, which waits for the driver's sockets.

import Base
import Crypto
import Wire

/// What an Allocate asks for.
private struct Wish {
    var transport = RelayTransport.udp
    var v4 = false
    var v6 = false
    /// The other family would be welcome too; the first one counts.
    var isDual = false
    var port = Port.any
    var isMobile = false
    var lifetime = Duration.zero

    enum Port { case any, even, evenAndNext }
}

private struct Refused: Error {
    let code: STUNErrorCode
    let refusal: RelayRefusal
    let reason: StaticString

    init(_ code: STUNErrorCode, _ refusal: RelayRefusal, _ reason: StaticString) {
        self.code = code
        self.refusal = refusal
        self.reason = reason
    }

    static func bad(_ reason: StaticString) -> Refused { Refused(.badRequest, .badRequest, reason) }
}

extension RelayEngine {
    /// RFC 8656 §7.2 wants 30 s at least. Longer would hold ports for who never comes.
    static let reservationLifetime = Duration.seconds(30)
    /// For the driver to open the sockets. Clients give up after 40 s (RFC 8489 §6.2.1); the allocation is then gone.
    static let openingPatience = Duration.seconds(30)

    func allocate(_ ask: Ask, _ proof: Proof) {
        if let index = tables.allocation(of: ask.client) {
            let isRepetition = tables.allocations[index].transaction == ask.message.transactionID
            if isRepetition, tables.allocations[index].user == proof.user {
                if tables.allocations[index].phase == .open { answerAllocated(index) }
                return
            }
            return refuse(ask, .allocationMismatch, .mismatch, proof, "this address has an allocation already")
        }
        if drainEnd != nil { return refuseDraining(ask, proof) }
        do throws(Refused) {
            let wish = try wish(ask)
            if ask.request.token.isThere {
                try claim(ask, proof, wish)
            } else {
                try order(ask, proof, wish)
            }
        } catch {
            refuse(ask, error.code, error.refusal, proof, error.reason)
        }
    }

    /// The clock is ahead of `tick`, by a second at most. To be asked before the password: what ends may take its user
    /// along.
    func endIfOver(_ ask: Ask) {
        guard let index = tables.allocation(of: ask.client), tables.allocations[index].expiry <= ask.now else { return }
        counters.expired &+= 1
        end(index)
    }

    private func refuseDraining(_ ask: Ask, _ proof: Proof) {
        guard let alternate, alternate.ip.isV6 == ask.client.remote.ip.isV6 else {
            return refuse(ask, .insufficientCapacity, .draining, proof, "this relay is being shut down")
        }
        count(.draining)
        begin(.error, ask)
        writer.add(error: .tryAlternate, reason: "this relay is being shut down")
        writer.add(.alternateServer, plain: alternate)
        finish(ask, proof)
    }

    // MARK: Reading

    private func wish(_ ask: Ask) throws(Refused) -> Wish {
        var wish = Wish()
        wish.transport = try transport(ask)
        try setFamilies(ask, &wish)
        try setPort(ask, &wish)
        if ask.request.ticket.isThere {
            guard ask.request.ticket.length == 0 else { throw .bad("MOBILITY-TICKET of an Allocate is empty") }
            guard settings.allowsMobility, wish.transport == .udp else {
                throw Refused(.mobilityForbidden, .mobilityForbidden, "allocations stay with their address here")
            }
            wish.isMobile = true
        }
        wish.lifetime = lifetime(ask)
        return wish
    }

    /// What is asked for, but not less than the default, nor more than the most (RFC 8656 §7.2).
    func lifetime(_ ask: Ask) -> Duration {
        let asked = Duration.seconds(Int64(ask.uint32(ask.request.lifetime) ?? 0))
        return min(max(asked, settings.limits.lifetimeDefault), settings.limits.lifetimeMax)
    }

    private func transport(_ ask: Ask) throws(Refused) -> RelayTransport {
        let request = ask.request
        guard let word = ask.uint32(request.transport) else { throw .bad("REQUESTED-TRANSPORT is missing") }
        switch word >> 24 {
        case 17: return .udp
        case 6 where settings.relaysTCP:
            guard ask.client.transport.isStream else { throw .bad("TCP is relayed for clients that come by TCP") }
            guard !request.evenPort.isThere, !request.token.isThere, !request.dontFragment.isThere else {
                throw .bad("EVEN-PORT, RESERVATION-TOKEN and DONT-FRAGMENT are for UDP")
            }
            return .tcp
        default: throw Refused(.unsupportedTransport, .transport, "this transport is not relayed")
        }
    }

    private func setFamilies(_ ask: Ask, _ wish: inout Wish) throws(Refused) {
        let request = ask.request
        let additional = additionalFamily(request)
        guard !(request.family.isThere && additional.isThere) else {
            throw .bad("REQUESTED-ADDRESS-FAMILY and ADDITIONAL-ADDRESS-FAMILY exclude each other")
        }
        if request.family.isThere {
            guard let word = ask.uint32(request.family) else { throw .bad("an address family has four bytes") }
            wish.v4 = word >> 24 == 1
            wish.v6 = word >> 24 == 2
        } else {
            wish.v4 = true
        }
        if additional.isThere {
            guard ask.uint32(additional).map({ $0 >> 24 }) == 2 else {
                throw .bad("ADDITIONAL-ADDRESS-FAMILY is IPv6")
            }
            wish.v6 = true
            wish.isDual = true
        }
        guard request.token.isThere || (wish.v4 && settings.relaysV4) || (wish.v6 && settings.relaysV6) else {
            throw Refused(.addressFamilyNotSupported, .family, "no address of this family is relayed")
        }
    }

    private func additionalFamily(_ request: RelayRequest) -> RelayRequest.Field {
        settings.acceptsOldNumbers && !request.additionalFamily.isThere
            ? request.draftAdditionalFamily : request.additionalFamily
    }

    private func setPort(_ ask: Ask, _ wish: inout Wish) throws(Refused) {
        let request = ask.request
        if request.token.isThere {
            guard request.token.length == 8 else { throw .bad("RESERVATION-TOKEN has eight bytes") }
            guard !request.evenPort.isThere, !request.family.isThere, !additionalFamily(request).isThere else {
                throw .bad("what was reserved has its port and family")
            }
        }
        guard request.evenPort.isThere else { return }
        guard request.evenPort.length == 1 else { throw .bad("EVEN-PORT has one byte") }
        wish.port = ask.message.span.byte(Int(request.evenPort.start)) & 0x80 != 0 ? .evenAndNext : .even
        guard !wish.isDual || wish.port == .even else { throw .bad("a pair of ports is of one family") }
    }

    // MARK: Making

    /// A place for each, or none at all.
    private func takePlace(_ ask: Ask, _ proof: Proof, _ wish: Wish) throws(Refused) -> UInt32 {
        let wanted = wish.port == .evenAndNext ? 2 : 1
        let held = proof.user == nowhere ? 0 : tables.user(proof.user)?.allocationCount ?? 0
        guard held + wanted <= settings.limits.allocationsPerUser else {
            throw Refused(.allocationQuotaReached, .userQuota, "this user has all the allocations that one may have")
        }
        guard tables.allocations.count + wanted <= tables.allocations.capacity else {
            throw Refused(.insufficientCapacity, .capacity, "all allocations are taken")
        }
        let user = proof.user != nowhere ? proof.user : addUser(proof)
        guard let index = tables.makeAllocation(user: user, phase: .opening) else {
            preconditionFailure("there was a place")
        }
        if wish.port == .evenAndNext {
            guard let next = tables.makeAllocation(user: user, phase: .reserved) else {
                preconditionFailure("there were two places")
            }
            tables.allocations[index].reservation = next
        }
        return index
    }

    private func addUser(_ proof: Proof) -> UInt32 {
        let userhash = settings.understandsUserhash ? RelayKey.userhash(name: proof.name, realm: settings.realm) : []
        return tables.addUser(
            RelayUser(
                name: proof.name, credential: proof.credential, key: proof.key, allocationCount: 0,
                userhash: userhash))
    }

    private func order(_ ask: Ask, _ proof: Proof, _ wish: Wish) throws(Refused) {
        let index = try takePlace(ask, proof, wish)
        tables.attach(index, to: ask.client)
        note(ask, proof, wish, on: index)
        tables.allocations[index].expiry = ask.now + Self.openingPatience
        tables.look(at: index, by: ask.now + Self.openingPatience)
        if wish.v4 { open(index, isV6: false, wish, isServed: settings.relaysV4) }
        if wish.v6 { open(index, isV6: true, wish, isServed: settings.relaysV6) }
    }

    private func note(_ ask: Ask, _ proof: Proof, _ wish: Wish, on index: UInt32) {
        tables.allocations[index].transport = wish.transport
        tables.allocations[index].transaction = ask.message.transactionID
        tables.allocations[index].lifetimeSeconds = UInt32(clamping: wish.lifetime.components.seconds)
        tables.allocations[index].answersSHA256 = proof.integrity == .sha256
        tables.allocations[index].answersFingerprint = ask.message.fingerprint == .valid
        tables.allocations[index].isMobile = wish.isMobile
    }

    private func open(_ index: UInt32, isV6: Bool, _ wish: Wish, isServed: Bool) {
        var relayed = RelayedAddress()
        relayed.phase = isServed ? .opening : .refused
        relayed.error = STUNErrorCode.addressFamilyNotSupported.rawValue
        setRelayed(index, isV6: isV6, relayed)
        guard isServed else { return }
        let port: RelayOrder.Port
        switch wish.port {
        case .any: port = .any
        case .even: port = .even
        case .evenAndNext:
            let next = tables.allocations[index].reservation
            setRelayed(next, isV6: isV6, relayed)
            port = .evenAndNext(tables.relay(next, isV6: isV6))
        }
        outbox.append(
            .open(
                RelayOrder(
                    relay: tables.relay(index, isV6: isV6), transport: wish.transport, port: port,
                    client: tables.allocations[index].client)))
    }

    func setRelayed(_ index: UInt32, isV6: Bool, _ relayed: RelayedAddress) {
        if isV6 {
            tables.allocations[index].v6 = relayed
        } else {
            tables.allocations[index].v4 = relayed
        }
    }

    /// The second port of a pair becomes an allocation of its own; its socket is there.
    private func claim(_ ask: Ask, _ proof: Proof, _ wish: Wish) throws(Refused) {
        let start = Int(ask.request.token.start)
        let token = UInt64(ask.message.span.uint32(start)) << 32 | UInt64(ask.message.span.uint32(start + 4))
        guard let index = tables.reservation(token), tables.allocations[index].expiry > ask.now else {
            throw Refused(.insufficientCapacity, .capacity, "nothing is reserved by this token")
        }
        guard tables.allocations[index].user == proof.user else {
            throw Refused(.wrongCredentials, .otherUser, "the reservation is another user's")
        }
        tables.clearToken(index)
        tables.allocations[index].token = 0
        tables.attach(index, to: ask.client)
        note(ask, proof, wish, on: index)
        begin(index, ask.now)
        answerAllocated(index)
    }

    // MARK: Answering

    private func begin(_ index: UInt32, _ now: Instant) {
        tables.allocations[index].phase = .open
        let expiry = now + .seconds(Int64(tables.allocations[index].lifetimeSeconds))
        tables.allocations[index].expiry = expiry
        reschedule(index, now)
        counters.allocated &+= 1
    }

    /// All sockets are there, or refused.
    func completeAllocation(_ index: UInt32, _ now: Instant) {
        let allocation = tables.allocations[index]
        guard allocation.v4.phase != .opening, allocation.v6.phase != .opening else { return }
        guard allocation.has(isV6: false) || allocation.has(isV6: true) else { return failAllocation(index) }
        if allocation.reservation != nowhere {
            let reserved = tables.allocations[allocation.reservation]
            guard reserved.has(isV6: false) || reserved.has(isV6: true) else {
                setError(index, .insufficientCapacity)
                return failAllocation(index)
            }
            let random = SecureRandom.bytes(8)
            let token = UInt64(random.span.bytes.uint32(0)) << 32 | UInt64(random.span.bytes.uint32(4)) | 1
            tables.setToken(allocation.reservation, token)
            tables.allocations[allocation.reservation].expiry = now + Self.reservationLifetime
            tables.look(at: allocation.reservation, by: now + Self.reservationLifetime)
            tables.allocations[index].token = token
            tables.allocations[index].reservation = nowhere
        }
        begin(index, now)
        answerAllocated(index)
    }

    private func setError(_ index: UInt32, _ code: STUNErrorCode) {
        tables.allocations[index].v4.error = code.rawValue
        tables.allocations[index].v6.error = code.rawValue
    }

    private func failAllocation(_ index: UInt32) {
        let allocation = tables.allocations[index]
        let refused = allocation.v4.phase != .none ? allocation.v4 : allocation.v6
        let code = STUNErrorCode(rawValue: refused.error)
        count(code == .addressFamilyNotSupported ? .family : .capacity)
        if let key = tables.user(allocation.user)?.key {
            writer.begin(.error, .allocate, allocation.transaction)
            writer.add(error: code, reason: "no relayed address can be opened")
            finish(
                to: allocation.client, key, allocation.answersSHA256 ? .sha256 : .sha1,
                fingerprint: allocation.answersFingerprint)
        }
        end(index)
    }

    /// The same for each repetition of the request.
    private func answerAllocated(_ index: UInt32) {
        let allocation = tables.allocations[index]
        // The secrets were replaced in between: the client's next request will be refused, and tell him.
        guard let key = tables.user(allocation.user)?.key else { return }
        writer.begin(.success, .allocate, allocation.transaction)
        for relayed in [allocation.v4, allocation.v6] where relayed.phase == .open {
            writer.add(.xorRelayedAddress, xor: relayed.address)
        }
        writer.add(.lifetime, allocation.lifetimeSeconds)
        writer.add(.xorMappedAddress, xor: allocation.client.remote)
        if allocation.token != 0 { writer.add(.reservationToken, allocation.token) }
        if allocation.isMobile { addTicket(index) }
        addAddressError(1, allocation.v4)
        addAddressError(2, allocation.v6)
        finish(
            to: allocation.client, key, allocation.answersSHA256 ? .sha256 : .sha1,
            fingerprint: allocation.answersFingerprint)
    }

    /// ADDRESS-ERROR-CODE (RFC 8656 §18.12), of the one of two families that there is not.
    private func addAddressError(_ family: UInt32, _ relayed: RelayedAddress) {
        guard relayed.phase == .refused else { return }
        let code = UInt32(relayed.error)
        writer.add(.addressErrorCode, family << 24 | (code / 100) << 8 | code % 100)
    }
}
