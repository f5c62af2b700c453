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
    // RFC 6062.
    package static let connect = STUNMethod(rawValue: 0x00A)
    package static let connectionBind = STUNMethod(rawValue: 0x00B)
    package static let connectionAttempt = STUNMethod(rawValue: 0x00C)
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
    package static let alternateServer = STUNAttributeType(rawValue: 0x8023)
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
    package static let additionalAddressFamily = STUNAttributeType(rawValue: 0x8000)
    /// ADDITIONAL-ADDRESS-FAMILY before RFC 8656, in its drafts.
    package static let draftAdditionalAddressFamily = STUNAttributeType(rawValue: 0x8032)
    package static let addressErrorCode = STUNAttributeType(rawValue: 0x8001)
    package static let icmp = STUNAttributeType(rawValue: 0x8004)

    // RFC 6062.
    package static let connectionID = STUNAttributeType(rawValue: 0x002A)

    // RFC 8016.
    package static let mobilityTicket = STUNAttributeType(rawValue: 0x8030)

    // RFC 5780.
    package static let changeRequest = STUNAttributeType(rawValue: 0x0003)
    package static let padding = STUNAttributeType(rawValue: 0x0026)
    package static let responsePort = STUNAttributeType(rawValue: 0x0027)
    package static let responseOrigin = STUNAttributeType(rawValue: 0x802B)
    package static let otherAddress = STUNAttributeType(rawValue: 0x802C)

    /// Whether an agent of ICE must refuse it: required, and not of RFC 8489, RFC 8445 or RFC 8656. A relay knows
    /// others, and asks for itself.
    var isUnknownAndRequired: Bool {
        switch rawValue {
        case 0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x000C, 0x000D, 0x0012...0x001A, 0x001C...0x001E, 0x0020, 0x0022,
            0x0024, 0x0025, 0x8000...:
            false
        default: true
        }
    }
}

/// 300…699.
package struct STUNErrorCode: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    // RFC 8489.
    package static let tryAlternate = STUNErrorCode(rawValue: 300)
    package static let badRequest = STUNErrorCode(rawValue: 400)
    package static let unauthenticated = STUNErrorCode(rawValue: 401)
    package static let unknownAttribute = STUNErrorCode(rawValue: 420)
    package static let staleNonce = STUNErrorCode(rawValue: 438)
    package static let serverError = STUNErrorCode(rawValue: 500)

    // RFC 8445.
    package static let roleConflict = STUNErrorCode(rawValue: 487)

    // RFC 8656.
    package static let forbidden = STUNErrorCode(rawValue: 403)
    package static let allocationMismatch = STUNErrorCode(rawValue: 437)
    package static let addressFamilyNotSupported = STUNErrorCode(rawValue: 440)
    package static let wrongCredentials = STUNErrorCode(rawValue: 441)
    package static let unsupportedTransport = STUNErrorCode(rawValue: 442)
    package static let peerAddressFamilyMismatch = STUNErrorCode(rawValue: 443)
    package static let allocationQuotaReached = STUNErrorCode(rawValue: 486)
    package static let insufficientCapacity = STUNErrorCode(rawValue: 508)

    // RFC 6062.
    package static let connectionAlreadyExists = STUNErrorCode(rawValue: 446)
    package static let connectionTimeoutOrFailure = STUNErrorCode(rawValue: 447)

    // RFC 8016.
    package static let mobilityForbidden = STUNErrorCode(rawValue: 405)
}
