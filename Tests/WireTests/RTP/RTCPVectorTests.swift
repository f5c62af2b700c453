import Base
import Testing

@testable import Wire

/// Vectors of other projects against what an independent decoder read in them. Lines such as "NACK 1 2: 12 13" stand
/// for blocks, so that both sides can be compared as text.
@Suite struct RTCPVectorTests {
    /// A VBCM under the number of a FIR: its entries are no multiple of eight bytes, which the other decoder cuts.
    private static let refusedByUsOnly = "TestFeedbackPsVbcm.cpp/buffer"

    @Test(arguments: ["rtcp-vectors.json", "malformed-rtcp.json"])
    func `blocks are read as another decoder reads them`(file: String) {
        var compared = 0
        var refused = 0
        for vector in RTPVectorCase.all(in: file) {
            let ours = RTCPText.describe(vector.bytes)
            if vector.isRefused || vector.name.hasPrefix(Self.refusedByUsOnly) {
                #expect(ours == nil, "\(vector.name): \(ours ?? [])")
                refused += 1
            } else if let blocks = vector.decoded?.arrayValue {
                #expect(ours == blocks.map(RTCPText.describe(decoded:)), "\(vector.name)")
                compared += 1
            }
        }
        #expect(compared >= 30)
        #expect(file != "rtcp-vectors.json" || refused >= 15)
    }

    @Test func `what its source calls malformed is refused or without effect`() {
        for vector in RTPVectorCase.all(in: "malformed-rtcp.json") where vector.decoded == nil {
            #expect(RTCPText.describe(vector.bytes) == nil, "\(vector.name)")
        }
        for vector in RTPVectorCase.all(in: "rtcp-vectors.json") {
            guard let error = vector.expected?["WantError"], !error.isNull else { continue }
            // Each test of the source reads one type; the text then is of another.
            let isOfAnotherType = error.stringValue == "expr:errWrongType"
            // Padding that is no multiple of four is let pass.
            let isPadding = error.stringValue == "expr:errWrongPadding"
            #expect(RTCPText.describe(vector.bytes) == nil || isOfAnotherType || isPadding, "\(vector.name)")
        }
    }
}

enum RTCPText {
    /// Nil when anything in the datagram is refused.
    static func describe(_ bytes: Bytes) -> [String]? {
        bytes.withUnsafeBytes { buffer in
            do throws(WireError) {
                var reader = try RTCPReader(buffer.bytes)
                var lines: [String] = []
                while let block = reader.next() { lines.append(try describe(block, buffer.bytes)) }
                return lines
            } catch {
                return nil
            }
        }
    }

    static func describe(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) -> String {
        switch block.kind {
        case .senderReport, .receiverReport: try reports(block, packet)
        case .sourceDescription: try names(block, packet)
        case .goodbye: try goodbye(block, packet)
        case .nack: try nack(block, packet)
        case .transportFeedback: try transport(block, packet)
        case .congestionFeedback: try congestion(block, packet)
        case .pictureLoss: try pictureLoss(block, packet)
        case .fullIntraRequest: try fullIntra(block, packet)
        case .remb: try estimate(block, packet)
        case .extendedReport: try extended(block, packet)
        case .other: try other(block, packet)
        }
    }

    private static func reports(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) -> String {
        let reports = try RTCPReports(parsing: block, in: packet)
        var text = reports.senderInfo == nil ? "RR" : "SR"
        text += " \(reports.senderSSRC)"
        if let info = reports.senderInfo {
            text += " \(info.ntpTime) \(info.rtpTimestamp) \(info.packetCount) \(info.octetCount)"
        }
        for index in 0..<reports.count {
            guard let report = reports.report(index) else { continue }
            text += " [\(report.ssrc) \(report.fractionLost) \(report.cumulativeLost) \(report.highestSequence)"
            text += " \(report.jitter) \(report.lastSenderReport) \(report.delaySinceLastSenderReport)]"
        }
        return text
    }

    private static func names(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) -> String {
        var text = "SDES"
        var chunks = RTCPSourceDescription(block, in: packet)
        while let chunk = try chunks.next() {
            text += " \(chunk.ssrc)=\(string(packet, chunk.name))"
        }
        return text
    }

    private static func goodbye(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) -> String {
        let goodbye = try RTCPGoodbye(parsing: block, in: packet)
        return "BYE" + (0..<goodbye.count).map { " \(goodbye.ssrc($0) ?? 0)" }.joined()
    }

    private static func nack(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) -> String {
        var nack = try RTCPNACK(parsing: block, in: packet)
        var text = "NACK \(nack.senderSSRC) \(nack.mediaSSRC):"
        while let sequence = nack.next() { text += " \(sequence)" }
        return text
    }

    private static func transport(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) -> String {
        var feedback = try RTCPTransportFeedback(parsing: block, in: packet)
        var text = "TWCC \(feedback.senderSSRC) \(feedback.mediaSSRC) \(feedback.referenceTime)"
        text += " \(feedback.feedbackCount):"
        var before = Int64(feedback.referenceTime) * RTCPTransportFeedback.referenceUnit
        while let item = feedback.next() {
            text += " \(item.sequence)"
            if item.hasArrival { text += "+\(item.arrival - before)" }
            before = item.arrival
        }
        return text
    }

    private static func congestion(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) -> String {
        var feedback = try RTCPCongestionFeedback(parsing: block, in: packet)
        var text = "CCFB \(feedback.senderSSRC) \(feedback.reportTimestamp):"
        while let item = feedback.next() {
            text += " \(item.ssrc)/\(item.sequence)/\(item.isReceived ? 1 : 0)/\(item.ecn)/\(item.arrivalOffset)"
        }
        return text
    }

    private static func pictureLoss(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) -> String {
        let loss = try RTCPPictureLoss(parsing: block, in: packet)
        return "PLI \(loss.senderSSRC) \(loss.mediaSSRC)"
    }

    private static func fullIntra(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) -> String {
        let request = try RTCPFullIntraRequest(parsing: block, in: packet)
        let entries = (0..<request.count).map { index in
            request.entry(index).map { " \($0.ssrc)#\($0.number)" } ?? " ?"
        }
        return "FIR \(request.senderSSRC):" + entries.joined()
    }

    private static func estimate(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) -> String {
        let estimate = try RTCPReceiverEstimate(parsing: block, in: packet)
        let sources = (0..<estimate.count).map { " \(estimate.ssrc($0) ?? 0)" }
        return "REMB \(estimate.senderSSRC) \(Double(estimate.bitsPerSecond)):" + sources.joined()
    }

    private static func extended(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) -> String {
        var report = try RTCPExtendedReport(parsing: block, in: packet)
        var text = "XR \(report.senderSSRC):"
        while let item = report.next() {
            switch item {
            case .referenceTime(let ntp): text += " rrtr \(ntp)"
            case .delay(let delay): text += " dlrr \(delay.ssrc) \(delay.lastReferenceTime) \(delay.delay)"
            }
        }
        return text
    }

    /// We look no further than the head; feedback without both sources is cut all the same.
    private static func other(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) -> String {
        let isFeedback = block.type == 205 || block.type == 206
        if isFeedback && block.body(in: packet).byteCount < 8 { throw .truncated }
        return "other \(block.type) \(block.count)"
    }

    private static func string(_ packet: RawSpan, _ range: Range<Int>) -> String {
        String(decoding: range.map { packet.byte($0) }, as: UTF8.self)
    }
}

extension RTCPText {
    /// The same lines of what the independent decoder wrote down.
    static func describe(decoded block: JSONValue) -> String {
        func int(_ key: String, of value: JSONValue? = nil) -> Int64 { (value ?? block)[key]?.integerValue ?? -1 }
        let sender = int("sender_ssrc")
        switch block["kind"]?.stringValue {
        case "SR":
            let ntp = UInt64(int("ntp_sec")) << 32 | UInt64(int("ntp_frac"))
            return "SR \(int("ssrc")) \(ntp) \(int("rtp_ts")) \(int("packet_count")) \(int("octet_count"))"
                + reports(block)
        case "RR": return "RR \(int("ssrc"))" + reports(block)
        case "SDES": return "SDES" + (block["chunks"]?.arrayValue ?? []).map(name).joined()
        case "BYE": return "BYE" + numbers(block["ssrcs"])
        case "NACK": return "NACK \(sender) \(int("media_ssrc")):" + numbers(block["seqs"])
        case "PLI": return "PLI \(sender) \(int("media_ssrc"))"
        case "FIR":
            let entries = (block["entries"]?.arrayValue ?? []).map { " \(int("ssrc", of: $0))#\(int("seq", of: $0))" }
            return "FIR \(sender):" + entries.joined()
        case "REMB":
            let rate = min(block["bitrate"]?.numberValue ?? -1, Double(UInt64.max))
            return "REMB \(sender) \(rate):" + numbers(block["ssrcs"])
        case "TWCC":
            let items = (block["packets_seq_deltaus"]?.arrayValue ?? []).map { pair in
                let delta = pair.arrayValue?.last?.integerValue
                return " \(pair.arrayValue?.first?.integerValue ?? -1)" + (delta.map { "+\($0)" } ?? "")
            }
            return "TWCC \(sender) \(int("media_ssrc")) \(int("reference_time")) \(int("fb_pkt_count")):"
                + items.joined()
        case "CCFB":
            return "CCFB \(sender) \(int("report_timestamp")):"
                + (block["blocks"]?.arrayValue ?? []).map(streamReports).joined()
        case "XR": return "XR \(int("ssrc")):" + (block["blocks"]?.arrayValue ?? []).map(extendedBlock).joined()
        default: return "other \(int("pt")) \(int("count"))"
        }
    }

    private static func numbers(_ value: JSONValue?) -> String {
        (value?.arrayValue ?? []).map { " \($0.integerValue ?? -1)" }.joined()
    }

    private static func reports(_ block: JSONValue) -> String {
        let keys = ["ssrc", "fraction_lost", "cumulative_lost", "highest_seq", "jitter", "lsr", "dlsr"]
        return (block["reports"]?.arrayValue ?? []).map { report in
            " [" + keys.map { "\(report[$0]?.integerValue ?? -1)" }.joined(separator: " ") + "]"
        }.joined()
    }

    private static func name(_ chunk: JSONValue) -> String {
        let item = (chunk["items"]?.arrayValue ?? []).first { $0["type"]?.integerValue == 1 }
        return " \(chunk["ssrc"]?.integerValue ?? -1)=\(item?["text"]?.stringValue ?? "")"
    }

    private static func streamReports(_ stream: JSONValue) -> String {
        let ssrc = stream["ssrc"]?.integerValue ?? -1
        return (stream["seq_r_ecn_ato"]?.arrayValue ?? []).map { entry in
            let values = entry.arrayValue?.compactMap(\.integerValue) ?? []
            guard values.count == 4 else { return " ?" }
            let isReceived = values[1] == 1
            return " \(ssrc)/\(values[0])/\(values[1])/\(isReceived ? values[2] : 0)/\(isReceived ? values[3] : 0)"
        }.joined()
    }

    private static func extendedBlock(_ block: JSONValue) -> String {
        let data = Bytes(hexText: block["data"]?.stringValue ?? "") ?? []
        func word(_ index: Int) -> UInt32 { data[(index * 4)..<(index * 4 + 4)].reduce(0) { $0 << 8 | UInt32($1) } }
        switch block["type"]?.integerValue {
        case 4: return " rrtr \(UInt64(word(0)) << 32 | UInt64(word(1)))"
        case 5:
            return (0..<data.count / 12).map { " dlrr \(word($0 * 3)) \(word($0 * 3 + 1)) \(word($0 * 3 + 2))" }
                .joined()
        default: return ""
        }
    }
}
