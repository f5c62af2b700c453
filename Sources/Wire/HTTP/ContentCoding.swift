// Which content coding an answer gets (RFC 9110 §12.5.3).

package enum ContentCoding: Sendable, Equatable {
    case identity
    case gzip

    /// More elements than this are not looked at.
    private static let maximumCount = 32

    /// gzip where the client takes it and does not like the plain form better. Without the field, or with one that is
    /// malformed, the plain form. `identity;q=0` without gzip still gets the plain form: a 406 would help nobody.
    package init(accepting header: String?) {
        self = .identity
        guard let header, let weights = Self.weights(header) else { return }
        let gzip = weights["gzip"] ?? weights["x-gzip"] ?? weights["*"] ?? 0
        let identity = weights["identity"] ?? (weights["*"] == 0 ? 0 : 1)
        // A client that names gzip with a lower weight than its silence gives to identity still wants it.
        let isWanted = weights["identity"] == nil ? gzip > 0 : gzip >= identity
        if gzip > 0, isWanted { self = .gzip }
    }

    /// Thousandths by coding.
    private static func weights(_ header: String) -> [String: Int]? {
        var scanner = FieldScanner(header)
        var weights: [String: Int] = [:]
        for _ in 0..<maximumCount {
            scanner.skipBlanks()
            if let coding = scanner.lowercasedToken() {
                guard let weight = weight(&scanner) else { return nil }
                weights[coding] = weight
            }
            scanner.skipBlanks()
            if scanner.isAtEnd { return weights }
            guard scanner.take(0x2C) else { return nil }
        }
        return weights
    }

    /// `OWS ";" OWS "q=" qvalue`, or nothing for 1 (RFC 9110 §12.4.2).
    private static func weight(_ scanner: inout FieldScanner) -> Int? {
        scanner.skipBlanks()
        guard scanner.take(0x3B) else { return 1_000 }
        scanner.skipBlanks()
        guard scanner.take(0x71) || scanner.take(0x51), scanner.take(0x3D) else { return nil }
        guard let whole = scanner.peek, whole == 0x30 || whole == 0x31, scanner.take(whole) else { return nil }
        var value = Int(whole - 0x30) * 1_000
        if scanner.take(0x2E) {
            var unit = 100
            for digit in scanner.take(while: isDigit) {
                guard unit > 0 else { return nil }
                value += Int(digit - 0x30) * unit
                unit /= 10
            }
        }
        return value <= 1_000 ? value : nil
    }
}
