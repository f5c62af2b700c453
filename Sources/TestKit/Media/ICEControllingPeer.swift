// The other side of a lite agent: a full, controlling ICE agent with one candidate pair, for tests and for the load
// generator. It sends checks with USE-CANDIDATE, verifies what comes back, and asks for consent every 5 s or so.

package import Base
import Crypto
import Media
package import Wire

package struct ICEControllingPeer: Sendable {
    package enum Event: Equatable, Sendable {
        /// The first valid answer since the start or the restart; our address as the server sees it.
        case connected(TransportAddress)
        case consentRefreshed
        case refused(STUNErrorCode)
        /// Not a response to one of ours, or not authentic.
        case ignored
    }

    private static let checkInterval = Duration.milliseconds(100)
    /// RFC 7675 §5.1: 5 s, each time times 0.8…1.2.
    private static let consentInterval = Duration.seconds(5)
    private static let consentLifetime = Duration.seconds(30)
    /// Answers to older requests than these come too late.
    private static let outstandingMax = 8

    package private(set) var local: ICECredentials
    private var remoteUfrag: String
    private var key: MessageIntegrityKey
    private let tieBreaker: UInt64
    private var random: SplitMix
    private var outstanding: [STUNTransactionID] = []
    private var writer = STUNWriter()
    private var lastAnswer: Instant?

    /// What a test may do to the rules.
    package var usesCandidate = true
    package var claimsControlled = false
    package var priority: UInt32? = ICECandidate.priority(.peerReflexive, localPreference: 65_535, component: 1)
    /// Of an attribute that the other side must understand and does not.
    package var strangeAttribute: STUNAttributeType?

    /// When to call `poll`.
    package private(set) var deadline: Instant
    package private(set) var isConnected = false

    package init(local: ICECredentials, remote: ICECredentials, seed: UInt64, now: Instant) {
        self.local = local
        remoteUfrag = remote.ufrag
        key = MessageIntegrityKey(remote.password)
        random = SplitMix(seed: seed)
        tieBreaker = random.next()
        deadline = now
    }

    /// New credentials on both sides; checks start at once.
    package mutating func restart(local: ICECredentials, remote: ICECredentials, now: Instant) {
        self.local = local
        remoteUfrag = remote.ufrag
        key = MessageIntegrityKey(remote.password)
        outstanding = []
        isConnected = false
        deadline = now
    }

    /// Whether the other side has not answered for as long as consent lasts.
    package func hasLostConsent(now: Instant) -> Bool {
        guard isConnected, let lastAnswer else { return false }
        return now - lastAnswer >= Self.consentLifetime
    }

    /// The fragment that our checks name first.
    package var remoteFragment: String { remoteUfrag }

    /// A check to send, when it is time for one.
    package mutating func poll(now: Instant) -> Bytes? {
        guard now >= deadline else { return nil }
        let spread = Int64.random(in: 800...1_200, using: &random)
        deadline =
            now
            + (isConnected ? .milliseconds(Self.consentInterval.milliseconds * spread / 1_000) : Self.checkInterval)
        return check()
    }

    /// A check, whatever the time.
    package mutating func check() -> Bytes {
        let id = STUNTransactionID(UInt32(truncatingIfNeeded: random.next()), random.next())
        outstanding.append(id)
        if outstanding.count > Self.outstandingMax { outstanding.removeFirst() }
        writer.begin(.request, .binding, id)
        writer.add(.username, text: "\(remoteUfrag):\(local.ufrag)")
        if let priority { writer.add(.priority, priority) }
        writer.add(claimsControlled ? .iceControlled : .iceControlling, tieBreaker)
        if usesCandidate { writer.add(flag: .useCandidate) }
        if let strangeAttribute { writer.add(strangeAttribute, UInt32(0)) }
        writer.addIntegrity(key)
        writer.addFingerprint()
        return writer.bytes
    }

    package mutating func receive(_ datagram: RawSpan, now: Instant) -> Event {
        guard let message = try? STUNMessage(parsing: datagram), message.fingerprint == .valid,
            message.kind == .success || message.kind == .error,
            let index = outstanding.firstIndex(of: message.transactionID)
        else { return .ignored }
        let isAuthentic = key.authenticates(message)
        if message.kind == .error {
            // A server that does not know us cannot authenticate its 400 or 401.
            guard let code = message.errorCode, isAuthentic || [400, 401].contains(code.rawValue) else {
                return .ignored
            }
            outstanding.remove(at: index)
            return .refused(code)
        }
        guard isAuthentic, let address = message.xorAddress(.xorMappedAddress) else { return .ignored }
        outstanding.remove(at: index)
        lastAnswer = now
        guard !isConnected else { return .consentRefreshed }
        isConnected = true
        deadline = now + Self.consentInterval
        return .connected(address)
    }
}
