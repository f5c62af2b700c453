import Base
import Testing

@testable import Wire

/// What other stacks wrote: aiortc's and pion's packets, and a session of Chromium and Firefox, each beside what an
/// independent decoder made of it.
@Suite struct SCTPVectorTests {
    struct Vector: Sendable {
        var name: String
        var bytes: Bytes
        var decoded: JSONValue
    }

    static func hex(_ text: String) -> Bytes {
        var bytes: Bytes = []
        var high: UInt8?
        for character in text.utf8 {
            let digit: UInt8 = character >= 97 ? character - 87 : character - 48
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return bytes
    }

    static func json(_ file: String) -> JSONValue {
        let bytes = VectorFolder("sctp").bytes(of: file)
        return (try? JSONValue(parsing: bytes, limits: JSONLimits(depth: 32, values: 1_000_000))) ?? .null
    }

    static func vectors(_ list: JSONValue?) -> [Vector] {
        (list?.arrayValue ?? []).enumerated().map { index, entry in
            Vector(
                name: entry["name"]?.stringValue ?? "packet \(index)", bytes: hex(entry["hex"]?.stringValue ?? ""),
                decoded: entry["decoded"] ?? .null)
        }
    }

    static let packets =
        vectors(json("sctp-vectors.json")).filter { $0.decoded != .null }
        + vectors(json("trace-firefox_to_chrome_dc.json")["packets"])
    static let malformed = vectors(json("malformed.json"))

    @Test func `the vectors are there`() {
        #expect(Self.packets.count > 60)
        #expect(Self.malformed.count == 16)
    }

    @Test func `every packet reads as the other decoder read it`() throws {
        for vector in Self.packets + Self.malformed {
            do {
                let read = try SCTPDescription.packet(vector.bytes)
                if vector.decoded["error"] != nil {
                    Issue.record("\(vector.name) was read: \(read)")
                } else {
                    compare(vector.decoded, read, vector.name)
                }
            } catch {
                #expect(vector.decoded["error"] != nil, "\(vector.name): \(error)")
            }
        }
    }

    /// Every number and list that we know about is the other decoder's too.
    private func compare(_ expected: JSONValue, _ read: JSONValue, _ name: String) {
        for key in ["src_port", "dst_port", "verification_tag", "checksum_state"] {
            #expect(expected[key] == read[key], "\(name): \(key)")
        }
        let chunks = expected["chunks"]?.arrayValue ?? []
        let ours = read["chunks"]?.arrayValue ?? []
        #expect(chunks.count == ours.count, "\(name)")
        for (chunk, our) in zip(chunks, ours) {
            for (key, value) in our.objectValue?.pairs ?? [] { #expect(chunk[key] == value, "\(name): \(key)") }
        }
    }

    @Test func `what is written again from what was read is the same packet`() throws {
        var count = 0
        for vector in Self.packets where vector.decoded["error"] == nil {
            let again = try SCTPDescription.rewritten(vector.bytes)
            #expect(again == vector.bytes, "\(vector.name)")
            count += 1
        }
        #expect(count > 55)
    }

    @Test func `the checksum is that of the RFC's test and of every vector`() {
        #expect(CRC32C.of(Bytes("123456789".utf8).span.bytes) == 0xE306_9283)
        #expect(CRC32C.of(Bytes(repeating: 0, count: 32).span.bytes) == 0x8A91_36AA)
        #expect(CRC32C.of(Bytes(0..<32).span.bytes) == 0x46DD_794E)
        var pieces = CRC32C()
        for byte in Bytes(0..<32) { pieces.update([byte].span.bytes) }
        #expect(pieces.value == 0x46DD_794E)
    }

    @Test(arguments: [
        (UInt8(0x3F), false, false), (0x7F, false, true), (0xBF, true, false), (0xFF, true, true),
    ])
    func `the two highest bits say what becomes of the unknown`(type: UInt8, goesOn: Bool, isReported: Bool) {
        let action = SCTPUnknownAction(chunkType: type)
        #expect(action.goesOn == goesOn)
        #expect(action.isReported == isReported)
    }

    @Test func `serial numbers wrap`() {
        #expect(UInt32(0).isSerially(after: .max))
        #expect(!UInt32.max.isSerially(after: 0))
        #expect(!UInt32(7).isSerially(after: 7))
        #expect(UInt16(1).isSerially(after: 65_530))
    }
}

/// Packets as the JSON of the vectors, and written anew from their parts.
enum SCTPDescription {
    static func packet(_ bytes: Bytes) throws -> JSONValue {
        let packet = try SCTPPacket(parsing: bytes.span.bytes)
        var chunks: [JSONValue] = []
        var reader = SCTPChunkReader(packet.chunks)
        while !reader.isAtEnd { chunks.append(try chunk(try reader.next())) }
        let states: [SCTPPacket.ChecksumState: String] = [.valid: "valid", .zero: "zero", .invalid: "invalid"]
        return .object(
            JSONObject([
                ("src_port", .integer(Int64(packet.sourcePort))), ("dst_port", .integer(Int64(packet.destinationPort))),
                ("verification_tag", .integer(Int64(packet.verificationTag))),
                ("checksum_state", .string(states[packet.checksumState] ?? "")), ("chunks", .array(chunks)),
            ]))
    }

    private static func chunk(_ chunk: borrowing SCTPChunk) throws -> JSONValue {
        var pairs: [(String, JSONValue)] = [
            ("type", .integer(Int64(chunk.type))), ("flags", .integer(Int64(chunk.flags))),
            ("length", .integer(Int64(chunk.value.byteCount + 4))),
        ]
        switch chunk.type {
        case SCTPChunk.data:
            let data = try SCTPData(parsing: chunk)
            pairs += [
                ("tsn", .integer(Int64(data.tsn))), ("stream", .integer(Int64(data.streamID))),
                ("ssn", .integer(Int64(data.streamSequence))), ("ppid", .integer(Int64(data.protocolID))),
                ("begin", .integer(data.flags.contains(.first) ? 1 : 0)),
                ("end", .integer(data.flags.contains(.last) ? 1 : 0)),
                ("unordered", .integer(data.flags.contains(.unordered) ? 1 : 0)),
                ("user_data", .string(hex(data.payload))),
            ]
        case SCTPChunk.initiation, SCTPChunk.initiationAck:
            // The malformed ones are for the association; here they must only not be read.
            guard let initiation = try? SCTPInitiation(parsing: chunk.value) else { break }
            pairs += [
                ("initiate_tag", .integer(Int64(initiation.initiateTag))),
                ("a_rwnd", .integer(Int64(initiation.advertisedWindow))),
                ("outbound", .integer(Int64(initiation.outboundStreams))),
                ("inbound", .integer(Int64(initiation.inboundStreams))),
                ("initial_tsn", .integer(Int64(initiation.initialTSN))),
                ("params", try parameters(initiation.parameters)),
            ]
        case SCTPChunk.selectiveAck:
            let ack = try SCTPSelectiveAck(parsing: chunk.value)
            var gaps: [JSONValue] = []
            for index in 0..<ack.gapBlockCount {
                let block = ack.gapBlock(index)
                gaps.append(.array([.integer(Int64(block.start)), .integer(Int64(block.end))]))
            }
            pairs += [
                ("cum_tsn", .integer(Int64(ack.cumulativeTSN))), ("a_rwnd", .integer(Int64(ack.advertisedWindow))),
                ("gaps", .array(gaps)),
            ]
        case SCTPChunk.abort: pairs.append(("causes", try parameters(chunk.value)))
        case SCTPChunk.reconfiguration: pairs.append(("params", try parameters(chunk.value)))
        case SCTPChunk.cookieEcho: pairs.append(("cookie", .string(hex(chunk.value))))
        default: break
        }
        return .object(JSONObject(pairs))
    }

    private static func parameters(_ span: RawSpan) throws -> JSONValue {
        var list: [JSONValue] = []
        var reader = SCTPParameterReader(span)
        while !reader.isAtEnd {
            let parameter = try reader.next()
            var type: Bytes = []
            type.append(bigEndian: parameter.type)
            list.append(
                .object(
                    JSONObject([
                        ("type", .string("0x" + hex(type.span.bytes))), ("value", .string(hex(parameter.value))),
                    ])))
        }
        return .array(list)
    }

    static func hex(_ span: RawSpan) -> String {
        let digits = Array("0123456789abcdef")
        var text = ""
        for offset in 0..<span.byteCount {
            text.append(digits[Int(span.byte(offset) >> 4)])
            text.append(digits[Int(span.byte(offset) & 15)])
        }
        return text
    }

    static func rewritten(_ bytes: Bytes) throws -> Bytes {
        let packet = try SCTPPacket(parsing: bytes.span.bytes)
        var again: Bytes = []
        again.appendSCTPHeader(
            source: packet.sourcePort, destination: packet.destinationPort, verificationTag: packet.verificationTag)
        var reader = SCTPChunkReader(packet.chunks)
        while !reader.isAtEnd { try rewrite(try reader.next(), &again) }
        // Some of the vectors leave out the last padding.
        while again.count > bytes.count { again.removeLast() }
        switch packet.checksumState {
        case .valid: again.sealSCTPPacket()
        default: again.replaceSubrange(8..<12, with: bytes[8..<12])
        }
        return again
    }

    private static func rewrite(_ chunk: borrowing SCTPChunk, _ again: inout Bytes) throws {
        switch chunk.type {
        case SCTPChunk.data:
            let data = try SCTPData(parsing: chunk)
            again.appendSCTPDataHeader(
                flags: data.flags, tsn: data.tsn, streamID: data.streamID, streamSequence: data.streamSequence,
                protocolID: data.protocolID, payloadCount: data.payload.byteCount)
            again.append(data.payload)
            while again.count & 3 != 0 { again.append(0) }
        case SCTPChunk.selectiveAck:
            let ack = try SCTPSelectiveAck(parsing: chunk.value)
            var gaps: [SCTPSelectiveAck.GapBlock] = []
            for index in 0..<ack.gapBlockCount { gaps.append(ack.gapBlock(index)) }
            var duplicates: [UInt32] = []
            for index in 0..<ack.duplicateCount { duplicates.append(ack.duplicate(index)) }
            again.appendSCTPSelectiveAck(
                cumulativeTSN: ack.cumulativeTSN, window: ack.advertisedWindow, gaps: gaps, duplicates: duplicates)
        case SCTPChunk.forwardTSN:
            let forward = try SCTPForwardTSN(parsing: chunk.value)
            var skipped: [SCTPForwardTSN.Skipped] = []
            for index in 0..<forward.skippedCount { skipped.append(forward.skipped(index)) }
            again.appendSCTPForwardTSN(newCumulativeTSN: forward.newCumulativeTSN, skipped: skipped)
        default:
            let start = again.openSCTPChunk(chunk.type, flags: chunk.flags)
            again.append(chunk.value)
            again.closeSCTPChunk(at: start)
        }
    }
}
