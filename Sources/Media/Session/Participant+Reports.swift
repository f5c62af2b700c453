// RTCP of one participant: what it reports and asks for.

import Base
import Crypto
import Wire

extension Participant {
    /// A datagram that looks like RTCP.
    func receiveReports(_ slot: PacketSlab.Slot, _ count: Int, now: Instant, engine: MediaEngine) {
        let room = engine.slab[slot]
        let verdict = receiver?.unprotectRTCP(room, count: count, window: &reportWindow) ?? .forged
        let plain: Int
        switch verdict {
        case .plain(let length):
            plain = length
            notePeerHasKeys()
        case .replayed: return counters.replayed &+= 1
        case .forged: return counters.forged &+= 1
        case .tooShort: return counters.malformed &+= 1
        }
        let packet = RawSpan(
            _unsafeBytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<plain]))
        guard var reader = try? RTCPReader(packet) else { return counters.malformed &+= 1 }
        while let block = reader.next() {
            // One bad block is refused alone: the others of the datagram have their effect.
            do throws(WireError) {
                try handle(block, in: packet, now, engine)
            } catch {
                counters.malformed &+= 1
            }
        }
        notePackets(now, engine)
    }

    private func handle(
        _ block: RTCPBlock, in packet: RawSpan, _ now: Instant, _ engine: MediaEngine
    ) throws(WireError) {
        switch block.kind {
        case .senderReport, .receiverReport: handle(try RTCPReports(parsing: block, in: packet), now, engine)
        case .nack:
            var nack = try RTCPNACK(parsing: block, in: packet)
            guard let subscription = subscription(nack.mediaSSRC) else { return }
            while let number = nack.next() { subscription.retransmit(number, now: now, engine: engine) }
        case .transportFeedback: try takeFeedback(block, packet, now)
        case .congestionFeedback: break  // parsed in Wire; not negotiated
        case .pictureLoss:
            wantKeyframe(try RTCPPictureLoss(parsing: block, in: packet).mediaSSRC, now)
        case .fullIntraRequest:
            let request = try RTCPFullIntraRequest(parsing: block, in: packet)
            for index in 0..<request.count {
                if let entry = request.entry(index) { wantKeyframe(entry.ssrc, now) }
            }
        case .remb:
            let estimate = try RTCPReceiverEstimate(parsing: block, in: packet)
            hasSentEstimate = true
            sending?.isEstimated = true
            sending?.needBandwidth().estimator.onREMB(estimate.bitsPerSecond, now: now)
        case .goodbye:
            let goodbye = try RTCPGoodbye(parsing: block, in: packet)
            for index in 0..<goodbye.count {
                if let ssrc = goodbye.ssrc(index) { removeSource(ssrc) }
            }
        case .extendedReport:
            var report = try RTCPExtendedReport(parsing: block, in: packet)
            while let item = report.next() {
                guard case .referenceTime(let ntp) = item else { continue }
                referenceTimes.receive(ntp: ntp, from: report.senderSSRC, now: now)
            }
        case .sourceDescription, .other: break
        }
    }

    private func handle(_ reports: RTCPReports, _ now: Instant, _ engine: MediaEngine) {
        if let info = reports.senderInfo, let index = sources.find(info.ssrc) {
            let layer = sources.sources[index].layer
            if !sources.sources[index].isRepair {
                layer.take(info, now: now, ours: engine.ntp.time(now))
            }
        }
        for index in 0..<reports.count {
            guard let report = reports.report(index), let subscription = subscription(report.ssrc) else { continue }
            let trip = RoundTrip.measure(
                lastReport: report.lastSenderReport, delay: report.delaySinceLastSenderReport,
                now: engine.ntp.time(now))
            if let trip { roundTrip = trip }
            subscription.quality.take(report, roundTrip: trip)
            sending?.bandwidth?.estimator.onReceiverReport(
                fractionLost: Double(report.fractionLost) / 256, roundTrip: trip, now: now)
        }
    }

    private func takeFeedback(_ block: RTCPBlock, _ packet: RawSpan, _ now: Instant) throws(WireError) {
        var report = try RTCPTransportFeedback(parsing: block, in: packet)
        guard let sending, let bandwidth = sending.bandwidth else { return }
        guard feedbackItems.take(report.statusCount, sentPackets: sending.packets) else {
            return counters.excessive &+= 1
        }
        let shift =
            feedbackClock.unwrap(Int64(report.referenceTime) &* RTCPTransportFeedback.referenceUnit)
            &- Int64(report.referenceTime) &* RTCPTransportFeedback.referenceUnit
        while let item = report.next() {
            // Received at an unknown time says nothing that helps.
            if item.isReceived && !item.hasArrival { continue }
            bandwidth.estimator.report(
                FeedbackItem(
                    sequence: item.sequence, arrivalTime: item.isReceived ? item.arrival &+ shift : nil))
        }
        bandwidth.estimator.endFeedback(now: now)
        bandwidth.pacer.setRate(bandwidth.estimator.pacingRate)
        // What may leave now leaves with this batch.
        dueWithMedia = now
    }

    /// A subscriber cannot decode: its source is asked for a keyframe, no sooner than the source's own limit allows.
    private func wantKeyframe(_ ssrc: SSRC, _ now: Instant) {
        guard let subscription = subscription(ssrc) else { return }
        subscription.quality.pictureLosses &+= 1
        subscription.requestKeyframe(now: now)
    }

    func subscription(number: UInt16) -> Subscription? { subscriptions.first { $0.number == number } }

    func subscription(_ ssrc: SSRC) -> Subscription? {
        subscriptions.first { $0.ssrc == ssrc || $0.rtxSSRC == ssrc }
    }

    private func removeSource(_ ssrc: SSRC) {
        guard let index = sources.find(ssrc), !sources.sources[index].isRepair else { return }
        remove(sources.sources[index].layer)
    }
}
