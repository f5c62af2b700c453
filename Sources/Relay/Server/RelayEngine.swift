// The TURN server of one shard, as a machine: bytes and the time in, an outbox of datagrams and commands out.
//
// One engine is touched by one thread. It owns no socket and reads no clock. The driver's round:
//
//     for each received packet:  receive(…); if !outbox.hasRoom { drain }
//     at nextDeadline:           tick(now)
//     drain, until outbox.isEmpty:
//         send outbox[0..<outbox.count]; commands = outbox.takeCommands(); outbox.removeDatagrams(); carry out commands
//
// Commands are answered by the methods of `RelayEngine+Driver.swift`, at once or whenever the answer is known. A
// packet's memory is the driver's, and is kept until the outbox was drained: relayed bytes are sent from where they are.
// Nothing is kept of a client before its password was right.

package import Base
import Crypto
import Wire

package final class RelayEngine {
    package let outbox = RelayOutbox()
    @exclusivity(unchecked) package internal(set) var counters = RelayCounters()

    /// It is in every challenge. RFC 8489 §14.9 allows 763; an answer has room for 1,024 in all.
    package static let realmBytesMax = 128

    let settings: RelaySettings
    let tokens: RelayTokens
    let allocationBandwidth: Bandwidth
    let totalBandwidth: Bandwidth

    @exclusivity(unchecked) var tables: RelayTables
    @exclusivity(unchecked) var totalPaid: UInt64 = 0
    var secrets: RelaySecrets
    var policy: PeerPolicy
    var budgets: SourceBudgets
    var revoked = RevokedSessions()
    var announced = AnnouncedNames()
    /// After `drain`.
    var drainEnd: Instant?
    var alternate: TransportAddress?

    var writer = STUNWriter()
    /// Transaction ids of our indications: a random start, and steps that do not repeat.
    private var indicationID: STUNTransactionID

    package init(settings: RelaySettings, secrets: RelaySecrets, policy: PeerPolicy, now: Instant) {
        let limits = settings.limits
        precondition(
            (1...1 << 24).contains(limits.allocations) && (1...1 << 16).contains(limits.connections),
            "tickets name places with 24 bits, and CONNECTION-ID connections with 16")
        precondition(
            (1...Self.realmBytesMax).contains(settings.realm.utf8.count), "a realm has 1 to \(Self.realmBytesMax) bytes"
        )
        precondition(
            limits.lifetimeDefault <= limits.lifetimeMax && limits.lifetimeMax <= .seconds(ExpiryWheel.span),
            "lifetimes are within the wheel's horizon")
        self.settings = settings
        self.secrets = secrets
        self.policy = policy
        tokens = RelayTokens(
            key: settings.tokenKey, understandsUserhash: settings.understandsUserhash,
            nonceLifetime: settings.nonceLifetime)
        allocationBandwidth = Bandwidth(bytesPerSecond: limits.bytesPerSecondPerAllocation)
        totalBandwidth = Bandwidth(bytesPerSecond: limits.bytesPerSecond)
        let random = SecureRandom.bytes(44)
        let words = (0..<5).map {
            UInt64(random.span.bytes.uint32($0 * 8)) << 32 | UInt64(random.span.bytes.uint32($0 * 8 + 4))
        }
        tables = RelayTables(limits, seed: (words[0], words[1]), now: now)
        budgets = SourceBudgets(limits, seed: (words[2], words[3]))
        indicationID = STUNTransactionID(random.span.bytes.uint32(40), words[4])
    }

    @inline(__always) func count(_ refusal: RelayRefusal) { counters.refusals[Int(refusal.rawValue)] &+= 1 }

    @inline(__always) func nextIndicationID() -> STUNTransactionID {
        indicationID = STUNTransactionID(indicationID.high, indicationID.low &+ 0x9E37_79B9_7F4A_7C15)
        return indicationID
    }
}

// MARK: - Messages of clients

/// A request under way.
struct Ask: ~Escapable {
    let message: STUNMessage
    var request: RelayRequest
    let client: ClientPath
    let now: Instant
    let wallClock: Timestamp

    @_lifetime(copy message)
    init(_ message: STUNMessage, from client: ClientPath, now: Instant, wallClock: Timestamp) {
        request = RelayRequest(message)
        self.message = message
        self.client = client
        self.now = now
        self.wallClock = wallClock
    }

    @_lifetime(copy self)
    func value(_ field: RelayRequest.Field) -> RawSpan { message.span.extracting(field.range) }

    /// `nil` for a wrong length.
    func uint32(_ field: RelayRequest.Field) -> UInt32? {
        field.isThere && field.length == 4 ? message.span.uint32(Int(field.start)) : nil
    }
}

extension RelayEngine {
    /// Longer ones do not exist in UDP, and offsets within them would need more than 16 bits.
    static let messageBytesMax = 65_535

    /// From a client: a datagram, or one message cut from a stream (`TURNDeframer`). `wallClock` is for the expiry of
    /// credentials. After a message on a stream look for commands before you cut the next one: the connection may have
    /// become a data connection (`join`), and what follows is then the peer's.
    package func receive(_ packet: RelayPacket, from client: ClientPath, now: Instant, wallClock: Timestamp) {
        guard packet.count >= 4, packet.count <= Self.messageBytesMax else { return count(.malformed) }
        switch packet.start.load(as: UInt8.self) >> 4 {
        case 4: relayChannelData(packet, from: client, now)
        case 0...3:
            let span = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: packet.start, count: packet.count))
            guard let message = try? STUNMessage(parsing: span), message.fingerprint != .invalid else {
                return count(.malformed)
            }
            receive(Ask(message, from: client, now: now, wallClock: wallClock), packet)
        case 5...7 where settings.acceptsOldNumbers: relayChannelData(packet, from: client, now)
        default: count(.malformed)
        }
    }

    private func receive(_ ask: Ask, _ packet: RelayPacket) {
        switch (ask.message.kind, ask.message.method) {
        case (.indication, .send): relaySend(ask, packet)
        case (.request, .binding): answerBinding(ask)
        case (.request, .allocate), (.request, .refresh), (.request, .createPermission), (.request, .channelBind),
            (.request, .connect), (.request, .connectionBind):
            if ask.message.method == .allocate { endIfOver(ask) }
            guard let proof = authenticate(ask) else { return }
            var ask = ask
            if ask.message.method == .allocate, ask.request.dontFragment.isThere, !settings.canSetDontFragment {
                ask.request.addUnknown(.dontFragment)
            }
            if ask.request.unknownCount > 0 { return refuseUnknown(ask, proof) }
            carryOut(ask, proof)
        // A keep-alive.
        case (.indication, .binding): break
        default: count(.notForUs)
        }
    }

    private func carryOut(_ ask: Ask, _ proof: Proof) {
        switch ask.message.method {
        case .allocate: allocate(ask, proof)
        case .refresh: refresh(ask, proof)
        case .connectionBind: bindConnection(ask, proof)
        default:
            guard let index = allocation(of: ask, proof) else { return }
            switch ask.message.method {
            case .createPermission: createPermission(ask, proof, index)
            case .channelBind: bindChannel(ask, proof, index)
            default: connect(ask, proof, index)
            }
        }
    }

    /// The allocation of the path, if it is the asker's; otherwise the refusal has been written.
    private func allocation(of ask: Ask, _ proof: Proof) -> UInt32? {
        guard let index = openAllocation(of: ask.client, ask.now) else {
            refuse(ask, .allocationMismatch, .mismatch, proof, "there is no allocation for this address")
            return nil
        }
        guard tables.allocations[index].user == proof.user else {
            refuse(ask, .wrongCredentials, .otherUser, proof, "the allocation is another user's")
            return nil
        }
        return index
    }

    @inline(__always) func openAllocation(of client: ClientPath, _ now: Instant) -> UInt32? {
        guard let index = tables.allocation(of: client), tables.allocations[index].phase == .open,
            tables.allocations[index].expiry > now
        else { return nil }
        return index
    }
}
