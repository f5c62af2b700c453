// What a participant does as time passes: requests, feedback, reports, paced packets, and ends that nobody announced.

import Base
import Crypto
import Wire

extension Participant {
    /// RFC 3550 wants five seconds; WebRTC peers take bandwidth and round trips from reports, and send them every second.
    static let reportInterval = Duration.seconds(1)
    /// What may wait a little goes with the next packets: waking up for it costs as much as forwarding ten. Longer than
    /// frames are apart, or it helps nobody; shorter than what depends on it (layers, the publisher's estimate) notices.
    static let patience = Duration.milliseconds(40)
    /// The same for reports.
    static let reportPatience = Duration.milliseconds(100)
    /// Until somebody of whom no reports come is asked again whether a probe may start.
    static let probeRetry = Duration.milliseconds(250)
    /// A compound that is longer is sent before more is added: the longest that is added at once, a NACK of 256 pairs
    /// with 1,036 bytes, has room behind it. What is longer than a slot would not be sent at all.
    static let reportSizeMark = 400

    /// Looks after everything that is due. Returns why the participant has ended, if it has.
    func tick(now: Instant, engine: MediaEngine) -> ParticipantEnd? {
        if let origin {
            tickStandIn(origin, now)
            return nil
        }
        if let end = lookAfterTransport(now, engine) { return end }
        tickData(now, engine)
        if let end { return end }
        guard sending?.isOpen == true else {
            schedule(now)
            return nil
        }
        reports.removeAll(keepingCapacity: true)
        lookAfterLayers(now, engine)
        requestMissing(now, engine)
        writeFeedback(now)
        if now >= nextReports {
            nextReports = now + Self.reportInterval
            writeReports(now, engine)
        }
        writeEstimate(now, engine)
        flushReports(engine)
        sendPaced(now, engine)
        schedule(now)
        return nil
    }

    /// Packets of its come or go. What is due is done when their batch is over: the loop is awake and the memory at hand,
    /// and what is sent leaves with them.
    @inline(__always)
    func notePackets(_ now: Instant, _ engine: MediaEngine) {
        if dueWithMedia.isDue(now) { comeUp(now, engine) }
    }

    private func comeUp(_ now: Instant, _ engine: MediaEngine) {
        dueWithMedia = now + Self.idleTick
        nextTick = engine.atOnce(now)
        engine.look(self)
    }

    /// Nobody is looked at without need: with 400 viewers, looking at each of them every 20 ms was a quarter of the
    /// server's work, and for a room of one publisher his own 50 looks a second were a tenth of it.
    private func schedule(_ now: Instant) {
        var next = now + Self.idleTick
        dueWithMedia = next
        if sending?.isOpen == true { scheduleMedia(now, &next) }
        if end != nil { next = now }
        if let deadline = handshake.deadline { next = min(next, deadline) }
        if let deadline = dataDeadline { next = min(next, deadline) }
        if let deadline = ice.deadline { next = min(next, deadline) }
        nextTick = max(next, now + .milliseconds(1))
    }

    private func scheduleMedia(_ now: Instant, _ next: inout Instant) {
        if !subscriptions.isEmpty || !tracks.isEmpty { wait(until: nextReports, Self.reportPatience, &next) }
        if !tracks.isEmpty || hasChoiceOfLayers {
            wait(until: Instant(nanoseconds: allocation.nextLook), Self.patience, &next)
        }
        if let due = feedback?.deadline { wait(until: due, Self.patience, &next) }
        if let due = estimateDeadline { wait(until: due, Self.patience, &next) }
        for track in tracks {
            for layer in track.layers {
                if let due = layer.missing.deadline { wait(until: due, .zero, &next) }
                if let due = layer.keyframes.deadline { wait(until: due, .zero, &next) }
            }
        }
        guard let bandwidth = sending?.bandwidth else { return }
        // A probe that is due and may not start yet is asked about again with the next report, which comes sooner.
        if let deadline = bandwidth.estimator.deadline {
            next = min(next, deadline > now ? deadline : now + Self.probeRetry)
        }
        if let deadline = bandwidth.pacer.nextDeadline { next = min(next, deadline) }
    }

    /// Due with the first packets from then on, and by itself when none come for a while.
    private func wait(until due: Instant, _ patience: Duration, _ next: inout Instant) {
        dueWithMedia = min(dueWithMedia, due)
        next = min(next, due + patience)
    }

    /// Layers come and go by themselves; who gets one of several is looked after even if nothing comes from him.
    private var hasChoiceOfLayers: Bool {
        subscriptions.contains { subscription in
            guard subscription.kind == .video, let source = subscription.source else { return false }
            return source.highestLayer > 0 || source.flowing.count > 1
        }
    }

    // MARK: Transport

    private func lookAfterTransport(_ now: Instant, _ engine: MediaEngine) -> ParticipantEnd? {
        if let deadline = handshake.deadline, deadline <= now {
            handshake.handleTimeout(now: now)
            advanceHandshake(now, engine)
        }
        if let end { return end }
        var isSilent = isAbandoned(now)
        while true {
            switch ice.handleTimeout(now: now) {
            case .nothing:
                if isSilent { return .silent }
                if !isConnected, now - joined > Self.connectTimeout { return .neverConnected }
                return nil
            case .pathExpired(let path): engine.forget(path)
            case .consentExpired(let path):
                engine.forget(path)
                losePath(now: now)
            }
            // A path expires when it was silent for as long as consent lasts; of several the selected one may go first.
            if ice.pathCount == 0 { isSilent = true }
        }
    }

    // MARK: What it sends

    private func requestMissing(_ now: Instant, _ engine: MediaEngine) {
        let age = UInt64(RingCapacity.ageLimit.nanoseconds)
        let oldest = Instant(nanoseconds: now.nanoseconds &- min(now.nanoseconds, age))
        for track in tracks {
            for layer in track.layers {
                engine.numbers.removeAll(keepingCapacity: true)
                layer.missing.collect(now: now, roundTrip: roundTrip, into: &engine.numbers)
                if layer.missing.takeKeyframeWish(), track.kind == .video { layer.keyframes.want(now: now) }
                if !engine.numbers.isEmpty {
                    let numbers = engine.numbers
                    _ = RTCPNACK.write(from: localSSRC, to: layer.ssrc, lost: numbers.span, into: &reports)
                }
                if case .request(let number) = layer.keyframes.poll(now: now, roundTrip: roundTrip) {
                    room.log.note(.keyframeRequested, id, value: Int64(layer.ssrc), now: now)
                    requestKeyframe(of: layer, number)
                }
                if reports.count > Self.reportSizeMark { flushReports(engine) }
                layer.ring.removeAll(before: oldest, into: &engine.slab)
            }
        }
    }

    private func requestKeyframe(of layer: PublishedLayer, _ number: UInt8) {
        layer.counters.keyframeRequests &+= 1
        if layer.track.takesPictureLoss {
            RTCPPictureLoss(senderSSRC: localSSRC, mediaSSRC: layer.ssrc).write(into: &reports)
        } else {
            RTCPFullIntraRequest.write(
                from: localSSRC, RTCPFullIntraRequest.Entry(ssrc: layer.ssrc, number: number), into: &reports)
        }
    }

    private func writeFeedback(_ now: Instant) {
        guard feedback?.deadline != nil, let media = tracks.first?.layers.first?.ssrc else { return }
        while feedback?.build(now: now, from: localSSRC, to: media, into: &reports) == true {
            if reports.count > PacketSlab.slotSize / 2 { return }
        }
    }

    // MARK: Reports

    private func writeReports(_ now: Instant, _ engine: MediaEngine) {
        engine.reportBlocks.removeAll(keepingCapacity: true)
        for track in tracks {
            for layer in track.layers {
                if let block = layer.reception.reportBlock(now: now) { engine.reportBlocks.append(block) }
            }
        }
        if !engine.reportBlocks.isEmpty {
            let blocks = engine.reportBlocks
            RTCPReports.writeReceiverReport(from: localSSRC, reports: blocks.span, into: &reports)
        }
        let none = engine.noReports
        for subscription in subscriptions {
            guard let info = subscription.senderInfo(now: now, engine: engine) else { continue }
            RTCPReports.writeSenderReport(info, reports: none.span, into: &reports)
            let name = subscription.cname
            RTCPSourceDescription.write(subscription.ssrc, canonicalName: name.span, into: &reports)
            if reports.count > Self.reportSizeMark { flushReports(engine) }
        }
        engine.referenceDelays.removeAll(keepingCapacity: true)
        referenceTimes.take(now: now, into: &engine.referenceDelays)
        let delays = engine.referenceDelays
        RTCPExtendedReport.writeDelays(from: localSSRC, delays.span, into: &reports)
    }

    /// When a publisher that adapts to REMB has to be told, or looked at.
    private var estimateDeadline: Instant? {
        guard feedback == nil, !tracks.isEmpty else { return nil }
        return receiveLimit?.deadline ?? rembSchedule.deadline
    }

    /// What a publisher without transport-wide numbers may send: what its path seems to carry, where its packets tell,
    /// and the configured cap else.
    private func writeEstimate(_ now: Instant, _ engine: MediaEngine) {
        guard feedback == nil, !tracks.isEmpty else { return }
        let limit =
            receiveLimit?.update(roundTrip: roundTrip, now: now) ?? UInt64(engine.settings.publisherBitrateMax)
        engine.ssrcs.removeAll(keepingCapacity: true)
        for track in tracks where track.kind == .video {
            for layer in track.layers { engine.ssrcs.append(layer.ssrc) }
        }
        guard !engine.ssrcs.isEmpty, rembSchedule.poll(limit, now: now) else { return }
        let sources = engine.ssrcs
        RTCPReceiverEstimate.write(from: localSSRC, bitsPerSecond: limit, sources: sources.span, into: &reports)
    }

    private func flushReports(_ engine: MediaEngine) {
        guard !reports.isEmpty else { return }
        if !usesReducedSize, reports[1] != RTCPNumber.senderReport, reports[1] != RTCPNumber.receiverReport {
            // RFC 3550 §6.1: a compound begins with a report, unless RFC 5506 was agreed.
            var compound: [UInt8] = []
            let none = engine.noReports
            RTCPReports.writeReceiverReport(from: localSSRC, reports: none.span, into: &compound)
            reports = compound + reports
        }
        sending?.sendReports(reports, outbox: engine.outbox)
        reports.removeAll(keepingCapacity: true)
    }

    // MARK: Pacing

    private func sendPaced(_ now: Instant, _ engine: MediaEngine) {
        guard let bandwidth = sending?.bandwidth else { return }
        bandwidth.estimator.tick(now)
        if let plan = bandwidth.estimator.nextProbe(now) { bandwidth.pacer.begin(plan, now: now) }
        bandwidth.pacer.setRate(bandwidth.estimator.pacingRate)
        let prober = bandwidth.pacer.isProbing ? subscriptions.first { $0.probeSize != nil } : nil
        let padder = bandwidth.pacer.isProbing && prober == nil ? subscriptions.first { $0.canPad } : nil
        if bandwidth.pacer.isProbing {
            bandwidth.pacer.paddingSize = UInt16(clamping: max(prober?.probeSize ?? Subscription.paddingSize, 200))
        }
        while let item = bandwidth.pacer.take(now) {
            guard item.kind != .padding else {
                // Probes need bytes: what was sent lately is sent again on a repair stream, which the receiver drops.
                if prober?.sendProbe(now: now, engine: engine) != true { padder?.sendPadding(now: now, engine: engine) }
                continue
            }
            subscription(number: item.stream)?.sendPaced(item.packet, now: now, engine: engine)
        }
    }
}
