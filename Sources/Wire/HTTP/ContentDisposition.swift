// File names in headers: Content-Disposition (RFC 6266) with the encoding of RFC 8187, and its form in multipart bodies
// (RFC 7578 §4.2).

import Base

package struct ContentDisposition: Sendable, Equatable {
    /// In lower case: `attachment`, `inline`, `form-data`.
    package let kind: String
    /// Of a form's field.
    package let name: String?
    /// As sent, with whatever path the client put before it: see `FileName`.
    package let filename: String?

    /// `filename*` counts before `filename`, except in multipart bodies, where it must not be used.
    package init?(_ text: String) {
        var scanner = FieldScanner(text)
        guard let kind = scanner.lowercasedToken(),
            let parameters = FieldParameters(&scanner, onlyQuoteEscapes: true)
        else { return nil }
        self.kind = kind
        let isForm = kind == "form-data"
        name = parameters["name"].map { isForm ? Self.unescaped($0) : $0 }
        let plain = parameters["filename"].map { isForm ? Self.unescaped($0) : $0 }
        filename = isForm ? plain : parameters["filename*"].flatMap(Self.decoded) ?? plain
    }

    /// The value for a download: an ASCII name for old clients, and the real one where it differs.
    package static func attachment(_ filename: String, isInline: Bool = false) -> String {
        let kind = isInline ? "inline" : "attachment"
        let plain = String(
            decoding: filename.unicodeScalars.map { scalar in
                let isPlain = scalar.isASCII && scalar.value >= 0x20 && scalar.value != 0x7F
                return isPlain && !"\"\\%/".unicodeScalars.contains(scalar) ? UInt8(scalar.value) : 0x5F
            }, as: UTF8.self)
        let quoted = "\(kind); filename=\"\(plain)\""
        guard plain != filename else { return quoted }
        return quoted + "; filename*=UTF-8''" + PercentEncoding.encode(filename, keeping: .attribute)
    }

    /// Browsers write `"`, CR and LF in names of form fields as `%22`, `%0D` and `%0A`, and nothing else (HTML,
    /// "escape a multipart/form-data name").
    private static func unescaped(_ text: String) -> String {
        guard text.utf8.contains(0x25) else { return text }
        let bytes = Bytes(text.utf8)
        var result = Bytes()
        var index = 0
        while index < bytes.count {
            if bytes[index] == 0x25, index + 2 < bytes.count, let escaped = escaped(bytes[index + 1], bytes[index + 2])
            {
                result.append(escaped)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func escaped(_ high: UInt8, _ low: UInt8) -> UInt8? {
        switch (high, lowercased(low)) {
        case (0x32, 0x32): 0x22
        case (0x30, 0x64): 0x0D
        case (0x30, 0x61): 0x0A
        default: nil
        }
    }

    /// RFC 8187: `charset ' [ language ] ' percent-encoded`. UTF-8 is all that is written today.
    private static func decoded(_ text: String) -> String? {
        let parts = text.utf8.split(separator: 0x27, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].map(lowercased).elementsEqual("utf-8".utf8) else { return nil }
        guard let bytes = PercentEncoding.decode(Bytes(parts[2])[...]) else { return nil }
        return String(validating: bytes)
    }
}
