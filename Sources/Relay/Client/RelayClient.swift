// One client of a STUN or TURN server, as a machine (RFC 8489, RFC 8656). It owns no socket and no clock. A driver:
//
//   1. asks (`askBinding`, `allocate`, `permit`, `bind`, `send`, `release`)
//   2. sends what `takeMessage` gives, until nil: one datagram each, or bytes of the stream
//   3. a datagram, or a whole message cut from the stream -> receive(message, now)
//   4. `deadline` reached -> handleTimeout(now): repeats what got no answer, and renews what runs out
//   after each of 1, 3, 4: takeEvent() and takeMessage() until nil
//
// The allocation, its permissions and its channels are kept alive by themselves until `release`. Out of scope: SHA-256
// credentials (the server's offer is passed over, as by every client of RFC 5389), mobility, TCP allocations.

package import Base
import Crypto
package import Wire

package struct RelayClient: ~Copyable {
    /// Requests under way at one time. More than a prober or a load generator asks at once.
    package static let requestsMax = 16
    /// How often one request is signed anew because its nonce went stale; a server that goes on so is broken.
    static let renewalsMax = 3
    /// RFC 8489 §6.2.1: repetitions of a datagram.
    static let sendsMax = 7
    /// Renewed so long before the end: two repetitions of a lost request fit in.
    static let refreshMargin = Duration.seconds(60)
    /// RFC 8656 §9: a permission lasts five minutes. A channel lasts ten, but the permission that it is does not.
    static let permissionRenewal = Duration.seconds(240)

    enum Request: Equatable {
        case binding
        case allocate
        case refresh(Duration)
        case permit([TransportAddress])
        case bind(UInt16, TransportAddress)

        var step: RelayClientStep {
            switch self {
            case .binding: .binding
            case .allocate: .allocate
            case .refresh(.zero): .release
            case .refresh: .refresh
            case .permit: .permit
            case .bind: .bind
            }
        }
    }

    private struct Pending {
        let request: Request
        var id: STUNTransactionID
        var message: Bytes
        let giveUpAt: Instant
        var sends = 1
        var wait: Duration
        var repeatAt: Instant?
        var renewals = 0
        var isSigned: Bool
    }

    private struct Renewal {
        let request: Request
        var at: Instant
    }

    private let credentials: RelayClientCredentials?
    private let settings: RelayClientSettings
    private var random = SystemRandomNumberGenerator()
    private var authentication: RelayClientAuthentication?
    private var pending: [Pending] = []
    private var renewals: [Renewal] = []
    private var channelOfPeer: [TransportAddress: UInt16] = [:]
    private var peerOfChannel: [UInt16: TransportAddress] = [:]
    private var writer = STUNWriter()
    private var outgoing: [Bytes] = []
    private var events: [RelayClientEvent] = []
    private var hasSeenForgery = false

    package private(set) var allocation: RelayAllocation?

    /// Without credentials only a binding can be asked for, or an allocation of a relay that wants none.
    package init(_ credentials: RelayClientCredentials?, _ settings: RelayClientSettings = RelayClientSettings()) {
        self.credentials = credentials
        self.settings = settings
    }

    // MARK: - Asking

    package mutating func askBinding(now: Instant) { begin(.binding, now) }
    package mutating func allocate(now: Instant) { begin(.allocate, now) }

    /// Lets these addresses send to us; their ports do not matter.
    package mutating func permit(_ peers: [TransportAddress], now: Instant) { begin(.permit(peers), now) }

    /// A channel to the peer, which is a permission, too. The lowest number that is free.
    package mutating func bind(_ peer: TransportAddress, now: Instant) {
        let taken = peerOfChannel
        guard let number = ChannelNumber.all.first(where: { taken[$0] == nil }) else { return }
        peerOfChannel[number] = peer
        begin(.bind(number, peer), now)
    }

    /// Gives the allocation back.
    package mutating func release(now: Instant) {
        renewals = []
        guard allocation != nil else { return }
        allocation = nil
        begin(.refresh(.zero), now)
    }

    /// By the channel where there is one. The peer must have been permitted.
    package mutating func send(_ data: RawSpan, to peer: TransportAddress) {
        guard let channel = channelOfPeer[peer] else {
            writer.begin(.indication, .send, nextID())
            writer.add(.xorPeerAddress, xor: peer)
            writer.add(.data, data)
            outgoing.append(writer.bytes)
            return
        }
        guard data.byteCount <= 0xFFFF else { return }
        var message = Bytes()
        message.reserveCapacity(ChannelData.headerLength + data.byteCount + 3)
        message.append(bigEndian: channel)
        message.append(bigEndian: UInt16(data.byteCount))
        message.append(data)
        if settings.isReliable { while message.count & 3 != 0 { message.append(0) } }
        outgoing.append(message)
    }

    // MARK: - What comes of it

    package mutating func takeMessage() -> Bytes? { outgoing.isEmpty ? nil : outgoing.removeFirst() }
    package mutating func takeEvent() -> RelayClientEvent? { events.isEmpty ? nil : events.removeFirst() }

    package var deadline: Instant? {
        var earliest: Instant?
        for one in pending { earliest = Self.earlier(earliest, Self.earlier(one.repeatAt, one.giveUpAt)) }
        for one in renewals { earliest = Self.earlier(earliest, one.at) }
        return earliest
    }

    private static func earlier(_ left: Instant?, _ right: Instant?) -> Instant? {
        guard let left, let right else { return left ?? right }
        return min(left, right)
    }

    package mutating func handleTimeout(now: Instant) {
        for index in pending.indices.reversed() {
            if pending[index].giveUpAt <= now {
                let lost = pending.remove(at: index)
                fail(lost.request, hasSeenForgery ? .answersNotAuthentic : .timedOut)
            } else if let at = pending[index].repeatAt, at <= now {
                repeatRequest(index, now)
            }
        }
        let due = renewals.filter { $0.at <= now }
        renewals.removeAll { $0.at <= now }
        for renewal in due { begin(renewal.request, now) }
    }

    private mutating func repeatRequest(_ index: Int, _ now: Instant) {
        outgoing.append(pending[index].message)
        pending[index].sends += 1
        pending[index].wait = pending[index].wait * 2
        pending[index].repeatAt = pending[index].sends < Self.sendsMax ? now + pending[index].wait : nil
    }

    // MARK: - Requests

    private mutating func nextID() -> STUNTransactionID {
        STUNTransactionID(UInt32.random(in: .min ... .max, using: &random), random.next())
    }

    private mutating func begin(_ request: Request, _ now: Instant) {
        guard pending.count < Self.requestsMax else {
            return fail(request, .tooManyRequests)
        }
        let id = nextID()
        let message = write(request, id)
        pending.append(
            Pending(
                request: request, id: id, message: message, giveUpAt: now + settings.requestLimit,
                wait: settings.firstRetransmission,
                repeatAt: settings.isReliable ? nil : now + settings.firstRetransmission,
                isSigned: authentication != nil && request != .binding))
        outgoing.append(message)
    }

    /// The same again, with what the server has just asked for.
    private mutating func signAnew(_ asked: consuming Pending, _ now: Instant) {
        var next = asked
        next.id = nextID()
        next.message = write(next.request, next.id)
        next.isSigned = true
        next.renewals += 1
        next.sends = 1
        next.wait = settings.firstRetransmission
        next.repeatAt = settings.isReliable ? nil : now + next.wait
        outgoing.append(next.message)
        pending.append(next)
    }

    private mutating func write(_ request: Request, _ id: STUNTransactionID) -> Bytes {
        switch request {
        case .binding:
            writer.begin(.request, .binding, id)
            writer.addFingerprint()
            return writer.bytes
        case .allocate:
            writer.begin(.request, .allocate, id)
            // UDP, whatever we speak with the relay.
            writer.add(.requestedTransport, UInt32(17) << 24)
            writer.add(.lifetime, seconds(settings.lifetime))
            if let wantsIPv6 = settings.wantsIPv6 {
                writer.add(.requestedAddressFamily, UInt32(wantsIPv6 ? 2 : 1) << 24)
            }
        case .refresh(let lifetime):
            writer.begin(.request, .refresh, id)
            writer.add(.lifetime, seconds(lifetime))
            if let wantsIPv6 = settings.wantsIPv6 {
                writer.add(.requestedAddressFamily, UInt32(wantsIPv6 ? 2 : 1) << 24)
            }
        case .permit(let peers):
            writer.begin(.request, .createPermission, id)
            for peer in peers { writer.add(.xorPeerAddress, xor: peer) }
        case .bind(let channel, let peer):
            writer.begin(.request, .channelBind, id)
            writer.add(.channelNumber, UInt32(channel) << 16)
            writer.add(.xorPeerAddress, xor: peer)
        }
        authentication?.sign(&writer)
        return writer.bytes
    }

    private func seconds(_ duration: Duration) -> UInt32 { UInt32(clamping: duration.components.seconds) }

    private mutating func fail(_ request: Request, _ error: RelayClientError) {
        if case .bind(let channel, let peer) = request {
            peerOfChannel[channel] = nil
            channelOfPeer[peer] = nil
        }
        events.append(.failed(request.step, error))
    }

    // MARK: - Answers

    /// One whole message. What is not for us is passed over.
    package mutating func receive(_ bytes: RawSpan, now: Instant) {
        guard bytes.byteCount >= ChannelData.headerLength else { return }
        if bytes.byte(0) & 0xC0 == 0x40 { return receiveChannelData(bytes) }
        guard let message = try? STUNMessage(parsing: bytes), message.fingerprint != .invalid else { return }
        switch message.kind {
        case .success, .error: receiveAnswer(message, now)
        case .indication where message.method == .data: receiveData(message)
        case .indication, .request: break
        }
    }

    private mutating func receiveChannelData(_ bytes: RawSpan) {
        let length = Int(bytes.uint16(2))
        guard let peer = peerOfChannel[bytes.uint16(0)], length <= bytes.byteCount - ChannelData.headerLength else {
            return
        }
        let data = bytes.extracting(ChannelData.headerLength..<(ChannelData.headerLength + length))
        events.append(.received(data.withUnsafeBytes { unsafe Bytes($0) }, from: peer))
    }

    private mutating func receiveData(_ message: STUNMessage) {
        guard let peer = message.xorAddress(.xorPeerAddress), let attribute = message.attribute(.data) else { return }
        let data = message.value(attribute)
        events.append(.received(data.withUnsafeBytes { unsafe Bytes($0) }, from: peer))
    }

    private mutating func receiveAnswer(_ message: STUNMessage, _ now: Instant) {
        let id = message.transactionID
        guard let index = pending.firstIndex(where: { $0.id == id }) else { return }
        if message.kind == .error { return receiveError(message, index, now) }
        // Only what is signed with our password is an answer (§9.2.5).
        if pending[index].isSigned, let authentication, !authentication.signs(message) {
            hasSeenForgery = true
            return
        }
        let answered = pending.remove(at: index)
        switch answered.request {
        case .binding: receiveMapped(message)
        case .allocate: receiveAllocation(message, now)
        case .refresh(.zero): events.append(.released)
        case .refresh: receiveRefresh(message, now)
        case .permit(let peers):
            renewals.append(Renewal(request: answered.request, at: now + Self.permissionRenewal))
            events.append(.permitted(peers))
        case .bind(let channel, let peer):
            channelOfPeer[peer] = channel
            renewals.append(Renewal(request: answered.request, at: now + Self.permissionRenewal))
            events.append(.bound(channel, peer))
        }
    }

    private mutating func receiveMapped(_ message: STUNMessage) {
        guard let mapped = message.xorAddress(.xorMappedAddress) ?? message.plainAddress(.mappedAddress) else {
            return fail(.binding, .malformed("a binding without an address"))
        }
        events.append(.mapped(mapped))
    }

    private mutating func receiveAllocation(_ message: STUNMessage, _ now: Instant) {
        guard let relayed = message.xorAddress(.xorRelayedAddress), let lifetime = message.uint32(.lifetime) else {
            return fail(.allocate, .malformed("an allocation without its address or its lifetime"))
        }
        let allocation = RelayAllocation(
            relayed: relayed, mapped: message.xorAddress(.xorMappedAddress), lifetime: .seconds(Int64(lifetime)))
        self.allocation = allocation
        planRefresh(allocation.lifetime, now)
        events.append(.allocated(allocation))
    }

    private mutating func receiveRefresh(_ message: STUNMessage, _ now: Instant) {
        guard let lifetime = message.uint32(.lifetime) else {
            return fail(.refresh(settings.lifetime), .malformed("a refresh without a lifetime"))
        }
        planRefresh(.seconds(Int64(lifetime)), now)
        events.append(.refreshed(.seconds(Int64(lifetime))))
    }

    private mutating func planRefresh(_ lifetime: Duration, _ now: Instant) {
        let wait = max(lifetime - Self.refreshMargin, lifetime / 2)
        renewals.append(Renewal(request: .refresh(settings.lifetime), at: now + wait))
    }

    // MARK: - Refusals

    /// Taken unsigned, too: many servers sign few of them, and who can read the transaction's id on the way can cut
    /// the way as well.
    private mutating func receiveError(_ message: STUNMessage, _ index: Int, _ now: Instant) {
        let asked = pending.remove(at: index)
        guard let code = message.errorCode else {
            return fail(asked.request, .malformed("a refusal without a code"))
        }
        switch code.rawValue {
        case 300: fail(asked.request, .alternateServer(message.plainAddress(.alternateServer)))
        case 401 where asked.isSigned: fail(asked.request, .credentialsRefused)
        case 401: answerChallenge(message, asked, now)
        case 438 where asked.renewals < Self.renewalsMax && authentication?.renew(from: message) == true:
            signAnew(asked, now)
        default: fail(asked.request, .refused(code, reason: reason(message)))
        }
    }

    private mutating func answerChallenge(_ message: STUNMessage, _ asked: consuming Pending, _ now: Instant) {
        guard let credentials else { return fail(asked.request, .refused(.unauthenticated, reason: "")) }
        guard let authentication = RelayClientAuthentication(challenge: message, credentials) else {
            return fail(asked.request, .malformed("a challenge without a realm or a nonce"))
        }
        self.authentication = authentication
        signAnew(asked, now)
    }

    /// Letters of ASCII of the reason phrase: it is shown on a terminal, and comes from anybody.
    private func reason(_ message: STUNMessage) -> String {
        guard let attribute = message.attribute(.errorCode), attribute.length > 4 else { return "" }
        let longest = 64
        let value = message.value(attribute)
        var letters = Bytes()
        for offset in 4..<min(value.byteCount, 4 + longest) where (0x20...0x7E).contains(value.byte(offset)) {
            letters.append(value.byte(offset))
        }
        return String(decoding: letters, as: UTF8.self)
    }
}
