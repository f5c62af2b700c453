import Base
import TestKit
import Testing

@testable import Wire

@Suite struct RTPExtensionTests {
    /// Numbers 1…15 stand for the kinds in their order.
    private let map: RTPExtensionMap = {
        var map = RTPExtensionMap()
        for kind in RTPExtensionKind.allCases { _ = map.set(kind.rawValue, kind) }
        return map
    }()

    private func elements(_ packet: Bytes) -> [Int: String]? {
        packet.withHeader { header in
            packet.withUnsafeBytes { buffer in
                let reading = RTPExtensionReading(reading: buffer.bytes, header: header, map: map)
                var found: [Int: String] = [:]
                for kind in RTPExtensionKind.allCases {
                    if let element = reading[kind] {
                        found[Int(kind.rawValue)] = Bytes(packet[element.range]).hexText
                    }
                }
                return found
            }
        }
    }

    private func reading(_ block: String) -> RTPExtensionReading {
        let packet = Bytes(hexText: "900000000000000000000000" + block) ?? []
        return packet.withHeader { header in
            packet.withUnsafeBytes { RTPExtensionReading(reading: $0.bytes, header: header, map: map) }
        } ?? RTPExtensionReading()
    }

    @Test(arguments: ["rtp-vectors.json", "malformed-rtp.json"])
    func `elements are read as other decoders read them`(file: String) {
        var compared = 0
        for vector in RTPVectorCase.all(in: file) {
            guard let expected = vector.decoded?["extensions"]?.arrayValue else { continue }
            var wanted: [Int: String] = [:]
            for element in expected {
                if let id = element["id"]?.integerValue { wanted[Int(id)] = element["data"]?.stringValue }
            }
            #expect(elements(vector.bytes) == wanted, "\(vector.name)")
            compared += 1
        }
        #expect(compared >= 3)
    }

    /// The blocks of `header-extension-vectors.json`; what their source expects of `ext1` to `ext3`.
    @Test func `blocks are read as their source reads them`() {
        var compared = 0
        for vector in RTPVectorCase.all(in: "header-extension-vectors.json") where vector.name.hasSuffix("rawPkt") {
            let found = elements((Bytes(hexText: "900000000000000000000000") ?? []) + vector.bytes)
            for pair in vector.expected?["asserted_pairs"]?.arrayValue ?? [] {
                guard let texts = pair.arrayValue?.compactMap(\.stringValue), texts.count >= 2,
                    texts[1].hasPrefix("ext"), let id = Int(texts[1].dropFirst(3)), texts[0].hasPrefix("hex:")
                else { continue }
                #expect(found?[id] == String(texts[0].dropFirst(4)), "\(vector.name)")
                compared += 1
            }
        }
        #expect(compared >= 9)
    }

    @Test(arguments: [
        ("bede000150aa0000", [5: "aa"]),
        ("bede000310aa21bbbb000033cccccccc", [1: "aa", 2: "bbbb", 3: "cccccccc"]),
        (
            "100000070518aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0000",
            [5: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]
        ),
        ("1000000301000201bb000304cccccccc", [1: "", 2: "bb", 3: "cccccccc"]),
        (
            "1000000601000201bb0311cccccccccccccccccccccccccccccccccc00",
            [1: "", 2: "bb", 3: "cccccccccccccccccccccccccccccccccc"]
        ),
        ("100000040000010002014200030211220000040000", [1: "", 2: "42", 3: "1122", 4: ""]),
        ("bede000132ab0105", [3: "ab0105"]),
        ("1005000101011100", [1: "11"]),
        // A block that is not ours.
        ("0001000110aa0000", [:]),
        // Numbers without a meaning.
        ("10000001ff01aa00", [:]),
    ])
    func `both forms are read`(block: String, wanted: [Int: String]) {
        // The payload has three bytes, which a reader that goes on would take for elements.
        #expect(elements(Bytes(hexText: "900000000000000000000000" + block + "10ff00") ?? []) == wanted)
    }

    @Test(arguments: [
        // Past the end; number 15; number 0 with a length; a length that is missing; past the end.
        ("bede000210aa3faa00000000", [1: "aa"]), ("bede000210aaf0aa20bb0000", [1: "aa"]),
        ("bede000210aa02aa20bb0000", [1: "aa"]), ("100000010101aa02", [1: "aa"]), ("100000010100020a", [1: ""]),
    ])
    func `damage ends the reading and spares what came before`(block: String, wanted: [Int: String]) {
        #expect(elements(Bytes(hexText: "900000000000000000000000" + block) ?? []) == wanted)
        #expect(reading(block).isDamaged)
    }

    @Test func `the first of two elements counts`() { #expect(reading("bede0002400140ff00000000").audioLevel == 1) }

    @Test func `values of every packet are decoded`() {
        let all = reading("bede000440ff52abcdef61123410410000000000")
        #expect(all.hasAudioLevel && all.hasVoice && all.audioLevel == 127)
        #expect(all.hasAbsoluteSendTime && all.absoluteSendTime == 0xABCDEF)
        #expect(all.hasTransportSequence && all.transportSequence == 0x1234)
        #expect(all[.mid] == RTPExtensionReading.Element(offset: 26, length: 1))
        #expect(!all.isDamaged)
    }

    @Test func `values of the wrong length are not decoded, only found`() {
        let short = reading("bede000250aa60bb00000000")
        #expect(!short.hasAbsoluteSendTime && !short.hasTransportSequence && !short.hasAudioLevel)
        #expect(short[.absoluteSendTime]?.length == 1 && short[.transportSequenceNumber]?.length == 1)
        // The second version of the transport sequence number has two bytes more.
        #expect(reading("bede0002631234c00100000000").transportSequence == 0x1234)
    }

    @Test func `every kind has a name of its own, and is found by it`() {
        #expect(Set(RTPExtensionKind.allCases.map(\.uri)).count == RTPExtensionKind.allCases.count)
        for kind in RTPExtensionKind.allCases { #expect(RTPExtensionKind(uri: kind.uri) == kind) }
        #expect(RTPExtensionKind(uri: "urn:unknown") == nil)
    }

    @Test func `a map keeps numbers and kinds apart`() {
        var map = RTPExtensionMap()
        let wishes: [(UInt8, RTPExtensionKind)] = [
            (3, .mid), (3, .rid), (4, .mid), (0, .rid), (32, .rid), (255, .rid),
        ]
        let granted = wishes.map { map.set($0, $1) }
        #expect(granted == [true, false, false, false, false, false])
        #expect(map.kind(for: 3) == .mid && map.id(for: .mid) == 3)
        #expect(map.kind(for: 4) == nil && map.id(for: .rid) == nil && map.kind(for: 255) == nil)
        #expect(!map.needsTwoByteForm)
        let isHighGranted = map.set(31, .rid)
        #expect(isHighGranted && map.needsTwoByteForm && map.kind(for: 31) == .rid)
    }

    @Test(arguments: [false, true]) func `what is written is read back`(twoByteForm: Bool) {
        var random = SplitMix(seed: 11)
        for round in 0..<2_000 {
            var wanted: [Int: String] = [:]
            var packet = Bytes(repeating: 0xEE, count: 12 + Int.random(in: 0...160, using: &random))
            packet.replaceSubrange(0..<12, with: Bytes(hexText: "900000000000000000000000") ?? [])
            var writer = RTPExtensionBlockWriter(at: 12, twoByteForm: twoByteForm)
            var end = 0
            packet.withUnsafeMutableBytes { buffer in
                var span = buffer.mutableBytes
                for id in UInt8(1)...UInt8.random(in: 0...14, using: &random) + 1 {
                    let data = (0..<Int.random(in: 0...20, using: &random)).map { _ in UInt8(0x55) }
                    let isWritten = data.withUnsafeBytes { writer.append(id: id, bytes: $0.bytes, into: &span) }
                    if isWritten { wanted[Int(id)] = data.hexText }
                }
                end = writer.finish(into: &span)
            }
            #expect(end <= packet.count && end & 3 == 0)
            if wanted.isEmpty {
                #expect(end == 12)
            } else {
                #expect(elements(packet) == wanted, "round \(round)")
                #expect(packet.withHeader { Int($0.headerLength) } == end)
            }
            #expect(packet[end...].allSatisfy { $0 == 0xEE || $0 == 0x55 || $0 <= 20 })
        }
    }

    @Test func `integers are written in place`() {
        var packet = Bytes(repeating: 0xFF, count: 40)
        let end = packet.withUnsafeMutableBytes { buffer in
            var span = buffer.mutableBytes
            var writer = RTPExtensionBlockWriter(at: 12, twoByteForm: false)
            writer.append(id: 4, uint8: 0x81, into: &span)
            writer.append(id: 6, uint16: 0x1234, into: &span)
            writer.append(id: 5, uint24: 0xABCDEF, into: &span)
            return writer.finish(into: &span)
        }
        #expect(Bytes(packet[12..<end]).hexText == "bede0003408161123452abcdef000000")
    }

    @Test func `what has no place in a form is left out`() {
        var packet = Bytes(repeating: 0, count: 18)
        packet.withUnsafeMutableBytes { buffer in
            var span = buffer.mutableBytes
            var one = RTPExtensionBlockWriter(at: 12, twoByteForm: false)
            var two = RTPExtensionBlockWriter(at: 12, twoByteForm: true)
            let written = [
                one.append(id: 15, uint8: 1, into: &span), one.append(id: 0, uint8: 1, into: &span),
                two.append(id: 0, uint8: 1, into: &span),
                // No room for the padding.
                one.append(id: 1, uint16: 1, into: &span),
            ]
            #expect(written == [false, false, false, false])
            let end = one.finish(into: &span)
            #expect(one.isEmpty && end == 12)
        }
    }
}
