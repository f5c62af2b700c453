// The fuzzers of RTP headers with their extensions, and of RTCP.

import Base
import Wire

extension Fuzzers {
    package static let rtp = [Fuzzer("rtp", fuzzHeader), Fuzzer("rtcp", fuzzControl)]
}

/// All kinds, under numbers of both forms.
private let map: RTPExtensionMap = {
    var map = RTPExtensionMap()
    for kind in RTPExtensionKind.allCases { _ = map.set(kind.rawValue, kind) }
    return map
}()

// MARK: - RTP

private func fuzzHeader(_ bytes: Bytes) {
    bytes.withUnsafeBytes { buffer in
        do throws(WireError) {
            let header = try RTPHeader(parsing: buffer.bytes)
            check(header, bytes)
            let reading = RTPExtensionReading(reading: buffer.bytes, header: header, map: map)
            for kind in RTPExtensionKind.allCases { check(reading[kind], header) }
            promise(reading.audioLevel <= 127 && reading.absoluteSendTime <= 0xFF_FFFF, "values are within their bits")
            checkCopy(header, reading, bytes)
        } catch {}
    }
}

private func check(_ header: RTPHeader, _ bytes: Bytes) {
    promise(Int(header.headerLength) <= bytes.count, "the header ends within the packet")
    promise(header.payloadType <= 127 && header.csrcCount <= 15, "fields are within their bits")
    promise(
        !header.hasExtension || header.extensionStart + header.extensionLength == header.headerLength,
        "the elements end the header")
    bytes.withUnsafeBytes { buffer in
        if let padding = header.paddingLength(in: buffer.bytes) {
            promise(Int(header.headerLength) + padding <= bytes.count, "the padding leaves the header alone")
        }
        for index in -1...16 {
            let isThere = header.csrc(index, in: buffer.bytes) != nil
            promise(isThere == (0..<Int(header.csrcCount)).contains(index), "as many sources as are counted")
        }
    }
}

private func check(_ element: RTPExtensionReading.Element?, _ header: RTPHeader) {
    guard let element else { return }
    let block = Int(header.extensionStart)..<(Int(header.extensionStart) + Int(header.extensionLength))
    promise(
        block.lowerBound < element.range.lowerBound && element.range.upperBound <= block.upperBound,
        "an element lies within the block")
}

/// The elements written again, in either form, are the same when they are read.
private func checkCopy(_ header: RTPHeader, _ reading: RTPExtensionReading, _ bytes: Bytes) {
    for twoByteForm in [false, true] {
        var copy = Bytes(repeating: 0, count: 16 + 16 * 260)
        var written: [RTPExtensionKind] = []
        copy.withUnsafeMutableBytes { buffer in
            var span = buffer.mutableBytes
            var writer = RTPExtensionBlockWriter(at: 12, twoByteForm: twoByteForm)
            for kind in RTPExtensionKind.allCases {
                guard let element = reading[kind] else { continue }
                let isWritten = bytes.withUnsafeBytes {
                    writer.append(id: kind.rawValue, bytes: $0.bytes.extracting(element.range), into: &span)
                }
                promise(isWritten || !twoByteForm, "every element has a place in the two-byte form")
                if isWritten { written.append(kind) }
            }
            _ = writer.finish(into: &span)
            RTPFixedHeader.write(
                marker: header.marker, payloadType: header.payloadType, sequenceNumber: header.sequenceNumber,
                timestamp: header.timestamp, ssrc: header.ssrc, hasExtension: !written.isEmpty, into: &span)
        }
        copy.withUnsafeBytes { buffer in
            guard let again = try? RTPHeader(parsing: buffer.bytes) else {
                return promise(false, "what was written is read")
            }
            promise(again.ssrc == header.ssrc && again.timestamp == header.timestamp, "the header is the same")
            let reread = RTPExtensionReading(reading: buffer.bytes, header: again, map: map)
            promise(!reread.isDamaged, "what was written is whole")
            for kind in written {
                let data = reread[kind].map { Bytes(copy[$0.range]) }
                promise(data == reading[kind].map { Bytes(bytes[$0.range]) }, "an element is the same")
            }
        }
    }
}

// MARK: - RTCP

private func fuzzControl(_ bytes: Bytes) {
    bytes.withUnsafeBytes { buffer in
        do throws(WireError) {
            var reader = try RTCPReader(buffer.bytes)
            var position = 0
            while let block = reader.next() {
                promise(block.start >= position + 4 && block.end >= block.start, "blocks follow each other")
                promise(block.end <= bytes.count, "a block ends within the datagram")
                position = block.start
                checkBody(block, buffer.bytes)
            }
        } catch {}
    }
}

private func checkBody(_ block: RTCPBlock, _ packet: RawSpan) {
    do throws(WireError) {
        switch block.kind {
        case .senderReport, .receiverReport: try checkReports(block, packet)
        case .sourceDescription:
            var chunks = RTCPSourceDescription(block, in: packet)
            while let chunk = try chunks.next() {
                promise(chunk.name.upperBound <= packet.byteCount && chunk.name.count <= 255, "a name is within")
            }
        case .goodbye:
            let goodbye = try RTCPGoodbye(parsing: block, in: packet)
            for index in 0..<goodbye.count { promise(goodbye.ssrc(index) != nil, "a source is there") }
        case .nack: try checkNACK(block, packet)
        case .transportFeedback: try checkTransport(block, packet)
        case .congestionFeedback:
            var feedback = try RTCPCongestionFeedback(parsing: block, in: packet)
            var count = 0
            while feedback.next() != nil { count += 1 }
            promise(count * 2 <= packet.byteCount, "no more packets than there are bytes for")
        case .pictureLoss: _ = try RTCPPictureLoss(parsing: block, in: packet)
        case .fullIntraRequest:
            let request = try RTCPFullIntraRequest(parsing: block, in: packet)
            for index in 0..<request.count { promise(request.entry(index) != nil, "an entry is there") }
        case .remb:
            let estimate = try RTCPReceiverEstimate(parsing: block, in: packet)
            for index in 0..<estimate.count { promise(estimate.ssrc(index) != nil, "a source is there") }
        case .extendedReport:
            var report = try RTCPExtendedReport(parsing: block, in: packet)
            var count = 0
            while report.next() != nil { count += 1 }
            promise(count * 12 <= packet.byteCount, "no more items than there are bytes for")
        case .other: break
        }
    } catch {}
}

private func checkReports(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) {
    let reports = try RTCPReports(parsing: block, in: packet)
    var copies: [RTCPReportBlock] = []
    for index in 0..<reports.count {
        guard let report = reports.report(index) else { return promise(false, "a report is there") }
        copies.append(report)
    }
    var written = Bytes()
    RTCPReports.writeReceiverReport(from: reports.senderSSRC, reports: copies.span, into: &written)
    written.withUnsafeBytes { buffer in
        guard var reader = try? RTCPReader(buffer.bytes), let block = reader.next(),
            let again = try? RTCPReports(parsing: block, in: buffer.bytes)
        else { return promise(false, "what was written is read") }
        promise(again.count == copies.count, "as many reports")
        for index in 0..<copies.count { promise(again.report(index) == copies[index], "a report is the same") }
    }
}

private func checkNACK(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) {
    var nack = try RTCPNACK(parsing: block, in: packet)
    var count = 0
    while nack.next() != nil { count += 1 }
    promise(count <= RTCPNACK.sequenceLimit, "no more than the bound")
}

private func checkTransport(_ block: RTCPBlock, _ packet: RawSpan) throws(WireError) {
    var feedback = try RTCPTransportFeedback(parsing: block, in: packet)
    let reference = Int64(feedback.referenceTime) * RTCPTransportFeedback.referenceUnit
    let (sender, media, base) = (feedback.senderSSRC, feedback.mediaSSRC, feedback.baseSequence)
    let (time, number) = (feedback.referenceTime, feedback.feedbackCount)
    var before = reference
    var items: [RTCPTransportFeedback.Item] = []
    var deltas: [Int32] = []
    while let item = feedback.next() {
        items.append(item)
        let delta = Int32(truncatingIfNeeded: (item.arrival - before) / RTCPTransportFeedback.deltaUnit)
        deltas.append(item.hasArrival ? delta : RTCPTransportFeedbackWriter.notReceived)
        before = item.arrival
    }
    promise(items.count == feedback.statusCount, "as many packets as are counted")
    var written = Bytes()
    RTCPTransportFeedbackWriter.write(
        from: sender, to: media, baseSequence: base, referenceTime: time, feedbackCount: number,
        packets: deltas.span, into: &written)
    written.withUnsafeBytes { buffer in
        guard var reader = try? RTCPReader(buffer.bytes), let block = reader.next(),
            var again = try? RTCPTransportFeedback(parsing: block, in: buffer.bytes)
        else { return promise(false, "what was written is read") }
        for item in items {
            let other = again.next()
            promise(
                other?.hasArrival == item.hasArrival && (!item.hasArrival || other?.arrival == item.arrival),
                "a packet is the same")
        }
        promise(again.next() == nil, "no packet more")
    }
}
