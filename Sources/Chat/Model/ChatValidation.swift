// What a client may write. Every bound is told with its number; what depends on the operator comes from `ChatOptions`.

import Base

package enum ChatValidation {
    // What does not depend on the operator is shown in the API's schemas, too.
    package static let titleLength = 1...100
    package static let summaryLimit = 500
    package static let organizationNameLength = 1...100
    package static let summaryThreshold = 1...10_000
    package static let clientIDLimit = 128
    package static let emojiBytes = 1...64
    /// Shorter, and messages would go before anybody had read them; longer than a century is for ever.
    package static let retention = Duration.minutes(5)...Duration.days(36_500)

    static func title(_ text: String) throws(ChatError) -> String {
        try line(text, titleLength, .title)
    }

    static func organizationName(_ text: String) throws(ChatError) -> String {
        try line(text, organizationNameLength, .name)
    }

    /// One line that can be read.
    private static func line(
        _ text: String, _ length: ClosedRange<Int>, _ field: ChatFault.Field
    ) throws(ChatError) -> String {
        let count = text.unicodeScalars.count
        guard count >= length.lowerBound else { throw .invalid(field, .required, "is required") }
        guard count <= length.upperBound else {
            throw .invalid(field, .tooLong, "at most \(length.upperBound) characters")
        }
        guard text.unicodeScalars.allSatisfy(isPrintable), text.contains(where: { !$0.isWhitespace }) else {
            throw .invalid(field, .format, "printable characters, not only spaces")
        }
        return text
    }

    static func summary(_ text: String) throws(ChatError) -> String {
        guard text.unicodeScalars.count <= summaryLimit else {
            throw .invalid(.description, .tooLong, "at most \(summaryLimit) characters")
        }
        guard text.unicodeScalars.allSatisfy({ isPrintable($0) || $0 == "\n" || $0 == "\t" }) else {
            throw .invalid(.description, .format, "printable characters")
        }
        return text
    }

    static func settings(_ settings: ConversationSettings) throws(ChatError) {
        guard summaryThreshold.contains(settings.summaryThreshold) else {
            throw .invalid(
                .summaryThreshold, .value, "from \(summaryThreshold.lowerBound) to \(summaryThreshold.upperBound)")
        }
        if let retention = settings.retention, !Self.retention.contains(retention) {
            throw .invalid(.retention, .value, "from five minutes to a hundred years")
        }
    }

    static func maxMembers(_ count: Int, _ options: ChatOptions) throws(ChatError) -> Int {
        guard (1...options.membersPerConversation).contains(count) else {
            throw .invalid(.maxMembers, .value, "from 1 to \(options.membersPerConversation)")
        }
        return count
    }

    static func clientID(_ text: String) throws(ChatError) -> String {
        guard (1...clientIDLimit).contains(text.utf8.count) else {
            throw .invalid(.clientID, .tooLong, "from 1 to \(clientIDLimit) bytes")
        }
        return try stored(text, .clientID)
    }

    /// Any sign that a keyboard has for it, and short codes. Only what could not be shown is refused.
    static func emoji(_ text: String) throws(ChatError) -> String {
        guard emojiBytes.contains(text.utf8.count) else {
            throw .invalid(.emoji, .tooLong, "from 1 to \(emojiBytes.upperBound) bytes")
        }
        guard text.unicodeScalars.allSatisfy({ isPrintable($0) || $0 == "\u{200D}" }),
            !text.contains(where: \.isWhitespace)
        else { throw .invalid(.emoji, .format, "an emoji or a short code without spaces") }
        return text
    }

    /// What the database can hold: PostgreSQL has no NUL in text.
    static func stored(_ text: String, _ field: ChatFault.Field) throws(ChatError) -> String {
        guard !text.utf8.contains(0) else { throw .invalid(field, .format, "text without NUL characters") }
        return text
    }

    /// The form by which titles and names are found and ordered, in any case.
    static func folded(_ text: String) -> String { text.lowercased() }

    /// Not a control, and nothing that turns the direction of what stands around it.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x7F { return scalar.value >= 0x20 }
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: return false
        default: return !(0x202A...0x202E).contains(scalar.value) && !(0x2066...0x2069).contains(scalar.value)
        }
    }
}
