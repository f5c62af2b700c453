// What a message may be made of.

import Base

enum MessageValidation {
    /// Room for the nonce of any cipher, in Base64.
    static let nonceCharacters = 256
    static let algorithmCharacters = 64
    static let previewHashCharacters = 256
    /// One content key in one box, hybrid post-quantum ones included (some 1,500 bytes).
    static let encryptedKeyCharacters = 4_096
    static let attachmentNameCharacters = 255
    static let contentTypeCharacters = 255
    static let storageCharacters = 512
    /// What a keyed hash is cut to: fewer bytes would find what was not meant, more find nothing better.
    static let tokenBytes = 8...32

    static func check(_ new: NewMessage, _ options: ChatOptions) throws(ChatError) {
        guard new.type != .system else { throw .forbidden(.systemMessage) }
        try check(new.body, mayBeEmpty: !new.attachments.isEmpty, options)
        try check(tokens: new.searchTokens, for: new.body, options)
        if let clientID = new.clientID { _ = try ChatValidation.clientID(clientID) }
        guard new.mentions.count <= options.mentionsPerMessage else {
            throw .invalid(.mentions, .tooLong, "at most \(options.mentionsPerMessage)")
        }
        guard new.attachments.count <= options.attachmentsPerMessage else {
            throw .invalid(.attachments, .tooLong, "at most \(options.attachmentsPerMessage)")
        }
        for attachment in new.attachments { try check(attachment) }
    }

    static func check(_ body: MessageBody, mayBeEmpty: Bool = false, _ options: ChatOptions) throws(ChatError) {
        switch body {
        case .removed: throw .invalid(.content, .required, "is required")
        case .plain(let text):
            guard text.utf8.count <= options.textBytes else { throw .messageTooLong(limit: options.textBytes) }
            guard mayBeEmpty || text.contains(where: { !$0.isWhitespace }) else {
                throw .invalid(.content, .required, "is required")
            }
            _ = try ChatValidation.stored(text, .content)
        case .box(let box):
            try sealed(box.data, .encryptedData, options)
            try text(box.nonce, 1...nonceCharacters, .iv)
            guard box.keyVersion >= 0 else { throw .invalid(.keyVersion, .value, "not below 0") }
        case .deviceBox(let box):
            try sealed(box.ciphertext, .ciphertext, options)
            if let nonce = box.nonce { try text(nonce, 0...nonceCharacters, .nonce) }
            if let algorithm = box.algorithm { try text(algorithm, 0...algorithmCharacters, .ciphertext) }
            if let hash = box.previewHash { try text(hash, 0...previewHashCharacters, .ciphertext) }
            try check(box.keys, options)
        }
    }

    private static func sealed(
        _ text: String, _ field: ChatFault.Field, _ options: ChatOptions
    ) throws(ChatError) {
        guard !text.isEmpty else { throw .invalid(field, .required, "is required") }
        guard text.utf8.count <= options.sealedCharacters else {
            throw .messageTooLong(limit: options.sealedCharacters)
        }
        _ = try ChatValidation.stored(text, field)
    }

    private static func check(_ keys: [DeviceKeyBox], _ options: ChatOptions) throws(ChatError) {
        guard keys.count <= options.recipientKeys else {
            throw .invalid(.recipientKeys, .tooLong, "at most \(options.recipientKeys)")
        }
        struct Recipient: Hashable {
            let user: UserID
            let device: ClientDeviceID
        }
        var seen: Set<Recipient> = []
        for key in keys {
            guard seen.insert(Recipient(user: key.user, device: key.device)).inserted else {
                throw .invalid(.recipientKeys, .value, "names a device twice")
            }
            try text(key.encryptedKey, 1...encryptedKeyCharacters, .recipientKeys)
            try text(key.algorithm, 0...algorithmCharacters, .recipientKeys)
            try text(key.nonce, 0...nonceCharacters, .recipientKeys)
        }
    }

    private static func check(_ attachment: Attachment) throws(ChatError) {
        try text(attachment.name, 1...attachmentNameCharacters, .attachments)
        try text(attachment.contentType, 0...contentTypeCharacters, .attachments)
        try text(attachment.storage, 1...storageCharacters, .attachments)
        guard attachment.size >= 0 else { throw .invalid(.attachments, .value, "a size is not below 0") }
    }

    private static func text(
        _ text: String, _ length: ClosedRange<Int>, _ field: ChatFault.Field
    ) throws(ChatError) {
        guard text.utf8.count >= length.lowerBound else { throw .invalid(field, .required, "is required") }
        guard text.utf8.count <= length.upperBound else {
            throw .invalid(field, .tooLong, "at most \(length.upperBound) bytes")
        }
        _ = try ChatValidation.stored(text, field)
    }

    static func check(tokens: [Bytes], for body: MessageBody, _ options: ChatOptions) throws(ChatError) {
        guard !tokens.isEmpty else { return }
        guard body.isSealed else {
            throw .invalid(.searchTokens, .value, "are for sealed messages; plain ones are found by their words")
        }
        guard tokens.count <= options.searchTokensPerMessage else {
            throw .invalid(.searchTokens, .tooLong, "at most \(options.searchTokensPerMessage)")
        }
        guard tokens.allSatisfy({ tokenBytes.contains($0.count) }) else {
            throw .invalid(.searchTokens, .format, "\(tokenBytes.lowerBound) to \(tokenBytes.upperBound) bytes each")
        }
    }
}
