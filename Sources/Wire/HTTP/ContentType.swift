// Media types (RFC 9110 §8.3).

package struct MediaType: Sendable, Equatable, CustomStringConvertible {
    /// In lower case, as is `subtype`.
    package let type: String
    package let subtype: String
    private let parameters: FieldParameters

    /// `nil` for anything but `type/subtype` and well-formed parameters, each name once.
    package init?(_ text: String) {
        var scanner = FieldScanner(text)
        guard let type = scanner.lowercasedToken(), scanner.take(0x2F), let subtype = scanner.lowercasedToken(),
            let parameters = FieldParameters(&scanner)
        else { return nil }
        self.type = type
        self.subtype = subtype
        self.parameters = parameters
    }

    /// `type/subtype` without parameters.
    package var essence: String { "\(type)/\(subtype)" }

    /// `application/json`, or a type built on it.
    package var isJSON: Bool { essence == "application/json" || subtype.hasSuffix("+json") }

    /// The value of a parameter; `name` in lower case.
    package func parameter(_ name: String) -> String? { parameters[name] }

    package var description: String {
        parameters.pairs.reduce(essence) { "\($0); \($1.name)=\(tokenOrQuoted($1.value))" }
    }
}
