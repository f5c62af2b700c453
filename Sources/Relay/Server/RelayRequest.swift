// The attributes of a request, found on one pass: offsets into the message, and what it may not hold.

import Wire

struct RelayRequest {
    /// Where a value lies; a start of 0 is an attribute that is not there.
    struct Field {
        var start: UInt16 = 0
        var length: UInt16 = 0
        var isThere: Bool { start != 0 }
        var range: Range<Int> { Int(start)..<Int(start) &+ Int(length) }
    }

    private(set) var username = Field()
    private(set) var userhash = Field()
    private(set) var realm = Field()
    private(set) var nonce = Field()
    private(set) var passwordAlgorithm = Field()
    private(set) var passwordAlgorithms = Field()
    private(set) var channelNumber = Field()
    private(set) var lifetime = Field()
    private(set) var peer = Field()
    private(set) var data = Field()
    private(set) var family = Field()
    private(set) var additionalFamily = Field()
    private(set) var draftAdditionalFamily = Field()
    private(set) var evenPort = Field()
    private(set) var transport = Field()
    private(set) var dontFragment = Field()
    private(set) var token = Field()
    private(set) var connectionID = Field()
    private(set) var ticket = Field()
    private(set) var changeRequest = Field()
    private(set) var responsePort = Field()
    private(set) var padding = Field()
    /// How many XOR-PEER-ADDRESS there are.
    private(set) var peerCount = 0

    /// Comprehension-required attributes that no relay knows, for a 420 (the first eight).
    private(set) var unknown = InlineArray<8, UInt16>(repeating: 0)
    private(set) var unknownCount = 0

    init(_ message: borrowing STUNMessage) {
        var offset = STUNMessage.headerLength
        while let attribute = message.nextAttribute(from: &offset) { note(attribute) }
    }

    private mutating func note(_ attribute: STUNAttribute) {
        let field = Field(
            start: UInt16(truncatingIfNeeded: attribute.start), length: UInt16(truncatingIfNeeded: attribute.length))
        switch attribute.type {
        case .xorPeerAddress:
            peerCount &+= 1
            Self.set(&peer, field)
        case .data: Self.set(&data, field)
        case .username: Self.set(&username, field)
        case .realm: Self.set(&realm, field)
        case .nonce: Self.set(&nonce, field)
        case .lifetime: Self.set(&lifetime, field)
        case .channelNumber: Self.set(&channelNumber, field)
        case .requestedTransport: Self.set(&transport, field)
        case .requestedAddressFamily: Self.set(&family, field)
        case .additionalAddressFamily: Self.set(&additionalFamily, field)
        case .evenPort: Self.set(&evenPort, field)
        case .reservationToken: Self.set(&token, field)
        case .dontFragment: Self.set(&dontFragment, field)
        default: noteRare(attribute.type, field)
        }
    }

    private mutating func noteRare(_ type: STUNAttributeType, _ field: Field) {
        switch type {
        case .userhash: Self.set(&userhash, field)
        case .draftAdditionalAddressFamily: Self.set(&draftAdditionalFamily, field)
        case .passwordAlgorithm: Self.set(&passwordAlgorithm, field)
        case .passwordAlgorithms: Self.set(&passwordAlgorithms, field)
        case .connectionID: Self.set(&connectionID, field)
        case .mobilityTicket: Self.set(&ticket, field)
        case .changeRequest: Self.set(&changeRequest, field)
        case .responsePort: Self.set(&responsePort, field)
        case .padding: Self.set(&padding, field)
        // Of answers: they are understood, and mean nothing in a request.
        case .mappedAddress, .xorMappedAddress, .xorRelayedAddress, .errorCode, .unknownAttributes: break
        default: if type.isComprehensionRequired { addUnknown(type) }
        }
    }

    /// Of repeated attributes the first counts (RFC 8489 §14).
    private static func set(_ field: inout Field, _ value: Field) {
        if !field.isThere { field = value }
    }

    /// Also for one that is known, and not served here (DONT-FRAGMENT, RFC 8656 §7.2).
    mutating func addUnknown(_ type: STUNAttributeType) {
        guard unknownCount < unknown.count else { return }
        unknown[unknownCount] = type.rawValue
        unknownCount &+= 1
    }
}
