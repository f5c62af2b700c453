// The transcripts of docs/protocol/signaling.md, as values: lines of who says what, and whether what was said is it.

import Base
import TestKit
import Testing
import Wire

struct Transcript: CustomTestStringConvertible {
    enum Speaker: Equatable {
        /// The client.
        case client
        /// The server, to the client.
        case server
        /// Another client.
        case other
        /// What happens besides.
        case circumstance
    }

    struct Line {
        let speaker: Speaker
        let text: String
        let repetitions: Int
    }

    let name: String
    let lines: [Line]
    var testDescription: String { name }

    /// Of the page's section `Transcripts`: a sentence that ends with a colon, then a block of lines.
    static func all(in page: String) throws -> [Transcript] {
        let parts = page.split(separator: "\n## Transcripts\n")
        var transcripts: [Transcript] = []
        var name = ""
        var lines: [Line]?
        for line in try #require(parts.count == 2 ? parts.last : nil).split(separator: "\n") {
            if line == "```" {
                if let read = lines { transcripts.append(Transcript(name: name, lines: read)) }
                lines = lines == nil ? [] : nil
            } else if lines != nil {
                lines?.append(try parse(String(line)))
            } else if line.hasSuffix(":") {
                name = String(line.dropLast())
            }
        }
        return transcripts
    }

    private static func parse(_ line: String) throws -> Line {
        let speakers: [Character: Speaker] = ["C": .client, "S": .server, "D": .other, "#": .circumstance]
        let speaker = try #require(line.first.flatMap { speakers[$0] }, "\(line)")
        var text = String(line.dropFirst(2))
        guard speaker != .circumstance else { return Line(speaker: speaker, text: text, repetitions: 1) }
        // After the message: a remark, or how often.
        var repetitions = 1
        if let gap = text.firstRange(of: "   ") {
            let remark = text[gap.upperBound...].drop { $0 == " " }
            if remark.hasPrefix("× ") { repetitions = try #require(Int(remark.dropFirst(2))) }
            text = String(text[..<gap.lowerBound])
        }
        return Line(speaker: speaker, text: text, repetitions: repetitions)
    }

    /// `C1`, `O2`: a capital and a number.
    static func isPlaceholder(_ text: String) -> Bool {
        guard let first = text.first, first.isUppercase, text.count > 1 else { return false }
        return text.dropFirst().allSatisfy(\.isNumber)
    }

    /// An expected message; `…` becomes a member of that name.
    static func expectation(_ text: String) throws -> JSONValue {
        let json = text.replacing(",…}", with: ",\"…\":0}").replacing("{…}", with: "{\"…\":0}")
        return try JSONValue(parsing: Bytes(json.utf8))
    }

    /// Whether a message is what the page says, and what its placeholders stand for then. `nil` when it is not.
    static func match(
        _ expected: JSONValue, _ found: JSONValue, _ bound: [String: String]
    ) -> [String: String]? {
        switch (expected, found) {
        case (.object(let wanted), .object(let object)):
            let isOpen = wanted["…"] != nil
            var bound = bound
            for (name, value) in wanted.pairs where name != "…" {
                guard let member = object[name], let next = match(value, member, bound) else { return nil }
                bound = next
            }
            guard isOpen || object.count == wanted.count else { return nil }
            return bound
        case (.array(let wanted), .array(let values)):
            guard wanted.count == values.count else { return nil }
            var bound = bound
            for (value, other) in zip(wanted, values) {
                guard let next = match(value, other, bound) else { return nil }
                bound = next
            }
            return bound
        case (.string(let wanted), .string(let text)) where isPlaceholder(wanted):
            if let known = bound[wanted] { return known == text ? bound : nil }
            return bound.merging([wanted: text]) { $1 }
        case (.string("…"), _): return bound
        default: return expected == found ? bound : nil
        }
    }
}
