// What a client keeps for its user: a key, a JSON value, and which state of it that is.
// docs/protocol/client-settings.md is normative.

package import Base

/// `theme`, `notifications.enabled`: 1 to 8 words between full stops, of letters, digits, `_` and `-` of ASCII; the
/// first character is a letter. Case counts.
package struct ClientSettingKey: Hashable, Sendable, CustomStringConvertible {
    /// A key stands in a path and in an index: longer ones would be data.
    package static let lengthMax = 128
    /// Depth that a client's own tree of settings has at most. More would help nobody and cost nothing but a rule.
    package static let wordsMax = 8
    /// Words of the rows' own paths: a setting with such a name could not be told from them by a reader.
    package static let reserved: Set<String> = ["bulk-update", "images"]

    package let description: String

    package init(_ text: some StringProtocol) throws(ClientSettingError) {
        guard (1...Self.lengthMax).contains(text.utf8.count) else {
            throw .invalid("setting_key", "must be 1 to \(Self.lengthMax) characters long")
        }
        guard Self.isWellFormed(text.utf8) else {
            throw .invalid(
                "setting_key",
                "must be at most \(Self.wordsMax) words of letters, digits, '_' and '-' with '.' between them, and begin with a letter"
            )
        }
        guard !Self.reserved.contains(String(text)) else {
            throw .invalid("setting_key", "is the name of a row of this API")
        }
        description = String(text)
    }

    /// A key that was checked when it was stored.
    init(stored text: String) { description = text }

    private static func isWellFormed(_ bytes: some Collection<UInt8>) -> Bool {
        guard let first = bytes.first, isLetter(first) else { return false }
        let words = bytes.split(separator: 0x2E, omittingEmptySubsequences: false)
        return words.count <= wordsMax && words.allSatisfy { !$0.isEmpty && $0.allSatisfy(isWordByte) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        isLetter(byte) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x5F
    }
}

package struct ClientSetting: Sendable, Equatable {
    package let key: ClientSettingKey
    /// As JSON, written by us: what was stored is what is sent, without reading it in between.
    package let value: Bytes
    /// Another one with every change, and after a deletion too: the entity tag.
    package let version: UUID
    package let updatedAt: Timestamp
    /// Of an image: under which name its blob is held. Such a value was written by the server.
    let holder: UUID?

    package init(key: ClientSettingKey, value: Bytes, version: UUID, updatedAt: Timestamp) {
        self.init(key: key, value: value, version: version, updatedAt: updatedAt, holder: nil)
    }

    init(key: ClientSettingKey, value: Bytes, version: UUID, updatedAt: Timestamp, holder: UUID?) {
        self.key = key
        self.value = value
        self.version = version
        self.updatedAt = updatedAt
        self.holder = holder
    }

    /// What a user's quota counts.
    var bytes: Int { Self.bytes(key, value) }

    static func bytes(_ key: ClientSettingKey, _ value: Bytes) -> Int { key.description.utf8.count + value.count }
}

/// What an operator may set about client settings.
package struct ClientSettingOptions: Sendable {
    /// More lets a client use settings as a database, fewer is felt by clients that keep something per conversation.
    package var countMax = 500
    /// Of one value as JSON. A layout or a list of favourites fits; documents are files.
    package var valueBytesMax = 16 << 10
    /// Of all keys and values of a user: what one list of them may weigh.
    package var totalBytesMax = 1 << 20
    /// Of one image, as it comes and as it is kept. It is in memory while it is looked at.
    package var imageBytesMax = 5 << 20
    /// Of all images of a user together: the document's example.
    package var imagesTotalBytes = 50 << 20
    /// By content.
    package var imageTypes: Set<String> = ["image/jpeg", "image/png", "image/gif", "image/webp"]

    /// Settings that one request may set: bounds how long one transaction keeps others waiting.
    package static let bulkMax = 100

    package init() {}
}

/// What a user has, beside what a user may have.
package struct ClientSettingUsage: Sendable, Equatable {
    package var count: Int
    package var bytes: Int
    package let countMax: Int
    package let bytesMax: Int

    package init(count: Int, bytes: Int, countMax: Int, bytesMax: Int) {
        self.count = count
        self.bytes = bytes
        self.countMax = countMax
        self.bytesMax = bytesMax
    }
}

/// A change, for the user's own devices.
package struct ClientSettingsChange: Sendable, Equatable {
    package let stored: [ClientSetting]
    package let deleted: [ClientSettingKey]

    package init(stored: [ClientSetting] = [], deleted: [ClientSettingKey] = []) {
        self.stored = stored
        self.deleted = deleted
    }
}

/// Carries a change to the sockets of a user. Called after the commit; it must neither wait nor throw. Supplied by
/// `plexichat`.
package protocol ClientSettingEvents: Sendable {
    func clientSettingsChanged(_ change: ClientSettingsChange, of user: UserID)
}
