// A TURN client for tests of the server: it writes what a test wants to be written, right or wrong.

package import Base
package import Relay
package import Wire

/// A STUN message that was received, kept.
package struct RelayAnswer {
    package let bytes: Bytes
    package let kind: STUNClass
    package let method: STUNMethod
    package let transactionID: STUNTransactionID
    package let code: STUNErrorCode?

    package init?(_ bytes: Bytes) {
        guard let message = try? STUNMessage(parsing: bytes.span.bytes) else { return nil }
        self.bytes = bytes
        kind = message.kind
        method = message.method
        transactionID = message.transactionID
        code = message.errorCode
    }

    package var isSuccess: Bool { kind == .success }

    package func has(_ type: STUNAttributeType) -> Bool { value(type) != nil }

    package func value(_ type: STUNAttributeType) -> Bytes? {
        guard let message = try? STUNMessage(parsing: bytes.span.bytes), let attribute = message.attribute(type) else {
            return nil
        }
        return Bytes(bytes[attribute.start..<(attribute.start + attribute.length)])
    }

    package func uint32(_ type: STUNAttributeType) -> UInt32? {
        (try? STUNMessage(parsing: bytes.span.bytes))?.uint32(type)
    }

    package func address(_ type: STUNAttributeType) -> TransportAddress? {
        (try? STUNMessage(parsing: bytes.span.bytes))?.xorAddress(type)
    }

    package func plainAddress(_ type: STUNAttributeType) -> TransportAddress? {
        (try? STUNMessage(parsing: bytes.span.bytes))?.plainAddress(type)
    }

    /// All of one type, in order.
    package func addresses(_ type: STUNAttributeType) -> [TransportAddress] {
        guard let message = try? STUNMessage(parsing: bytes.span.bytes) else { return [] }
        var found: [TransportAddress] = []
        var offset = STUNMessage.headerLength
        while let attribute = message.nextAttribute(from: &offset) {
            if attribute.type == type, let address = message.xorAddress(attribute) { found.append(address) }
        }
        return found
    }

    package func isAuthentic(_ key: RelayKey, _ kind: IntegrityKind = .sha1) -> Bool {
        guard let message = try? STUNMessage(parsing: bytes.span.bytes) else { return false }
        return key.authenticates(message, kind)
    }
}

package final class RelayTestClient {
    /// How the requests are authenticated.
    package enum Style: Sendable, CaseIterable {
        /// RFC 5389: MD5 and MESSAGE-INTEGRITY.
        case classic
        /// RFC 8489: SHA-256 for both.
        case modern
        /// RFC 8489 with the name as a hash.
        case hidden
    }

    package let stage: RelayStage
    package var path: ClientPath
    package var name: Bytes
    package var key: RelayKey
    package var style: Style
    package var realm = "plexichat"
    package var nonce: Bytes = []
    /// After a 438, as a real client: the request is asked again with the new one.
    package var renewsNonce = false
    private var transaction: UInt64

    package static let address = TransportAddress(IPAddress(v4: 0xCB00_7109), 40_000)

    package init(
        _ stage: RelayStage, session: String = "alice", lifetime: Duration = .hours(4), port: UInt16 = 40_000,
        transport: ClientTransport = .udp, style: Style = .classic, secrets: RelaySecrets? = nil,
        hash: RelaySecrets.Hash = .sha1
    ) {
        self.stage = stage
        self.style = style
        path = ClientPath(
            remote: TransportAddress(Self.address.ip, port), handle: transport == .udp ? 0 : UInt32(port),
            transport: transport)
        let expiry = stage.wallClock.secondsSinceEpoch + lifetime.components.seconds
        name = Bytes("\(expiry):\(session)".utf8)
        let secrets = secrets ?? RelaySecrets(RelayStage.secret)
        let password = String(decoding: secrets.password(of: name, hash: hash).exposedBytes, as: UTF8.self)
        key = RelayKey(name: name, realm: realm, password: password, style == .classic ? .md5 : .sha256)
        transaction = UInt64(port) << 32
    }

    package var integrity: IntegrityKind { style == .classic ? .sha1 : .sha256 }

    // MARK: Writing

    package func nextTransaction() -> STUNTransactionID {
        transaction += 1
        return STUNTransactionID(0xC0FF_EE00, transaction)
    }

    /// A whole request with credentials.
    package func message(
        _ method: STUNMethod, _ id: STUNTransactionID? = nil, _ add: (inout STUNWriter) -> Void = { _ in }
    ) -> Bytes {
        var writer = STUNWriter()
        writer.begin(.request, method, id ?? nextTransaction())
        add(&writer)
        addCredentials(&writer)
        key.sign(&writer, integrity)
        return writer.bytes
    }

    package func addCredentials(_ writer: inout STUNWriter) {
        if style == .hidden {
            writer.add(.userhash, RelayKey.userhash(name: name, realm: realm).span.bytes)
        } else {
            writer.add(.username, name.span.bytes)
        }
        writer.add(.realm, text: realm)
        writer.add(.nonce, nonce.span.bytes)
        if style != .classic {
            writer.add(.passwordAlgorithms, UInt64(0x0002_0000_0001_0000))
            writer.add(.passwordAlgorithm, UInt32(0x0002_0000))
        }
    }

    package func bare(_ method: STUNMethod, _ add: (inout STUNWriter) -> Void = { _ in }) -> Bytes {
        var writer = STUNWriter()
        writer.begin(.request, method, nextTransaction())
        add(&writer)
        return writer.bytes
    }

    // MARK: Asking

    /// Sends it and gives the answer, if there is exactly one.
    package func ask(_ method: STUNMethod, _ add: (inout STUNWriter) -> Void = { _ in }) -> RelayAnswer? {
        if nonce.isEmpty { fetchNonce() }
        let bytes = message(method, nil, add)
        _ = stage.take()
        stage.client(bytes, from: path)
        let answer = stage.answer()
        guard renewsNonce, answer?.code == .staleNonce, let fresh = answer?.value(.nonce) else { return answer }
        nonce = fresh
        stage.client(message(method, nil, add), from: path)
        return stage.answer()
    }

    package func fetchNonce() {
        _ = stage.take()
        stage.client(bare(.allocate), from: path)
        nonce = stage.answer()?.value(.nonce) ?? []
    }

    package func allocate(_ add: (inout STUNWriter) -> Void = { _ in }) -> RelayAnswer? {
        ask(.allocate) {
            $0.add(.requestedTransport, UInt32(17) << 24)
            add(&$0)
        }
    }

    package func refresh(_ seconds: UInt32) -> RelayAnswer? { ask(.refresh) { $0.add(.lifetime, seconds) } }

    package func permit(_ peers: TransportAddress...) -> RelayAnswer? {
        ask(.createPermission) { writer in for peer in peers { writer.add(.xorPeerAddress, xor: peer) } }
    }

    package func bind(_ number: UInt16, to peer: TransportAddress) -> RelayAnswer? {
        ask(.channelBind) {
            $0.add(.channelNumber, UInt32(number) << 16)
            $0.add(.xorPeerAddress, xor: peer)
        }
    }

    package func send(_ data: Bytes, to peer: TransportAddress, dontFragment: Bool = false) {
        var writer = STUNWriter()
        writer.begin(.indication, .send, nextTransaction())
        writer.add(.xorPeerAddress, xor: peer)
        if dontFragment { writer.add(flag: .dontFragment) }
        writer.add(.data, data.span.bytes)
        stage.client(writer.bytes, from: path)
    }

    package static func channelData(_ number: UInt16, _ data: Bytes) -> Bytes {
        var bytes: Bytes = []
        bytes.append(bigEndian: number)
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: data.count))
        return bytes + data
    }
}
