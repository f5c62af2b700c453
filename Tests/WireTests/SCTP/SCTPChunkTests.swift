import Base
import Testing

@testable import Wire

/// Chunks that no vector has, and the promises of the fuzzers over the corpus.
@Suite struct SCTPChunkTests {
    @Test func `I-DATA reads back as it was written`() throws {
        var bytes: Bytes = []
        bytes.appendSCTPInterleavedData(
            flags: [.first, .unordered], tsn: 7, streamID: 3, messageID: 9, protocolOrFragment: 51, payload: [1, 2, 3])
        #expect(bytes == [64, 6, 0, 23, 0, 0, 0, 7, 0, 3, 0, 0, 0, 0, 0, 9, 0, 0, 0, 51, 1, 2, 3, 0])
        var reader = SCTPChunkReader(bytes.span.bytes)
        let data = try SCTPInterleavedData(parsing: try reader.next())
        #expect(data.flags == [.first, .unordered])
        #expect(data.tsn == 7)
        #expect(data.streamID == 3)
        #expect(data.messageID == 9)
        #expect(data.protocolOrFragment == 51)
        #expect(data.payload.byteCount == 3)
    }

    @Test func `I-FORWARD-TSN names messages`() throws {
        let value: Bytes = [0, 0, 0, 5, 0, 2, 0, 1, 0, 0, 0, 8, 0, 3, 0, 0, 0, 0, 0, 9]
        let forward = try SCTPInterleavedForwardTSN(parsing: value.span.bytes)
        #expect(forward.newCumulativeTSN == 5)
        #expect(forward.skippedCount == 2)
        #expect(forward.skipped(0) == .init(streamID: 2, isUnordered: true, messageID: 8))
        #expect(forward.skipped(1) == .init(streamID: 3, isUnordered: false, messageID: 9))
    }

    @Test func `a reset request names its streams, and the answer its result`() throws {
        var bytes: Bytes = []
        bytes.appendSCTPOutgoingReset(requestNumber: 1, responseNumber: 2, lastTSN: 3, streams: [4, 5, 6])
        bytes.appendSCTPReconfigurationResponse(responseNumber: 9, result: .inProgress)
        var reader = SCTPParameterReader(bytes.span.bytes)
        let reset = try SCTPOutgoingReset(parsing: try reader.next().value)
        #expect(reset.requestNumber == 1)
        #expect(reset.responseNumber == 2)
        #expect(reset.lastTSN == 3)
        #expect(reset.streamCount == 3)
        #expect(reset.stream(2) == 6)
        let response = try SCTPReconfigurationResponse(parsing: try reader.next().value)
        #expect(response.responseNumber == 9)
        #expect(response.result == .inProgress)
        let isAtEnd = reader.isAtEnd
        #expect(isAtEnd)
    }

    @Test(arguments: [
        DataChannelReliability(), .init(limit: .retransmissions(3), isOrdered: false),
        .init(limit: .milliseconds(200), isOrdered: true), .init(isOrdered: false),
    ])
    func `an OPEN reads back as it was written`(reliability: DataChannelReliability) throws {
        let open = DataChannelOpen(label: "čat", protocol: "p1", reliability: reliability, priority: 512)
        let message = DataChannelMessage.open(open)
        #expect(try DataChannelMessage(parsing: message.encoded.span.bytes) == message)
    }

    @Test func `an OPEN of a browser`() throws {
        let bytes = SCTPVectorTests.hex("03000000000000000004000063686174")
        let message = try DataChannelMessage(parsing: bytes.span.bytes)
        #expect(message == .open(DataChannelOpen(label: "chat", priority: 0)))
        #expect(message.encoded == bytes)
    }

    @Test func `a label at the bound is read, one beyond is refused, and so is what is no UTF-8`() {
        func reads(_ label: Bytes, extra: Bytes = []) -> Bool {
            var bytes: Bytes = [3, 0, 0, 0, 0, 0, 0, 0]
            bytes.append(bigEndian: UInt16(label.count))
            bytes.append(bigEndian: UInt16(0))
            bytes += label + extra
            return (try? DataChannelMessage(parsing: bytes.span.bytes)) != nil
        }
        #expect(reads(Bytes(repeating: 65, count: DataChannelOpen.longestText)))
        #expect(!reads(Bytes(repeating: 65, count: DataChannelOpen.longestText + 1)))
        #expect(!reads([0xFF]))
        #expect(!reads([65], extra: [66]))
        #expect((try? DataChannelMessage(parsing: Bytes([2]).span.bytes)) == .acknowledge)
        #expect((try? DataChannelMessage(parsing: Bytes([9]).span.bytes)) == nil)
    }
}
