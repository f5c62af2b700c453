// Which layers a subscriber gets, decided a few times a second from its estimate; and what a publisher's layers cost.
//
// The decisions are `Allocator`'s; here its question is put together and its answer carried out. Streams that are paused
// by a wish, or whose publisher is not among the last speakers, are no part of the question.

package import Base
import Wire

/// When to decide next, and by what it was decided last.
struct AllocationState {
    /// Between two decisions. Shorter costs CPU per subscriber, longer leaves a stream too large for a link that shrank.
    static let interval: UInt64 = 100_000_000
    /// A decision is made anew when the estimate has moved by this share, and every so often in any case: steps up wait
    /// for their time.
    static let movedShare = 0.02
    static let longestInterval: UInt64 = 500_000_000

    var nextLook: UInt64 = 0
    var decidedAt: UInt64 = 0
    var estimate = 0
    /// Sum of the sources' versions of their layers.
    var version: UInt32 = 0
    /// A wish, a source or a speaker has changed.
    var isStale = true
    /// Of all streams at their highest, as last decided.
    var wanted = 0
    /// When a stream that fits has waited long enough to begin, or to become larger.
    var upgradeDue = UInt64.max
    /// Some of them have begun and no rate of theirs is known: what is wanted is more than `wanted`.
    var hasUnmeasured = false
}

extension Participant {
    func lookAfterLayers(_ now: Instant, _ engine: MediaEngine) {
        guard now.nanoseconds >= allocation.nextLook else { return }
        allocation.nextLook = now.nanoseconds &+ AllocationState.interval
        for track in tracks {
            track.measure(now: now)
            if track.kind == .video { lookAfterInterest(in: track, now, engine) }
        }
        allocate(now, engine)
    }

    private func lookAfterInterest(in track: PublishedTrack, _ now: Instant, _ engine: MediaEngine) {
        guard
            track.layerInterest.update(
                published: track.publishedBits, watched: track.interest, now: now)
        else { return }
        room.log.note(.unwatchedLayers, id, value: Int64(track.layerInterest.paused), now: now)
        engine.onEvent(.unwatchedLayers(id, mid: track.mid, layers: track.layerInterest.paused))
    }

    // MARK: - A subscriber's streams

    private func allocate(_ now: Instant, _ engine: MediaEngine) {
        guard let transport = sending, transport.isOpen, !subscriptions.isEmpty else { return }
        var version: UInt32 = 0
        var hasVideo = false
        var audio = 0
        for subscription in subscriptions {
            guard let source = subscription.source else { continue }
            version &+= source.flowingVersion &+ UInt32(truncatingIfNeeded: source.id.number)
            if subscription.kind == .video { hasVideo = true } else { audio += source.flowingBitsPerSecond }
        }
        guard hasVideo else { return }
        let estimate =
            transport.isEstimated ? transport.needBandwidth().estimator.target : engine.settings.subscriberBitrateMax
        guard needsDecision(estimate, version, now, engine) else { return }
        allocation.estimate = estimate
        allocation.version = version
        allocation.isStale = false
        allocation.decidedAt = now.nanoseconds
        decide(estimate: estimate, audio: audio, now, engine)
        // Too little, even for a moment, would end the first probes.
        if !allocation.hasUnmeasured { transport.bandwidth?.estimator.setWanted(allocation.wanted) }
    }

    private func needsDecision(_ estimate: Int, _ version: UInt32, _ now: Instant, _ engine: MediaEngine) -> Bool {
        let moved = Double((estimate - allocation.estimate).magnitude)
        return allocation.isStale || version != allocation.version || engine.settings.lastN > 0
            || moved > Double(allocation.estimate) * AllocationState.movedShare
            || now.nanoseconds &- allocation.decidedAt >= AllocationState.longestInterval
            || now.nanoseconds >= allocation.upgradeDue
    }

    private func decide(estimate: Int, audio: Int, _ now: Instant, _ engine: MediaEngine) {
        engine.wantedStreams.removeAll(keepingCapacity: true)
        let microseconds = Int64(now.nanoseconds / 1_000)
        let dominant = room.speakers.dominant
        allocation.hasUnmeasured = false
        for subscription in subscriptions where subscription.kind == .video {
            guard let source = subscription.source else { continue }
            if let reason = hold(subscription, source, engine) {
                pause(subscription, reason, now, engine)
                continue
            }
            if let paused = subscription.layers.paused, paused != .bandwidth {
                resume(subscription, now, engine)
            }
            // Not measured yet: what it began with goes on.
            guard source.flowing.count > 0 else {
                if source.hasJustBegun { allocation.hasUnmeasured = true }
                continue
            }
            let priority: StreamPriority =
                subscription.preference.isPinned ? .pinned : source.publisher.id == dominant ? .speaker : .rest
            engine.wantedStreams.append(subscription.wanted(source, priority: priority, now: microseconds))
        }
        guard !engine.wantedStreams.isEmpty else {
            allocation.wanted = audio
            return
        }
        let result = Allocator.allocate(
            engine.wantedStreams, estimate: estimate, audioBitsPerSecond: audio, now: microseconds)
        allocation.wanted = result.wantedBitsPerSecond
        allocation.upgradeDue = .max
        for decision in result.decisions { apply(decision, now, engine) }
    }

    /// Why a stream is not even asked for.
    private func hold(
        _ subscription: Subscription, _ source: PublishedTrack, _ engine: MediaEngine
    ) -> PauseReason? {
        if subscription.preference.isPaused { return .preference }
        let isShown = subscription.preference.isPinned || isAmongLast(engine.settings.lastN, source.publisher)
        return isShown ? nil : .notSpeaking
    }

    private func apply(_ decision: StreamDecision, _ now: Instant, _ engine: MediaEngine) {
        guard let subscription = subscription(number: UInt16(truncatingIfNeeded: decision.id)),
            let source = subscription.source
        else { return }
        subscription.layers.upgradeSince = decision.upgradeSince
        if let since = decision.upgradeSince {
            let due = since + Allocator.upgradeTime(isPaused: subscription.layers.paused != nil)
            allocation.upgradeDue = min(allocation.upgradeDue, UInt64(clamping: due) &* 1_000)
        }
        guard let layer = decision.layer else { return pause(subscription, .bandwidth, now, engine) }
        let before = subscription.layers.current
        subscription.layers.current = layer
        subscription.setTarget(subscription.target(layer, of: source), now: now)
        if subscription.layers.paused != nil {
            subscription.layers.paused = nil
            room.log.note(.resumed, id, value: Int64(subscription.number), now: now)
            engine.onEvent(.streamResumed(id, mid: subscription.mid))
        } else if before?.spatial != layer.spatial || before?.temporal != layer.temporal {
            room.log.note(.layerChanged, id, value: Int64(layer.spatial) << 8 | Int64(layer.temporal), now: now)
        }
    }

    private func pause(_ subscription: Subscription, _ reason: PauseReason, _ now: Instant, _ engine: MediaEngine) {
        subscription.layers.current = nil
        guard subscription.layers.paused != reason else { return }
        subscription.layers.paused = reason
        subscription.layers.upgradeSince = nil
        subscription.setTarget(LayerTarget(simulcast: nil, paused: true), now: now)
        room.log.note(.paused, id, value: Int64(subscription.number) << 8 | Int64(reason.rawValue), now: now)
        engine.onEvent(.streamPaused(id, mid: subscription.mid, reason))
    }

    /// A pause that no estimate had asked for is over: the stream begins as a new one.
    private func resume(_ subscription: Subscription, _ now: Instant, _ engine: MediaEngine) {
        subscription.layers = SubscriptionLayers()
        if let first = subscription.source?.order.first ?? subscription.source?.layers.first?.index {
            subscription.setTarget(LayerTarget(simulcast: first), now: now)
        } else {
            subscription.setTarget(LayerTarget(simulcast: 0), now: now)
        }
        room.log.note(.resumed, id, value: Int64(subscription.number), now: now)
        engine.onEvent(.streamResumed(id, mid: subscription.mid))
    }
}

// MARK: - From outside

extension MediaEngine {
    /// What a participant wishes of one of its sections. It takes effect at once.
    package func setPreference(
        _ preference: StreamPreference, of mid: String, for id: ParticipantID, now: Instant
    ) throws(MediaError) {
        guard let participant = participants[id] else { throw .noSuchSession }
        guard let subscription = participant.subscriptions.first(where: { $0.mid == mid }) else {
            throw .notAcceptable("no section named \(mid) receives media")
        }
        subscription.preference = preference
        participant.allocation.isStale = true
        participant.allocation.nextLook = 0
        participant.wake(at: now)
    }

    /// As the sections of a participant stand at present.
    package func preference(of mid: String, for id: ParticipantID) -> StreamPreference? {
        participants[id]?.subscriptions.first { $0.mid == mid }?.preference
    }
}
