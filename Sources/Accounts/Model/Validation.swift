// What a client may write into an account. Every bound is told with its number.

package import Base
package import Wire

package enum Validation {
    package static let usernameLength = 3...50
    package static let displayNameLength = 1...100
    /// Bytes. The upper bound keeps a hash from being work that the client chooses.
    package static let passwordLength = 8...1_024
    /// RFC 5321 §4.5.3.1.3: a path is at most 256 octets with its brackets.
    package static let emailLimit = 254
    /// What browsers and proxies still take as a URL without question.
    package static let avatarURLLimit = 2_048
    /// A PEM of an 8,192-bit RSA key has about 1,400 characters; post-quantum keys are a few thousand.
    package static let publicKeyLimit = 16_384
    /// Preferences are read with every profile: room for settings, not for data.
    package static let preferencesLimit = 16_384
    package static let keyNameLength = 1...100
    /// ITU-T E.164: at most fifteen digits.
    private static let phoneDigits = 6...15

    /// Letters, digits, `.`, `_` and `-` of ASCII, beginning with a letter or a digit: a name cannot look like another
    /// one in a different script, and never contains the `@` that tells an e-mail address from a name.
    package static func username(_ text: String) throws(AccountError) -> String {
        try require(text, .username)
        try length(text.utf8.count, usernameLength, .username)
        guard let first = text.utf8.first, isAlphanumeric(first),
            text.utf8.allSatisfy({ isAlphanumeric($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F })
        else {
            throw fault(.username, .format, "letters, digits, '.', '_' and '-'; the first is a letter or a digit")
        }
        return text
    }

    /// `local@domain.tld`, unquoted, in ASCII; an international domain in its `xn--` form.
    package static func email(_ text: String) throws(AccountError) -> String {
        try require(text, .email)
        guard text.utf8.count <= emailLimit else {
            throw fault(.email, .tooLong, "at most \(emailLimit) characters")
        }
        guard isEmail(text) else { throw fault(.email, .format, "an address of the form name@example.org") }
        return text
    }

    package static func password(
        _ password: Secret, _ field: ValidationFault.Field = .password, minimum: Int
    ) throws(AccountError) {
        guard password.count > 0 else { throw fault(field, .required, "is required") }
        let shortest = min(max(minimum, passwordLength.lowerBound), passwordLength.upperBound)
        try length(password.count, shortest...passwordLength.upperBound, field)
    }

    package static func displayName(_ text: String) throws(AccountError) -> String {
        try require(text, .displayName)
        try length(text.unicodeScalars.count, displayNameLength, .displayName)
        guard isPrintable(text), text.contains(where: { !$0.isWhitespace }) else {
            throw fault(.displayName, .format, "printable characters, not only spaces")
        }
        return text
    }

    /// `https:`, `http:` or a path on this server; it becomes an `src` in clients, so nothing that could be a script.
    package static func avatarURL(_ text: String) throws(AccountError) -> String {
        guard text.utf8.count <= avatarURLLimit else {
            throw fault(.avatarURL, .tooLong, "at most \(avatarURLLimit) characters")
        }
        let isPath = text.hasPrefix("/") && !text.hasPrefix("//")
        guard isPath || text.hasPrefix("https://") || text.hasPrefix("http://"),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x3C && $0 != 0x3E && $0 != 0x5C })
        else { throw fault(.avatarURL, .format, "a URL that begins with https://, http:// or /") }
        return text
    }

    package static func publicKey(_ text: String) throws(AccountError) -> String {
        try require(text, .publicKey)
        guard text.utf8.count <= publicKeyLimit else {
            throw fault(.publicKey, .tooLong, "at most \(publicKeyLimit) characters")
        }
        guard text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) || $0 == 10 || $0 == 13 }) else {
            throw fault(.publicKey, .format, "PEM or Base64 text")
        }
        return text
    }

    package static func preferences(_ value: JSONObject) throws(AccountError) {
        guard JSONValue.object(value).encoded.count <= preferencesLimit else {
            throw fault(.preferences, .tooLong, "at most \(preferencesLimit) bytes of JSON")
        }
    }

    package static func keyName(_ text: String) throws(AccountError) -> String {
        try require(text, .name)
        try length(text.unicodeScalars.count, keyNameLength, .name)
        guard isPrintable(text) else { throw fault(.name, .format, "printable characters") }
        return text
    }

    /// `+` and digits, as SMS gateways want it.
    package static func phone(_ text: String) throws(AccountError) -> String {
        guard text.utf8.first == 0x2B, phoneDigits.contains(text.utf8.count - 1),
            text.utf8.dropFirst().allSatisfy({ (0x30...0x39).contains($0) })
        else { throw fault(.phone, .format, "'+' and \(phoneDigits.lowerBound) to \(phoneDigits.upperBound) digits") }
        return text
    }

    /// The form under which names and addresses are unique and found. Both are ASCII by the rules above; what is not
    /// is only ever looked up, and then matches nothing.
    package static func folded(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    static func fault(
        _ field: ValidationFault.Field, _ rule: ValidationFault.Rule, _ message: String
    ) -> AccountError {
        .validation(ValidationFault(field, rule, message))
    }

    private static func require(_ text: String, _ field: ValidationFault.Field) throws(AccountError) {
        guard !text.isEmpty else { throw fault(field, .required, "is required") }
    }

    private static func length(
        _ count: Int, _ range: ClosedRange<Int>, _ field: ValidationFault.Field
    ) throws(AccountError) {
        guard count >= range.lowerBound else {
            throw fault(field, .tooShort, "at least \(range.lowerBound) characters")
        }
        guard count <= range.upperBound else {
            throw fault(field, .tooLong, "at most \(range.upperBound) characters")
        }
    }

    private static func isPrintable(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: false
            default: !(0x202A...0x202E).contains(scalar.value) && !(0x2066...0x2069).contains(scalar.value)
            }
        }
    }

    /// What mail can be sent to, with a domain of at least two labels.
    private static func isEmail(_ text: String) -> Bool {
        guard MailAddress(text) != nil, let at = text.utf8.lastIndex(of: 0x40) else { return false }
        return text.utf8[at...].contains(0x2E)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}
