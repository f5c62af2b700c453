// The little XML that S3 answers with: what stands between two tags. S3 nests nothing of the same name inside, and
// what is looked for here holds no entities.

enum XMLText {
    /// The text of every `<name>…</name>`, in order.
    static func values(of name: StaticString, in text: some StringProtocol) -> [Substring] {
        var values: [Substring] = []
        var rest = Substring(text)
        let (open, close) = ("<\(name)>", "</\(name)>")
        while let start = rest.firstRange(of: open)?.upperBound, let end = rest[start...].firstRange(of: close) {
            values.append(rest[start..<end.lowerBound])
            rest = rest[end.upperBound...]
        }
        return values
    }

    static func value(of name: StaticString, in text: some StringProtocol) -> Substring? {
        values(of: name, in: text).first
    }
}
