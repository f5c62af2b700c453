import Base
import Testing

@testable import Wire

/// The octets that Autobahn|Testsuite's fuzzing client sent, against what it expects (Tests/Vectors/ws/SOURCE.txt).
struct AutobahnCaseTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let id: String
        let chops: [Bytes]
        /// The recording stops after 40 entries: what it holds must be read the right way.
        let isCut: Bool
        /// Without the pauses: what must come back, in order; several answers may be right.
        let answers: [[String]]
        let closeCodes: [UInt16]
        let offers: [String]
        var testDescription: String { id }
    }

    /// As many bytes as the longest recorded message: category 9 was recorded without its payloads.
    private static let messageLimit = 1 << 20

    static let cases: [Case] = {
        let bytes = VectorFolder("ws").bytes(of: "autobahn-cases.json")
        let limits = JSONLimits(depth: 8, values: 200_000)
        guard let list = try? JSONValue(parsing: bytes, limits: limits).arrayValue else { return [] }
        return list.map { entry in
            Case(
                id: entry["id"]?.stringValue ?? "",
                chops: (entry["client_octets_sent"]?.arrayValue ?? []).compactMap(octets),
                isCut: entry["client_octets_sent"]?.arrayValue?.count == 40,
                answers: (entry["expected"]?.objectValue?.pairs ?? []).map { answer($0.value) },
                closeCodes: (entry["expected_close"]?["closeCode"]?.arrayValue ?? []).compactMap {
                    $0.integerValue.map { UInt16($0) }
                },
                offers: (entry["extensions_offered"]?.arrayValue ?? []).compactMap(\.stringValue))
        }
    }()

    /// A cut recording is continued by its period: the payloads are repetitions, and so are they under a mask.
    private static func octets(_ value: JSONValue) -> Bytes? {
        guard var bytes = value["hex"]?.stringValue.flatMap({ Hex.decode($0) }),
            let count = value["octets"]?.integerValue.map({ Int($0) })
        else { return nil }
        guard bytes.count < count else { return bytes }
        let tail = bytes.suffix(46)
        let period = (1...24).first { zip(tail, tail.dropFirst($0)).allSatisfy(==) } ?? 1
        while bytes.count < count { bytes.append(bytes[bytes.count - period]) }
        return bytes
    }

    private static func answer(_ value: JSONValue) -> [String] {
        (value.arrayValue ?? []).compactMap { event in
            let parts = event.arrayValue ?? []
            guard let kind = parts.first?.stringValue, kind != "timeout", let payload = parts.dropFirst().first else {
                return nil
            }
            return kind + " " + (payload.stringValue ?? "")
        }
    }

    /// What an echoing server would send, and the code with which the socket ends.
    private func run(_ chops: [Bytes]) -> (answers: [String], code: UInt16?) {
        var receiver = WebSocketReceiver(.server, messageLimit: Self.messageLimit, allowsCompression: false)
        var answers: [String] = []
        for chop in chops {
            var offset = 0
            do throws(WebSocketFault) {
                while let event = try receiver.next(chop.span, &offset) {
                    switch event {
                    case .text(let text): answers.append("message " + text)
                    case .binary(let bytes): answers.append("message 0x" + Hex.encode(bytes))
                    case .ping(let bytes): answers.append("pong " + shown(bytes))
                    case .close(let code, _): return (answers, code == .absent ? 1000 : code.rawValue)
                    case .pong, .compressed: break
                    }
                }
            } catch {
                return (answers, error.closeCode.rawValue)
            }
        }
        return (answers, nil)
    }

    /// The recording writes bytes that are no text in hexadecimal.
    private func shown(_ bytes: Bytes) -> String {
        String(validating: bytes, as: UTF8.self) ?? "0x" + Hex.encode(bytes)
    }

    /// The recording ends long payloads with `...`.
    private func agrees(_ answers: [String], with expected: [String]) -> Bool {
        answers.count == expected.count
            && zip(answers, expected).allSatisfy { answer, expected in
                expected.hasSuffix(" ...") ? answer.hasPrefix(expected.dropLast(4)) : answer == expected
            }
    }

    @Test func `the recording is there`() { #expect(Self.cases.count > 300) }

    @Test(arguments: cases.filter { !$0.chops.isEmpty }) func `each case ends as expected`(_ sample: Case) {
        let whole = sample.chops.flatMap { $0 }
        for chops in [sample.chops, [whole], whole.count < 100_000 ? whole.map { [$0] } : sample.chops] {
            let (answers, code) = run(chops)
            if sample.isCut {
                #expect(code.map { sample.closeCodes.contains($0) } != false)
                #expect(sample.answers.contains { agrees(answers, with: Array($0.prefix(answers.count))) })
            } else {
                #expect(code.map { sample.closeCodes.contains($0) } == true, "closed with \(String(describing: code))")
                #expect(
                    sample.answers.isEmpty || sample.answers.contains { agrees(relevant(answers, sample), with: $0) })
            }
        }
    }

    /// Case 7.1.6 sends a message of 256 KiB before the one that it looks for.
    private func relevant(_ answers: [String], _ sample: Case) -> [String] {
        sample.id == "7.1.6" ? Array(answers.dropFirst()) : answers
    }

    /// 6.4.3 and 6.4.4 send the header of their only frame as a chop of its own.
    @Test(arguments: [("6.4.1", 2), ("6.4.2", 2), ("6.4.3", 3), ("6.4.4", 3)])
    func `bad text fails before its message ends`(_ id: String, _ badChop: Int) {
        guard let sample = Self.cases.first(where: { $0.id == id }) else { return }
        #expect(run(Array(sample.chops.prefix(badChop))).code == 1007)
        #expect(run(Array(sample.chops.prefix(badChop - 1))).code == nil)
    }

    @Test(arguments: cases.filter { !$0.offers.isEmpty }) func `every offer of compression is granted`(
        _ sample: Case
    ) throws {
        let granted = try #require(try PermessageDeflate(offers: sample.offers))
        let wanted = sample.offers[0].contains("server_max_window_bits=9") ? 9 : 15
        #expect(granted.serverWindowBits == wanted)
    }
}
