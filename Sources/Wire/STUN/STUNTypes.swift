// The names and numbers of STUN (RFC 8489), of its ICE usage (RFC 8445) and of TURN (RFC 8656): classes, methods,
// attributes, error codes, transaction ids. What is read and written with them is in `STUNMessage.swift` and
// `STUNWriter.swift`.

package enum STUNClass: UInt8, Sendable {
    case request = 0
    case indication = 1
    case success = 2
    case error = 3
}

/// 12 bits. Methods that we do not know are carried as well: the machine that reads the message decides.
package struct STUNMethod: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue & 0xFFF }

    package static let binding = STUNMethod(rawValue: 0x001)
    package static let allocate = STUNMethod(rawValue: 0x003)
    package static let refresh = STUNMethod(rawValue: 0x004)
    package static let send = STUNMethod(rawValue: 0x006)
    package static let data = STUNMethod(rawValue: 0x007)
    package static let createPermission = STUNMethod(rawValue: 0x008)
    package static let channelBind = STUNMethod(rawValue: 0x009)
}

/// 96 bits that the client chose; a response repeats them.
package struct STUNTransactionID: Hashable, Sendable {
    package let high: UInt32
    package let low: UInt64

    package init(_ high: UInt32, _ low: UInt64) {
        self.high = high
        self.low = low
    }
}

package struct STUNAttributeType: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Who does not understand such an attribute of a request must refuse the request (420).
    package var isComprehensionRequired: Bool { rawValue < 0x8000 }

    // RFC 8489.
    package static let mappedAddress = STUNAttributeType(rawValue: 0x0001)
    package static let username = STUNAttributeType(rawValue: 0x0006)
    package static let messageIntegrity = STUNAttributeType(rawValue: 0x0008)
    package static let errorCode = STUNAttributeType(rawValue: 0x0009)
    package static let unknownAttributes = STUNAttributeType(rawValue: 0x000A)
    package static let realm = STUNAttributeType(rawValue: 0x0014)
    package static let nonce = STUNAttributeType(rawValue: 0x0015)
    package static let messageIntegritySHA256 = STUNAttributeType(rawValue: 0x001C)
    package static let passwordAlgorithm = STUNAttributeType(rawValue: 0x001D)
    package static let userhash = STUNAttributeType(rawValue: 0x001E)
    package static let xorMappedAddress = STUNAttributeType(rawValue: 0x0020)
    package static let passwordAlgorithms = STUNAttributeType(rawValue: 0x8002)
    package static let software = STUNAttributeType(rawValue: 0x8022)
    package static let fingerprint = STUNAttributeType(rawValue: 0x8028)

    // RFC 8445.
    package static let priority = STUNAttributeType(rawValue: 0x0024)
    package static let useCandidate = STUNAttributeType(rawValue: 0x0025)
    package static let iceControlled = STUNAttributeType(rawValue: 0x8029)
    package static let iceControlling = STUNAttributeType(rawValue: 0x802A)

    // RFC 8656.
    package static let channelNumber = STUNAttributeType(rawValue: 0x000C)
    package static let lifetime = STUNAttributeType(rawValue: 0x000D)
    package static let xorPeerAddress = STUNAttributeType(rawValue: 0x0012)
    package static let data = STUNAttributeType(rawValue: 0x0013)
    package static let xorRelayedAddress = STUNAttributeType(rawValue: 0x0016)
    package static let requestedAddressFamily = STUNAttributeType(rawValue: 0x0017)
    package static let evenPort = STUNAttributeType(rawValue: 0x0018)
    package static let requestedTransport = STUNAttributeType(rawValue: 0x0019)
    package static let dontFragment = STUNAttributeType(rawValue: 0x001A)
    package static let reservationToken = STUNAttributeType(rawValue: 0x0022)

    /// A type below 0x8000 that is in none of the lists above.
    var isUnknownAndRequired: Bool {
        switch rawValue {
        case 0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x000C, 0x000D, 0x0012...0x001A, 0x001C...0x001E, 0x0020, 0x0022,
            0x0024, 0x0025, 0x8000...:
            false
        default: true
        }
    }
}

/// 300…699. The ones of ICE have names.
package struct STUNErrorCode: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let badRequest = STUNErrorCode(rawValue: 400)
    package static let unauthenticated = STUNErrorCode(rawValue: 401)
    package static let unknownAttribute = STUNErrorCode(rawValue: 420)
    package static let roleConflict = STUNErrorCode(rawValue: 487)
}
