// Who speaks with a shard other than by plain datagrams: streams, and DTLS associations. Their numbers are the handles
// of `ClientPath`.

import Base
import CShims
import Crypto
import Glibc
import Net
import Wire

/// A DTLS association over a listening UDP socket.
final class RelayDTLSPeer {
    let path: ClientPath
    let listener: RelaySocketListener
    let session: DTLSSession
    fileprivate(set) var lastHeard: Instant
    fileprivate var isOpening = true

    init(_ path: ClientPath, _ listener: RelaySocketListener, _ session: DTLSSession, now: Instant) {
        self.path = path
        self.listener = listener
        self.session = session
        lastHeard = now
    }

    var isOver: Bool { session.phase != .handshaking && session.phase != .established }
}

/// On the shard's thread.
final class RelayClients {
    private enum Client {
        case stream(RelayStream)
        case dtls(RelayDTLSPeer)
    }

    private struct Source: Hashable {
        let remote: TransportAddress
        let listener: UInt32
    }

    /// What is relayed, and what DTLS and TURN put around it: what was one datagram stays one, if need be in fragments.
    private static let datagramBytesMax = RelayBatch.datagramBytesMax + 128
    /// Below are the numbers of listening sockets.
    private static let firstHandle: UInt32 = 1 << 16

    private let options: RelayDriverOptions
    private var identity: DTLSIdentity?
    private let cookieKey = DTLSCookieKey()
    private var clients: [Client?] = []
    private var free: [Int] = []
    private var associations: [Source: RelayDTLSPeer] = [:]
    private var halfOpen = 0
    /// Waits for the next client's second hello: nothing is kept of one that has not shown its cookie.
    private var spare: DTLSSession?
    /// The association that a client has left without a word, and begun anew from the same port.
    private var replaced: ClientPath?
    private(set) var streamCount = 0
    private(set) var refusedAssociations: UInt64 = 0
    var associationCount: Int { associations.count }

    init(_ options: RelayDriverOptions, _ identity: DTLSIdentity?) {
        self.options = options
        self.identity = identity
    }

    // MARK: - Numbers

    private func keep(_ client: Client) -> UInt32 {
        let place = free.popLast() ?? clients.count
        if place == clients.count { clients.append(client) } else { clients[place] = client }
        return Self.firstHandle + UInt32(truncatingIfNeeded: place)
    }

    private func release(_ path: ClientPath) {
        let place = Int(path.handle) - Int(Self.firstHandle)
        guard place >= 0, place < clients.count, clients[place] != nil else { return }
        clients[place] = nil
        free.append(place)
    }

    private func client(_ path: ClientPath) -> Client? {
        let place = Int(path.handle) - Int(Self.firstHandle)
        return place >= 0 && place < clients.count ? clients[place] : nil
    }

    // MARK: - Streams

    func add(_ stream: RelayStream) -> UInt32 {
        streamCount += 1
        return keep(.stream(stream))
    }

    func stream(_ path: ClientPath) -> RelayStream? {
        if case .stream(let stream)? = client(path) { stream } else { nil }
    }

    func forget(_ stream: RelayStream) {
        streamCount -= 1
        release(stream.path)
    }

    /// Our end of a client's connection.
    func local(_ path: ClientPath) -> IPAddress? {
        switch client(path) {
        case .stream(let stream)?: stream.local
        case .dtls(let peer)?: peer.listener.address.ip
        case nil: nil
        }
    }

    // MARK: - Out

    /// False when it was dropped.
    func send(_ datagram: RelayDatagram, to path: ClientPath) -> Bool {
        let bytes = UnsafeRawBufferPointer(start: datagram.start, count: datagram.count)
        switch client(path) {
        case .stream(let stream)?: return stream.send(bytes, queueMax: options.streamQueueMax)
        case .dtls(let peer)?:
            let isSent = peer.session.send(bytes)
            flush(peer)
            return isSent
        case nil: return false
        }
    }

    func flush(_ peer: RelayDTLSPeer) { flush(peer.session, peer.listener, peer.path.remote) }

    private func flush(_ session: DTLSSession, _ listener: RelaySocketListener, _ remote: TransportAddress) {
        var address = plexi_address(remote)
        while let datagram = session.takeDatagram() {
            _ = plexi_datagram_send(listener.descriptor, datagram, UInt(datagram.count), &address)
        }
    }

    // MARK: - DTLS

    /// For the next associations.
    func adopt(_ identity: DTLSIdentity) {
        self.identity = identity
        spare = nil
    }

    func dtlsPeer(_ path: ClientPath) -> RelayDTLSPeer? {
        if case .dtls(let peer)? = client(path) { peer } else { nil }
    }

    /// The association that the datagram belongs to, which has taken it; `nil` when there is none yet.
    func receiveDTLS(
        _ bytes: UnsafeRawBufferPointer, from remote: TransportAddress, _ listener: RelaySocketListener, now: Instant
    ) -> RelayDTLSPeer? {
        guard let identity else { return nil }
        let source = Source(remote: remote, listener: listener.handle)
        guard let peer = associations[source], !peer.session.isBegunAnew(by: bytes) else {
            return begin(bytes, source, listener, identity, now)
        }
        peer.session.receive(bytes, now: now)
        peer.lastHeard = now
        if peer.session.phase != .handshaking { noteOpened(peer) }
        return peer
    }

    /// Whose association ended because of the datagram that was received last.
    func takeReplaced() -> ClientPath? {
        defer { replaced = nil }
        return replaced
    }

    private func noteOpened(_ peer: RelayDTLSPeer) {
        guard peer.isOpening else { return }
        peer.session.allowDatagrams(of: Self.datagramBytesMax)
        peer.isOpening = false
        halfOpen -= 1
    }

    private func begin(
        _ bytes: UnsafeRawBufferPointer, _ source: Source, _ listener: RelaySocketListener, _ identity: DTLSIdentity,
        _ now: Instant
    ) -> RelayDTLSPeer? {
        guard associations.count < options.associations, halfOpen < options.halfOpenAssociations else {
            refusedAssociations &+= 1
            return nil
        }
        guard let session = spare ?? (try? DTLSSession(.server, identity)) else { return nil }
        spare = session
        let isProven = session.listen(bytes, from: Self.name(source), cookies: cookieKey, now: now)
        guard isProven else {
            flush(session, listener, source.remote)
            if session.phase != .handshaking { spare = nil }
            return nil
        }
        spare = nil
        guard session.phase == .handshaking else {
            // What we have not in common is told by an alert; without it the client would say hello until it gives up.
            flush(session, listener, source.remote)
            return nil
        }
        let place = free.last ?? clients.count
        let path = ClientPath(
            remote: source.remote, handle: Self.firstHandle + UInt32(truncatingIfNeeded: place), transport: .dtls)
        let peer = RelayDTLSPeer(path, listener, session, now: now)
        _ = keep(.dtls(peer))
        // After the new one has its number: the old one's is used again when the engine knows.
        if let old = associations[source], forget(old) { replaced = old.path }
        associations[source] = peer
        halfOpen += 1
        return peer
    }

    /// What a cookie is for: the address, the port, the socket.
    private static func name(_ source: Source) -> Bytes {
        var name = Bytes()
        let (high, low) = source.remote.ip.words
        name.append(bigEndian: high)
        name.append(bigEndian: low)
        name.append(bigEndian: source.remote.port)
        name.append(bigEndian: source.listener)
        return name
    }

    /// False when it was forgotten already.
    func forget(_ peer: RelayDTLSPeer) -> Bool {
        let source = Source(remote: peer.path.remote, listener: peer.listener.handle)
        guard associations[source] === peer else { return false }
        associations[source] = nil
        noteOpened(peer)
        release(peer.path)
        return true
    }

    // MARK: - Time

    /// The next retransmission of a handshake. Half-open ones are few.
    var deadline: Instant? {
        guard halfOpen > 0 else { return nil }
        return associations.values.compactMap(\.session.deadline).min()
    }

    func handleTimeouts(now: Instant) {
        guard halfOpen > 0 else { return }
        for peer in associations.values where peer.session.deadline.map({ $0 <= now }) == true {
            peer.session.handleTimeout(now: now)
            flush(peer)
        }
    }

    /// Who said nothing for too long, or is over.
    func silent(now: Instant) -> (streams: [RelayStream], associations: [RelayDTLSPeer]) {
        var streams: [RelayStream] = []
        for case .stream(let stream)? in clients {
            let limit = stream.hasSpoken ? options.idle : options.firstMessage
            if now - stream.lastHeard > limit { streams.append(stream) }
        }
        let silent = associations.values.filter { peer in
            peer.isOver
                || now - peer.lastHeard > (peer.session.phase == .established ? options.idle : options.firstMessage)
        }
        return (streams, silent)
    }

    func closeAll() {
        let (gone, peers) = (clients, associations.values)
        clients = []
        free = []
        associations = [:]
        for case .stream(let stream)? in gone { stream.transport.cut() }
        for peer in peers {
            peer.session.close()
            flush(peer)
        }
    }
}
