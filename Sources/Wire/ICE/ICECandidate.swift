// ICE candidates as SDP and trickle write them (RFC 8839 §5.1, RFC 6544 §4.5 for TCP):
//
//     candidate:<foundation> <component> <transport> <priority> <address> <port> typ <type>
//         [raddr <address> rport <port>] [tcptype <type>] *(<name> <value>)
//
// Names (mDNS `….local`, other host names) are kept as names: a lite agent sends no checks and has no use for their
// addresses. Candidates of an unknown transport or type are well-formed and to be skipped, which is another error than
// a line that is wrong.

import Base

package enum ICECandidateError: Error, Equatable, Sendable {
    /// Not of the grammar; the sentence says what.
    case malformed(WireError)
    /// To be skipped (RFC 8839 §5.1: "MUST ignore").
    case unsupported
}

package struct ICECandidate: Equatable, Sendable {
    /// A line of a browser has 80 to 250 bytes. A longer one is refused before it is looked at.
    package static let lineBytesMax = 1_024
    /// Browsers write three (generation, ufrag, network-id). More are read and forgotten.
    package static let extensionsMax = 16
    package static let foundationBytesMax = 32
    /// DNS's limit.
    package static let nameBytesMax = 253

    package enum Transport: Equatable, Sendable {
        case udp
        case tcp(TCPType)
    }

    package enum TCPType: String, Equatable, Sendable {
        case active
        case passive
        case simultaneousOpen = "so"
    }

    package enum Kind: String, Equatable, Sendable {
        case host
        case serverReflexive = "srflx"
        case peerReflexive = "prflx"
        case relayed = "relay"

        /// RFC 8445 §5.1.2.2.
        package var preference: UInt32 {
            switch self {
            case .host: 126
            case .peerReflexive: 110
            case .serverReflexive: 100
            case .relayed: 0
            }
        }
    }

    package enum Host: Equatable, Sendable, CustomStringConvertible {
        case address(IPAddress)
        case name(String)

        package var description: String {
            switch self {
            case .address(let address): "\(address)"
            case .name(let name): name
            }
        }
    }

    /// An attribute that we do not interpret (`generation 0`, `network-cost 10`).
    package struct Extension: Equatable, Sendable {
        package var name: String
        package var value: String
        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package var foundation: String
    package var component: UInt16
    package var transport: Transport
    package var priority: UInt32
    package var host: Host
    package var port: UInt16
    package var kind: Kind
    /// Base of a reflexive or relayed candidate. Browsers blank it (`0.0.0.0 0`).
    package var relatedHost: Host?
    package var relatedPort: UInt16?
    package var extensions: [Extension]

    /// One of our own: a host candidate, component 1.
    package init(
        foundation: String, transport: Transport = .udp, address: TransportAddress, localPreference: UInt16 = .max
    ) {
        self.foundation = foundation
        component = 1
        self.transport = transport
        priority = Self.priority(.host, localPreference: localPreference, component: 1)
        host = .address(address.ip)
        port = address.port
        kind = .host
        extensions = []
    }

    /// RFC 8445 §5.1.2.1.
    package static func priority(_ kind: Kind, localPreference: UInt16, component: UInt16) -> UInt32 {
        kind.preference << 24 | UInt32(localPreference) << 8 | (256 &- UInt32(min(component, 256)))
    }
}

// MARK: - Writing

extension ICECandidate {
    /// `candidate:…`, as the value of `candidate` in a trickled object, and behind `a=` in SDP.
    package var line: String {
        var line = "candidate:\(foundation) \(component) "
        switch transport {
        case .udp: line += "udp"
        case .tcp: line += "tcp"
        }
        line += " \(priority) \(host) \(port) typ \(kind.rawValue)"
        if let relatedHost { line += " raddr \(relatedHost)" }
        if let relatedPort { line += " rport \(relatedPort)" }
        if case .tcp(let type) = transport { line += " tcptype \(type.rawValue)" }
        for item in extensions { line += " \(item.name) \(item.value)" }
        return line
    }
}

// MARK: - Reading

extension ICECandidate {
    /// With or without `a=`, with or without `candidate:`.
    package init(parsing text: String) throws(ICECandidateError) {
        guard text.utf8.count <= Self.lineBytesMax else {
            throw .malformed(.invalid("a candidate has at most 1024 bytes"))
        }
        var words = Words(Bytes(text.utf8))
        words.skip(prefix: "a=")
        words.skip(prefix: "candidate:")
        let transportName: Bytes
        let knownKind: Kind?
        do throws(WireError) {
            foundation = try words.text("a foundation is 1 to 32 letters, digits, `+` and `/`") {
                $0.count <= Self.foundationBytesMax && $0.allSatisfy(isICECharacter)
            }
            component = UInt16(try words.number("a component is 1 to 256", 1...256))
            transportName = try words.token("a transport is a token")
            priority = UInt32(try words.number("a priority is 0 to 4294967295", 0...UInt64(UInt32.max)))
            host = try words.host()
            port = UInt16(try words.number("a port is 0 to 65535", 0...65_535))
            guard try words.token("`typ` comes after the port") == Bytes("typ".utf8) else {
                throw .invalid("`typ` comes after the port")
            }
            knownKind = Kind(rawValue: String(decoding: try words.token("a type is a token"), as: UTF8.self))
        } catch { throw .malformed(error) }
        kind = knownKind ?? .host
        transport = .udp
        extensions = []
        let isTCP = equalsIgnoringCase(transportName, "tcp")
        try readExtensions(&words, isTCP: isTCP)
        guard knownKind != nil, isTCP || equalsIgnoringCase(transportName, "udp") else { throw .unsupported }
    }

    private mutating func readExtensions(_ words: inout Words, isTCP: Bool) throws(ICECandidateError) {
        var tcpType: TCPType?
        do throws(WireError) {
            while !words.isAtEnd {
                let name = try words.token("a name of an extension is a token")
                switch String(decoding: name, as: UTF8.self) {
                case "raddr": relatedHost = try words.relatedHost()
                case "rport": relatedPort = UInt16(try words.number("a port is 0 to 65535", 0...65_535))
                case "tcptype":
                    let value = try words.token("a tcptype is a token")
                    tcpType = TCPType(rawValue: String(decoding: value, as: UTF8.self))
                    if tcpType == nil { throw .invalid("a tcptype is `active`, `passive` or `so`") }
                case let name:
                    let value = try words.text("a value of an extension is visible characters") {
                        $0.allSatisfy { $0 > 0x20 && $0 != 0x7F }
                    }
                    if extensions.count < Self.extensionsMax { extensions.append(Extension(name, value)) }
                }
            }
        } catch { throw .malformed(error) }
        guard isTCP else { return }
        // From before RFC 6544, which says how to connect: nobody could.
        guard let tcpType else { throw .unsupported }
        transport = .tcp(tcpType)
    }
}

/// Words of a line, one space between them.
private struct Words {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: Bytes) {
        rest = bytes[...]
        while let last = rest.last, last == 0x0A || last == 0x0D { rest = rest.dropLast() }
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(prefix: StaticString) {
        let isThere = prefix.withUTF8Buffer { unsafe rest.starts(with: $0) }
        if isThere { rest = rest.dropFirst(prefix.utf8CodeUnitCount) }
    }

    private mutating func next(_ reason: StaticString) throws(WireError) -> ArraySlice<UInt8> {
        guard !rest.isEmpty else { throw .truncated }
        let word = rest.prefix { $0 != 0x20 }
        guard !word.isEmpty else { throw .invalid(reason) }
        rest = rest.dropFirst(word.count)
        if !rest.isEmpty {
            rest = rest.dropFirst()
            guard !rest.isEmpty else { throw .invalid("a candidate does not end with a space") }
        }
        return word
    }

    mutating func text(
        _ reason: StaticString, where isRight: (ArraySlice<UInt8>) -> Bool
    ) throws(WireError) -> String {
        let word = try next(reason)
        guard isRight(word), UTF8Validator.isValid(Bytes(word)) else { throw .invalid(reason) }
        return String(decoding: word, as: UTF8.self)
    }

    /// RFC 4566 `token`: visible ASCII but for separators; letters, digits and `-` are all that candidates use.
    mutating func token(_ reason: StaticString) throws(WireError) -> Bytes {
        let word = try next(reason)
        let isToken = word.allSatisfy { isICECharacter($0) || $0 == 0x2D || $0 == 0x5F || $0 == 0x2E }
        guard isToken else { throw .invalid(reason) }
        return Bytes(word)
    }

    /// Decimal digits, ten at most.
    mutating func number(_ reason: StaticString, _ range: ClosedRange<UInt64>) throws(WireError) -> UInt64 {
        let word = try next(reason)
        guard word.count <= 10, word.allSatisfy(isDigit) else { throw .invalid(reason) }
        let value = word.reduce(UInt64(0)) { $0 &* 10 &+ UInt64($1 &- 0x30) }
        guard range.contains(value) else { throw .invalid(reason) }
        return value
    }

    /// Only for people to read: what is no address is a name, whatever it looks like.
    mutating func relatedHost() throws(WireError) -> ICECandidate.Host {
        let word = try text("a related address is visible characters, 253 at most") { word in
            word.count <= ICECandidate.nameBytesMax && word.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        }
        return IPAddress(word).map { .address($0) } ?? .name(word)
    }

    mutating func host() throws(WireError) -> ICECandidate.Host {
        let word = try next("an address is an IP address or a name")
        let text = String(decoding: word, as: UTF8.self)
        if let address = IPAddress(text) { return .address(address) }
        let isName =
            word.count <= ICECandidate.nameBytesMax
            && word.allSatisfy { isICECharacter($0) && $0 != 0x2B && $0 != 0x2F || $0 == 0x2D || $0 == 0x2E }
            // Digits and dots alone are an IPv4 address that is wrong.
            && !word.allSatisfy { isDigit($0) || $0 == 0x2E }
        guard isName else { throw .invalid("an address is an IP address or a name") }
        return .name(text)
    }
}

private func equalsIgnoringCase(_ word: Bytes, _ lowerCase: StaticString) -> Bool {
    lowerCase.withUTF8Buffer { expected in unsafe word.elementsEqual(expected) { $0 | 0x20 == $1 } }
}
