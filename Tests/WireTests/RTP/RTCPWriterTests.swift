import Base
import TestKit
import Testing

@testable import Wire

@Suite struct RTCPWriterTests {
    private let report = RTCPReportBlock(
        ssrc: 3_160_316_480, fractionLost: 0, cumulativeLost: 0, highestSequence: 18_145, jitter: 273,
        lastSenderReport: 166_945_842, delaySinceLastSenderReport: 150_137)

    @Test func `reports and requests are the bytes of other writers`() {
        var bytes = Bytes()
        RTCPReports.writeReceiverReport(from: 2_419_039_790, reports: [report].span, into: &bytes)
        #expect(bytes.hexText == "81c90007902f9e2ebc5e9a4000000000000046e10000011109f3643200024a79")
        bytes = []
        RTCPReports.writeSenderReport(
            RTCPSenderInfo(
                ssrc: 1_569_920_308, ntpTime: 3_711_615_412 << 32 | 1_985_245_553, rtpTimestamp: 577_280,
                packetCount: 3_608, octetCount: 577_280), reports: [RTCPReportBlock]().span, into: &bytes)
        #expect(bytes.hexText == "80c800065d931534dd3ac1b4765471710008cf0000000e180008cf00")
        bytes = []
        RTCPPictureLoss(senderSSRC: 1, mediaSSRC: 53_525_998).write(into: &bytes)
        #expect(bytes.hexText == "81ce0002000000010330bdee")
        bytes = []
        RTCPFullIntraRequest.write(
            from: 0x1234_5678, RTCPFullIntraRequest.Entry(ssrc: 0x2345_6789, number: 13), into: &bytes)
        #expect(bytes.hexText == "84ce00041234567800000000234567890d000000")
        bytes = []
        RTCPReceiverEstimate.write(
            from: 1, bitsPerSecond: 8_927_168, sources: [1_215_622_422 as SSRC].span, into: &bytes)
        #expect(bytes.hexText == "8fce0005000000010000000052454d42011a20df4874ed16")
        bytes = []
        RTCPSourceDescription.write(0x9F65_E742, canonicalName: Bytes("t7mkYnCm46OcINy/".utf8).span, into: &bytes)
        #expect(bytes.hexText == "81ca00069f65e742011074376d6b596e436d34364f63494e792f0000")
        bytes = []
        RTCPGoodbye.write([0x1234_5678 as SSRC].span, into: &bytes)
        #expect(bytes.hexText == "81cb000112345678")
    }

    @Test func `lost packets are packed into pairs`() {
        let lost: [SequenceNumber] = [12, 32, 39, 54, 76, 110, 123, 142, 183, 187, 223, 236, 271, 292]
        var bytes = Bytes()
        let written = RTCPNACK.write(from: 2_336_520_123, to: 4_145_934_052, lost: lost.span, into: &bytes)
        #expect(written == lost.count)
        let text = lost.map { " \($0)" }.joined()
        #expect(RTCPText.describe(bytes) == ["NACK 2336520123 4145934052:" + text])
        #expect(bytes.count == 52, "the size of the vector with these numbers")
        bytes = []
        RTCPNACK.write(from: 1, to: 2, lost: [65_534, 65_535, 0, 14, 15].span, into: &bytes)
        #expect(RTCPText.describe(bytes) == ["NACK 1 2: 65534 65535 0 14 15"])
        bytes = []
        #expect(RTCPNACK.write(from: 1, to: 2, lost: [SequenceNumber]().span, into: &bytes) == 0 && bytes.isEmpty)
        let scattered = (0..<400).map { SequenceNumber($0 * 20) }
        #expect(RTCPNACK.write(from: 1, to: 2, lost: scattered.span, into: &bytes) == RTCPNACK.pairLimit)
    }

    @Test func `a NACK of everything gives no more than its bound`() {
        var bytes = Bytes(hexText: "81cd00ff0000000100000002") ?? []
        for pair in 0..<253 { bytes.append(bigEndian: UInt32(pair * 17) << 16 | 0xFFFF) }
        bytes.overwrite(bigEndian: UInt16(bytes.count / 4 - 1), at: 2)
        let words = RTCPText.describe(bytes)?.first?.split(separator: " ").count
        #expect(words == 3 + RTCPNACK.sequenceLimit)
    }

    @Test func `reports beyond 31 go into blocks of their own`() {
        var bytes = Bytes()
        let info = RTCPSenderInfo(ssrc: 7, ntpTime: 1, rtpTimestamp: 2, packetCount: 3, octetCount: 4)
        RTCPReports.writeSenderReport(info, reports: Array(repeating: report, count: 70).span, into: &bytes)
        let lines = RTCPText.describe(bytes) ?? []
        #expect(lines.map { $0.prefix(4) } == ["SR 7", "RR 7", "RR 7"])
        #expect(lines.map { $0.split(separator: "[").count - 1 } == [31, 31, 8])
        bytes = []
        RTCPReports.writeReceiverReport(from: 7, reports: [RTCPReportBlock]().span, into: &bytes)
        #expect(RTCPText.describe(bytes) == ["RR 7"])
    }

    @Test(arguments: [(-1, -1), (-0x80_0000, -0x80_0000), (0x7F_FFFF, 0x7F_FFFF), (0x80_0000, 0x7F_FFFF)])
    func `lost packets have 24 bits with a sign`(lost: Int32, read: Int32) throws {
        var changed = report
        changed.cumulativeLost = lost
        changed.fractionLost = 255
        var bytes = Bytes()
        RTCPReports.writeReceiverReport(from: 1, reports: [changed].span, into: &bytes)
        changed.cumulativeLost = read
        let line = try #require(RTCPText.describe(bytes)?.first)
        #expect(line.contains("[3160316480 255 \(read) 18145 273 "))
    }

    @Test(arguments: [0, 1, 0x3_FFFF, 0x4_0000, 250_000, 2_500_000_000, UInt64.max])
    func `a bit rate keeps eighteen bits`(rate: UInt64) {
        var bytes = Bytes()
        RTCPReceiverEstimate.write(from: 9, bitsPerSecond: rate, sources: [SSRC]().span, into: &bytes)
        let lost = max(0, 46 - rate.leadingZeroBitCount)
        #expect(RTCPText.describe(bytes) == ["REMB 9 \(Double((rate >> lost) << lost)):"])
    }

    @Test func `a bit rate beyond 64 bits is the largest`() {
        let text = RTCPText.describe(Bytes(hexText: "8fce0004000000000000000052454d4200ffffff") ?? [])
        #expect(text == ["REMB 0 \(Double(UInt64.max)):"])
    }

    @Test func `extended reports are written and read`() {
        var bytes = Bytes()
        RTCPExtendedReport.writeReferenceTime(from: 3, ntp: 0x0102_0304_0506_0708, into: &bytes)
        let delays = [
            RTCPExtendedReport.Delay(ssrc: 1, lastReferenceTime: 2, delay: 3),
            RTCPExtendedReport.Delay(ssrc: 4, lastReferenceTime: 5, delay: 6),
        ]
        RTCPExtendedReport.writeDelays(from: 4, delays.span, into: &bytes)
        #expect(RTCPText.describe(bytes) == ["XR 3: rrtr 72623859790382856", "XR 4: dlrr 1 2 3 dlrr 4 5 6"])
    }

    @Test(arguments: 0..<9) func `names of any length are padded and read`(length: Int) {
        var bytes = Bytes()
        RTCPSourceDescription.write(1, canonicalName: Bytes(repeating: 0x61, count: length).span, into: &bytes)
        #expect(bytes.count % 4 == 0)
        #expect(RTCPText.describe(bytes) == ["SDES 1=" + String(repeating: "a", count: length)])
    }

    @Test func `any feedback on a transport is read back`() throws {
        var random = SplitMix(seed: 5)
        for _ in 0..<3_000 {
            let packets = Self.randomPackets(&random)
            let base = SequenceNumber.random(in: 0...SequenceNumber.max, using: &random)
            var bytes = Bytes()
            RTCPTransportFeedbackWriter.write(
                from: 1, to: 2, baseSequence: base, referenceTime: -3, feedbackCount: 250, packets: packets.span,
                into: &bytes)
            var text = "TWCC 1 2 -3 250:"
            for (index, packet) in packets.enumerated() {
                text += " \(base &+ SequenceNumber(index))"
                if packet != RTCPTransportFeedbackWriter.notReceived { text += "+\(Int64(packet) * 250)" }
            }
            #expect(RTCPText.describe(bytes) == [text])
        }
    }

    /// Stretches of one behaviour after the other, so that every kind of chunk is there.
    private static func randomPackets(_ random: inout SplitMix) -> [Int32] {
        var packets: [Int32] = []
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            let kind = Int.random(in: 0..<4, using: &random)
            for _ in 0..<Int.random(in: 1...30, using: &random) {
                switch kind {
                case 0: packets.append(RTCPTransportFeedbackWriter.notReceived)
                case 1: packets.append(Int32.random(in: 0...255, using: &random))
                case 2: packets.append(Int32.random(in: -32_768...32_767, using: &random))
                default:
                    packets.append(
                        Bool.random(using: &random)
                            ? RTCPTransportFeedbackWriter.notReceived : Int32.random(in: -2...300, using: &random))
                }
            }
        }
        return packets
    }

    @Test(arguments: [
        ("8fcd00050000000100000002000140010000000020000000", "a run of no packets"),
        ("8fcd0005000000010000000200014001000000003fff3fff", "more packets than the bound"),
        ("8fcd000400000001000000020001000100000000", "no chunk"),
        ("8fcd0005000000010000000200010001000000002001", "cut"),
        ("8fcd000300000001000000020001", "cut earlier"),
    ])
    func `hostile feedback on a transport is refused`(hex: String, why: String) {
        #expect(RTCPText.describe(Bytes(hexText: hex) ?? []) == nil, "\(why)")
    }

    @Test func `a bad block in a datagram takes the whole datagram`() {
        let good = "81ce0002000000010330bdee"
        #expect(RTCPText.describe(Bytes(hexText: good + good) ?? [])?.count == 2)
        for tail in ["80", "80c8", "80c80001", "00c90000", "a0c90000", "a0c9000100000005"] {
            #expect(RTCPText.describe(Bytes(hexText: good + tail) ?? []) == nil, "\(tail)")
        }
    }

    @Test func `RTCP is told from RTP`() {
        func isRTCP(_ hex: String) -> Bool {
            (Bytes(hexText: hex) ?? []).withUnsafeBytes { RTCPReader.isRTCP($0.bytes) }
        }
        #expect(isRTCP("81c90007") && isRTCP("80cf0001") && isRTCP("80c00000"))
        #expect(!isRTCP("80600001") && !isRTCP("80e00001") && !isRTCP("80bf0001") && !isRTCP("81c9"))
    }
}
