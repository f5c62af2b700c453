import Base
import Wire

/// An input of the vectors in `Tests/Vectors/rtp`, with what an independent decoder read in it.
struct RTPVectorCase {
    var name: String
    var bytes: Bytes
    /// What another decoder read; nil when nobody said.
    var decoded: JSONValue?
    /// What the source's own test says, in its own terms.
    var expected: JSONValue?

    /// Entries have one input, or several under `inputs`.
    static func all(in file: String) -> [RTPVectorCase] {
        let entries = (try? JSONValue(parsing: VectorFolder("rtp").bytes(of: file)))?.arrayValue ?? []
        var cases: [RTPVectorCase] = []
        for entry in entries {
            let name = entry["name"]?.stringValue ?? "?"
            for input in [entry] + (entry["inputs"]?.arrayValue ?? []) {
                guard let hex = input["hex"]?.stringValue, let bytes = Bytes(hexText: hex) else { continue }
                let decoded = input["decoded_independently"] ?? input["decoded"]
                cases.append(
                    RTPVectorCase(
                        name: "\(name) \(input["name"]?.stringValue ?? "")", bytes: bytes,
                        decoded: decoded?.isNull == true ? nil : decoded, expected: entry["expected"]))
            }
        }
        return cases
    }

    /// The independent decoder refused the bytes.
    var isRefused: Bool { decoded?["error"] != nil }

    func number(_ key: String) -> Int64? { decoded?[key]?.integerValue }
}

extension Array where Element == UInt8 {
    init?(hexText text: String) {
        let digits = text.utf8.compactMap { character -> UInt8? in
            switch character {
            case 0x30...0x39: character - 0x30
            case 0x61...0x66: character - 0x61 + 10
            case 0x41...0x46: character - 0x41 + 10
            default: nil
            }
        }
        guard digits.count == text.utf8.count, digits.count.isMultiple(of: 2) else { return nil }
        self = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    var hexText: String {
        map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}
