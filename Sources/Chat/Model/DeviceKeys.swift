// The public keys of devices: what clients seal messages for. The server keeps them in order and hands each one-time
// key out once; it makes no key and checks none but their form. `docs/chat/keys.md` is normative.

package import Base

package struct ClientDevice: Sendable, Equatable {
    package let user: UserID
    package let id: ClientDeviceID
    package internal(set) var name: String
    /// As the client wrote it.
    package internal(set) var identityKey: String
    package internal(set) var algorithm: String
    package internal(set) var signedKey: SignedKey?
    /// Of this device's keys: 1, then one more with each change.
    package internal(set) var version: Int64
    package internal(set) var oneTimeKeyCount: Int
    package let createdAt: Timestamp
    package internal(set) var seenAt: Timestamp
}

/// A key of medium life, signed by the device's identity key.
package struct SignedKey: Sendable, Equatable {
    package let id: String
    package let key: String
    package let signature: String

    package init(id: String, key: String, signature: String) {
        self.id = id
        self.key = key
        self.signature = signature
    }
}

package struct OneTimeKey: Sendable, Equatable {
    package let id: String
    package let key: String

    package init(id: String, key: String) {
        self.id = id
        self.key = key
    }
}

/// What a device publishes; what is `nil` stays.
package struct DeviceRegistration: Sendable {
    package var name: String
    package var identityKey: String
    package var algorithm: String
    package var signedKey: SignedKey?
    /// Added to those that are there.
    package var oneTimeKeys: [OneTimeKey]

    package init(
        name: String, identityKey: String, algorithm: String, signedKey: SignedKey? = nil,
        oneTimeKeys: [OneTimeKey] = []
    ) {
        self.name = name
        self.identityKey = identityKey
        self.algorithm = algorithm
        self.signedKey = signedKey
        self.oneTimeKeys = oneTimeKeys
    }
}

/// A user's devices, as of a place in the order of their changes.
package struct DeviceList: Sendable, Equatable {
    package let user: UserID
    /// 0: never had one.
    package let version: Int64
    package let devices: [ClientDevice]
}

/// What a sender needs to begin with a device that it has never written to.
package struct ClaimedKey: Sendable, Equatable {
    package let device: ClientDevice
    /// `nil` when they are used up: the signed key has to do.
    package let oneTimeKey: OneTimeKey?
}

package struct DeviceChange: Sendable, Equatable {
    package enum Kind: Int64, Sendable { case added = 0, changed = 1, removed = 2 }

    package let user: UserID
    /// The user's version that it made.
    package let version: Int64
    package let device: ClientDeviceID
    package let kind: Kind
    package let at: Timestamp
}
