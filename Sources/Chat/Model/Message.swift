// What is said. A body is one of three: plain text, a box sealed under a key of the conversation (rooms), or a box
// sealed under a key that is sealed for each device (calls). The server stores the boxes and opens none.

package import Base

/// Stored by number. rooms and reference know fewer: what they lack they show as the nearest (`docs/chat/model.md`).
package enum MessageType: Int64, Sendable, CaseIterable {
    case text = 0
    case image = 1
    case audio = 2
    case video = 3
    /// calls' `document`.
    case file = 4
    case location = 5
    case contact = 6
    case system = 7

    package var name: String { "\(self)" }

    /// Any document's name for it.
    package init?(name: some StringProtocol) {
        if name == "document" {
            self = .file
            return
        }
        guard let type = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = type
    }
}

package enum MessageBody: Sendable, Equatable {
    case plain(String)
    /// Everything as the client wrote it; none of it is decoded here.
    case box(SealedBox)
    case deviceBox(DeviceBox)
    /// The message was deleted: what it said is gone, from the database too.
    case removed

    package var isSealed: Bool {
        switch self {
        case .plain, .removed: false
        case .box, .deviceBox: true
        }
    }
}

/// rooms: `encrypted_data`, `iv`, `key_version`.
package struct SealedBox: Sendable, Equatable {
    package let data: String
    package let nonce: String
    package let keyVersion: Int64

    package init(data: String, nonce: String, keyVersion: Int64) {
        self.data = data
        self.nonce = nonce
        self.keyVersion = keyVersion
    }
}

/// calls: `ciphertext` with a content key that each device gets in a box of its own.
package struct DeviceBox: Sendable, Equatable {
    package let ciphertext: String
    package let nonce: String?
    package let algorithm: String?
    /// For notifications: the client's hash of the first words.
    package let previewHash: String?
    package let keys: [DeviceKeyBox]

    package init(
        ciphertext: String, nonce: String? = nil, algorithm: String? = nil, previewHash: String? = nil,
        keys: [DeviceKeyBox]
    ) {
        self.ciphertext = ciphertext
        self.nonce = nonce
        self.algorithm = algorithm
        self.previewHash = previewHash
        self.keys = keys
    }
}

package struct DeviceKeyBox: Sendable, Equatable {
    package let user: UserID
    package let device: ClientDeviceID
    package let encryptedKey: String
    package let algorithm: String
    package let nonce: String

    package init(user: UserID, device: ClientDeviceID, encryptedKey: String, algorithm: String, nonce: String) {
        self.user = user
        self.device = device
        self.encryptedKey = encryptedKey
        self.algorithm = algorithm
        self.nonce = nonce
    }
}

package struct Attachment: Sendable, Equatable {
    package let id: AttachmentID
    package let name: String
    package let size: Int64
    package let contentType: String
    /// What files know it by; opaque here.
    package let storage: String

    package init(id: AttachmentID, name: String, size: Int64, contentType: String, storage: String) {
        self.id = id
        self.name = name
        self.size = size
        self.contentType = contentType
        self.storage = storage
    }
}

package struct Reaction: Sendable, Equatable {
    package let user: UserID
    package let emoji: String
    package let createdAt: Timestamp
}

package struct Message: Sendable, Equatable {
    package let id: MessageID
    package let conversation: ConversationID
    /// 1, 2, 3 … in its conversation.
    package let sequence: Int64
    /// `nil` when the account is gone, and for what the system says.
    package let sender: UserID?
    package let type: MessageType
    package internal(set) var body: MessageBody
    package let replyTo: MessageID?
    /// The message that began the thread that this one is in.
    package let thread: MessageID?
    /// What the sender's client called it, so that it finds its own again.
    package let clientID: String?
    package let mentions: [UserID]
    /// 1 when it is new; each edit adds one.
    package internal(set) var version: Int64
    /// For the first message of a thread.
    package internal(set) var replyCount: Int
    package internal(set) var lastReplyAt: Timestamp?
    package internal(set) var pinnedAt: Timestamp?
    package let createdAt: Timestamp
    package internal(set) var editedAt: Timestamp?
    package internal(set) var deletedAt: Timestamp?
    package internal(set) var attachments: [Attachment]
    /// In the order of time.
    package internal(set) var reactions: [Reaction]
    /// Empty unless they were asked for.
    package internal(set) var statuses: [MessageStatus]

    package var isDeleted: Bool { deletedAt != nil }
    package var isEdited: Bool { editedAt != nil }
    /// When it last was another one; for documents that want a date in any case.
    package var updatedAt: Timestamp? { deletedAt ?? editedAt }
}

/// A message to be sent.
package struct NewMessage: Sendable {
    package var body: MessageBody
    package var type: MessageType
    package var replyTo: MessageID?
    package var mentions: [UserID]
    package var attachments: [Attachment]
    /// The same name from the same sender in the same conversation is the same message: it is stored once, and a
    /// repetition gets the first one's answer.
    package var clientID: String?
    /// Of a sealed message: what it may be found by (`docs/chat/search.md`).
    package var searchTokens: [Bytes]

    package init(
        _ body: MessageBody, type: MessageType = .text, replyTo: MessageID? = nil, mentions: [UserID] = [],
        attachments: [Attachment] = [], clientID: String? = nil, searchTokens: [Bytes] = []
    ) {
        self.body = body
        self.type = type
        self.replyTo = replyTo
        self.mentions = mentions
        self.attachments = attachments
        self.clientID = clientID
        self.searchTokens = searchTokens
    }
}

package struct SentMessage: Sendable {
    package let message: Message
    /// It had been sent before, under the same `clientID`.
    package let isRepetition: Bool
}

package struct MessageEdit: Sendable {
    package var body: MessageBody
    /// `nil`: whatever is there is replaced. Else the edit is refused when the message is another version by now.
    package var expectedVersion: Int64?
    package var searchTokens: [Bytes]

    package init(_ body: MessageBody, expectedVersion: Int64? = nil, searchTokens: [Bytes] = []) {
        self.body = body
        self.expectedVersion = expectedVersion
        self.searchTokens = searchTokens
    }
}

/// What a message said before an edit.
package struct FormerVersion: Sendable, Equatable {
    package let version: Int64
    package let body: MessageBody
    /// When it was replaced.
    package let replacedAt: Timestamp
}

/// Which messages. Pages come with the newest first, but `after` and `from`, which go forward.
package struct HistoryQuery: Sendable {
    package enum Place: Sendable {
        /// The newest but so many.
        case skipping(Int)
        case before(MessageID)
        /// The oldest that are newer than this one.
        case after(MessageID)
        /// Numbers, for who follows the log.
        case beforeSequence(Int64)
        case afterSequence(Int64)
    }

    package var place: Place
    /// Only what was written before, and from, these times; counted within them.
    package var until: Timestamp?
    package var since: Timestamp?
    package var limit: Int
    package var wantsStatuses: Bool

    package init(
        _ place: Place = .skipping(0), since: Timestamp? = nil, until: Timestamp? = nil, limit: Int,
        wantsStatuses: Bool = false
    ) {
        self.place = place
        self.since = since
        self.until = until
        self.limit = limit
        self.wantsStatuses = wantsStatuses
    }
}

package struct MessagePage: Sendable {
    package let messages: [Message]
    /// Of all that the query covers, whatever the page.
    package let total: Int64
    /// Further ones in the direction of the page.
    package let hasMore: Bool
}

// MARK: Receipts

package enum ReceiptKind: Int64, Sendable, CaseIterable {
    case sent = 0
    case delivered = 1
    case read = 2
    /// A device could not open it.
    case failed = 3

    package var name: String { "\(self)" }

    package init?(name: some StringProtocol) {
        guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = kind
    }
}

package struct MessageStatus: Sendable, Equatable {
    package let user: UserID
    /// `nil`: told without naming a device.
    package let device: ClientDeviceID?
    package let kind: ReceiptKind
    package let at: Timestamp
}
