// What the values of known keys must look like. A key that no rule names takes any JSON value but null.

import Wire

enum ClientSettingRule {
    case choice([String])
    case flag
    /// A flag, a number, or text of at most so many characters.
    case scalar(Int)
    /// RFC 5646: `en`, `en-US`, `zh-Hant-TW`.
    case languageTag
    /// `Europe/Berlin`, `UTC`: a name of the IANA time zone database by its form.
    case timeZone

    static let themes = ["light", "dark", "system", "high-contrast"]
    /// A sound's name, a mode: what a setting of notifications has to say.
    private static let notificationTextMax = 64

    private static let known: [String: ClientSettingRule] = [
        "theme": .choice(themes), "language": .languageTag, "timezone": .timeZone,
        "notifications.enabled": .flag, "notifications.desktop": .flag, "notifications.email": .flag,
        "notifications.push": .flag, "notifications.preview": .flag,
    ]

    /// By the whole key; `notifications` and everything under it has a rule too.
    static func rule(for key: ClientSettingKey) -> ClientSettingRule? {
        if let rule = known[key.description] { return rule }
        return key.description.hasPrefix("notifications.") ? .scalar(notificationTextMax) : nil
    }

    /// Throws when `value` may not stand under `key`.
    static func check(_ value: JSONValue, for key: ClientSettingKey) throws(ClientSettingError) {
        if value.isNull { throw .invalid("setting_value", "must not be null; a setting is removed with DELETE") }
        guard let problem = rule(for: key)?.problem(with: value) else { return }
        throw .invalid("setting_value", problem)
    }

    /// What is wrong, as the end of a sentence; `nil` when nothing is.
    private func problem(with value: JSONValue) -> String? {
        switch self {
        case .choice(let names):
            if let text = value.stringValue, names.contains(text) { return nil }
            return "must be one of \(names.joined(separator: ", "))"
        case .flag: return value.boolValue == nil ? "must be true or false" : nil
        case .scalar(let limit):
            switch value {
            case .bool, .integer, .number: return nil
            case .string(let text) where text.unicodeScalars.count <= limit: return nil
            default: return "must be true, false, a number or a text of at most \(limit) characters"
            }
        case .languageTag:
            return value.stringValue.map(Self.isLanguageTag) == true
                ? nil : "must be a language tag such as en or en-US"
        case .timeZone:
            return value.stringValue.map(Self.isTimeZone) == true
                ? nil : "must be the name of a time zone such as Europe/Berlin"
        }
    }

    // MARK: Forms

    /// What RFC 5646 §4.4.1 asks implementations to take at least.
    private static let languageTagMax = 35
    private static let subtagMax = 8
    private static let primaryLengths = 2...8
    /// The longest name in the database has 32.
    private static let timeZoneMax = 64
    private static let timeZoneParts = 3

    /// By its form (RFC 5646 §2.1): a language of letters, then parts of at most eight letters or digits.
    private static func isLanguageTag(_ text: String) -> Bool {
        guard text.utf8.count <= languageTagMax else { return false }
        let parts = text.utf8.split(separator: 0x2D, omittingEmptySubsequences: false)
        guard let first = parts.first, primaryLengths.contains(first.count), first.allSatisfy(isLetter) else {
            return false
        }
        return parts.allSatisfy { part in
            (1...subtagMax).contains(part.count) && part.allSatisfy { isLetter($0) || isDigit($0) }
        }
    }

    private static func isTimeZone(_ text: String) -> Bool {
        guard text.utf8.count <= timeZoneMax, let first = text.utf8.first, isLetter(first) else { return false }
        let parts = text.utf8.split(separator: 0x2F, omittingEmptySubsequences: false)
        return parts.count <= timeZoneParts
            && parts.allSatisfy { part in
                !part.isEmpty
                    && part.allSatisfy { isLetter($0) || isDigit($0) || $0 == 0x5F || $0 == 0x2D || $0 == 0x2B }
            }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
