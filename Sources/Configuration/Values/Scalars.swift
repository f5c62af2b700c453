// Codecs of the plain types: flags, numbers, durations, sizes, words, text, paths, secrets.

import Base

extension Codec where Value == Bool {
    static let flag = Codec.scalar("flag", allowed: "true, false") { text throws(ValueFault) in
        switch text {
        case "true": true
        case "false": false
        default: throw ValueFault("is neither true nor false")
        }
    } show: {
        $0 ? "true" : "false"
    }
}

extension Codec where Value == Int {
    static func integer(_ range: ClosedRange<Int>) -> Codec {
        scalar("whole number", allowed: "\(range.lowerBound) to \(range.upperBound)") { text throws(ValueFault) in
            guard let value = Int(text) else { throw ValueFault("is not a whole number") }
            guard range.contains(value) else { throw ValueFault("is out of range") }
            return value
        } show: {
            "\($0)"
        }
    }

    /// Bytes: `4096`, `64KiB`, `10MB`.
    static func size(_ range: ClosedRange<Int>) -> Codec {
        let allowed = "\(ByteSize.text(range.lowerBound)) to \(ByteSize.text(range.upperBound))"
        return scalar("size", allowed: allowed) { text throws(ValueFault) in
            guard let value = ByteSize.parse(text) else {
                throw ValueFault("is not a size such as 4096, 64KiB or 10MB")
            }
            guard range.contains(value) else { throw ValueFault("is out of range") }
            return value
        } show: {
            ByteSize.text($0)
        }
    }
}

extension Codec where Value == Double {
    static func number(_ range: ClosedRange<Double>) -> Codec {
        scalar("number", allowed: "\(range.lowerBound) to \(range.upperBound)") { text throws(ValueFault) in
            guard let value = Double(text), value.isFinite else { throw ValueFault("is not a number") }
            guard range.contains(value) else { throw ValueFault("is out of range") }
            return value
        } show: {
            "\($0)"
        }
    }
}

extension Codec where Value == Duration {
    static func duration(_ range: ClosedRange<Duration>) -> Codec {
        let allowed = "\(DurationText.text(range.lowerBound)) to \(DurationText.text(range.upperBound))"
        return scalar("duration", allowed: allowed) { text throws(ValueFault) in
            guard let value = DurationText.parse(text) else {
                throw ValueFault("is not a duration such as 500ms, 30s, 15m, 24h or 7d")
            }
            guard range.contains(value) else { throw ValueFault("is out of range") }
            return value
        } show: {
            DurationText.text($0)
        }
    }
}

extension Codec where Value: RawRepresentable<String> & CaseIterable {
    /// One word of a fixed set.
    static var choice: Codec {
        let words = Value.allCases.map(\.rawValue)
        return scalar("word", allowed: words.joined(separator: ", ")) { text throws(ValueFault) in
            guard let value = Value(rawValue: text) else { throw ValueFault("is none of the allowed words") }
            return value
        } show: {
            $0.rawValue
        }
    }
}

extension Codec where Value == LogLevel {
    static let logLevel = Codec.scalar(
        "word", allowed: LogLevel.allCases.map(\.name).joined(separator: ", ")
    ) { text throws(ValueFault) in
        guard let level = LogLevel(name: text) else { throw ValueFault("is none of the allowed words") }
        return level
    } show: {
        $0.name
    }
}

/// Paths and texts go into log lines, headers and system calls; longer ones fit none of them.
private let textLengthMax = 4_096

extension Codec where Value == String {
    /// One line of text.
    static func text(_ lengths: ClosedRange<Int> = 0...textLengthMax) -> Codec {
        scalar("text", allowed: "\(lengths.lowerBound) to \(lengths.upperBound) bytes") { text throws(ValueFault) in
            guard lengths.contains(text.utf8.count) else { throw ValueFault("is too short or too long") }
            guard text.isOneLine else { throw ValueFault("has a control character in it") }
            return text
        } show: {
            $0
        }
    }

    static let path = Codec.scalar("path") { text throws(ValueFault) in
        guard !text.isEmpty else { throw ValueFault("is empty") }
        guard text.utf8.count <= textLengthMax, text.isOneLine else { throw ValueFault("is no path") }
        return text
    } show: {
        $0
    }
}

extension Codec where Value == Secret {
    /// What takes the place of a secret wherever one would be shown.
    static var placeholder: String { "‹secret›" }

    static let secret = Codec.scalar("secret", isSecret: true) { text throws(ValueFault) in
        guard text != placeholder else {
            throw ValueFault("is the placeholder that `config print` shows, not the secret itself")
        }
        guard !text.isEmpty, text.utf8.count <= textLengthMax else { throw ValueFault("is empty or too long") }
        return Secret(text: text)
    } show: { _ in
        placeholder
    }
}

extension String {
    /// Without control characters and line breaks of any script.
    var isOneLine: Bool {
        unicodeScalars.allSatisfy {
            switch $0.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: false
            default: true
            }
        }
    }
}

extension Duration {
    /// A duration as it is written in the configuration: `15m`.
    package init?(configured text: String) {
        guard let duration = DurationText.parse(text) else { return nil }
        self = duration
    }
}

/// `30s`, `15m`, `24h`, `7d`: a whole number and a unit.
package enum DurationText {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    package static func parse(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits), let unit = units.first(where: { $0.name == text.dropFirst(digits.count) })
        else { return nil }
        let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
        // Nanoseconds in 64 bits end after 292 years.
        guard !overflow, milliseconds < Int64.max / 1_000_000 else { return nil }
        return .milliseconds(milliseconds)
    }

    /// In the largest unit that fits; a single day stays `24h`, as people write it.
    static func text(_ duration: Duration) -> String {
        let milliseconds = duration.milliseconds
        let unit = units.last { unit in
            milliseconds % unit.milliseconds == 0 && milliseconds >= (unit.name == "d" ? 2 : 1) * unit.milliseconds
        }
        guard let unit else { return "0s" }
        return "\(milliseconds / unit.milliseconds)\(unit.name)"
    }
}

/// `4096`, `64KiB`, `10MB`: KiB is 1024 bytes and kB is 1000.
enum ByteSize {
    private static let units: [(name: String, bytes: Int)] = [
        ("B", 1), ("kB", 1_000), ("KB", 1_000), ("KiB", 1 << 10), ("MB", 1_000_000), ("MiB", 1 << 20),
        ("GB", 1_000_000_000), ("GiB", 1 << 30), ("TB", 1_000_000_000_000), ("TiB", 1 << 40),
    ]

    static func parse(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int(digits) else { return nil }
        let name = text.dropFirst(digits.count).trimmed
        guard let unit = name.isEmpty ? units.first : units.first(where: { $0.name == name }) else { return nil }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : bytes
    }

    static func text(_ bytes: Int) -> String {
        let unit = units.last { bytes >= $0.bytes && bytes % $0.bytes == 0 && $0.bytes > 1 }
        guard let unit else { return "\(bytes)" }
        return "\(bytes / unit.bytes)\(unit.name)"
    }
}
