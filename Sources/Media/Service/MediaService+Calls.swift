// What calls need beyond WHIP and WHEP: one peer connection per participant that sends and receives, further offers from
// either side, mute and permissions, wishes, and who is told of what happens.
//
// Nothing here waits for a peer. Whoever keeps order (one negotiation at a time, glare, silence) is
// `Signaling/Negotiation`; the engine refuses what is out of turn.

package import Base

/// What happened to one session of a call.
package enum MediaSessionEvent: Sendable, Equatable {
    /// There is something to offer: said once, until `offer(to:)`.
    case negotiationNeeded
    case connected
    /// What its sections show from now on.
    case shown([ShownSection])
    /// The section shows nothing from now on.
    case paused(mid: String, PauseReason)
    case resumed(mid: String)
    /// Layers of its own track that nobody is going to watch, as bits from the lowest.
    case unwatched(mid: String, layers: UInt8)
    /// The session is gone: it fell silent, closed its transport, or never came. Not said of one that left.
    case ended(ParticipantEnd)
}

package struct ShownSection: Sendable, Equatable {
    package let mid: String
    package let kind: MediaKind
    package let publisher: UUID
}

/// Is told of sessions of calls, on the threads of their shards: must be quick, and may not wait.
package protocol MediaListener: AnyObject, Sendable {
    func happened(_ event: MediaSessionEvent, to session: UUID)
    /// In a room on several shards each of them tells of its own; the one who was told of last counts.
    func speaks(_ session: UUID, in room: String)
}

extension MediaService {
    /// The room of a call. WHIP and WHEP cannot name one: no room of theirs has a colon.
    package static func room(ofCall call: UUID) -> String { "\(callPrefix)\(call)" }
    private static let callPrefix = "call:"

    // MARK: - Coming

    /// Takes a participant in that offers first. `id` names its session from now on: events may come before this returns.
    /// What is held or not received is so from the first packet on. Of the codecs that both have, those of `codecs` are
    /// agreed first.
    package func enter(
        call: UUID, as id: UUID, owner: UUID, offer: String, preferring codecs: [Codec] = [],
        held: MediaKinds = [], isReceiving: Bool = true
    ) async throws(MediaError) -> Answer {
        let room = Self.room(ofCall: call)
        return try await admit(to: room, as: .participant, owner: owner, id: id) { engine, now throws(MediaError) in
            let joined = try engine.join(
                room, as: .participant, offer: offer, preferring: codecs, now: now)
            try engine.hold(held, of: joined.participant, now: now)
            try engine.setReceiving(isReceiving, of: joined.participant, now: now)
            return joined
        }
    }

    /// Takes a participant in that is offered first: what comes back is our offer.
    package func invite(
        to call: UUID, as id: UUID, owner: UUID, toSend kinds: [MediaKind], preferring codecs: [Codec] = [],
        held: MediaKinds = [], isReceiving: Bool = true
    ) async throws(MediaError) -> Answer {
        let room = Self.room(ofCall: call)
        return try await admit(to: room, as: .participant, owner: owner, id: id) { engine, now throws(MediaError) in
            let joined = try engine.invite(room, toSend: kinds, preferring: codecs, now: now)
            try engine.hold(held, of: joined.participant, now: now)
            try engine.setReceiving(isReceiving, of: joined.participant, now: now)
            return joined
        }
    }

    // MARK: - Negotiation

    /// Our offer; `nil` when there is nothing to offer any more.
    package func offer(to id: UUID) async throws(MediaError) -> String? {
        try await perform(id) { engine, participant, now throws(MediaError) in
            try engine.offer(to: participant, now: now)
        }
    }

    package func accept(answer: String, from id: UUID) async throws(MediaError) {
        try await perform(id) { engine, participant, now throws(MediaError) in
            try engine.accept(answer: answer, from: participant, now: now)
        }
    }

    /// Our answer. An offer of ours that is out is taken back for it.
    package func accept(offer: String, from id: UUID) async throws(MediaError) -> String {
        try await perform(id) { engine, participant, now throws(MediaError) in
            try engine.accept(offer: offer, from: participant, now: now)
        }
    }

    package func rollback(_ id: UUID) async throws(MediaError) {
        try await perform(id) { engine, participant, now throws(MediaError) in
            try engine.rollback(participant, now: now)
        }
    }

    package func restartICE(of id: UUID) async throws(MediaError) {
        try await perform(id) { engine, participant, now throws(MediaError) in
            try engine.restartICE(of: participant, now: now)
        }
    }

    // MARK: - What goes and what does not

    /// Drops what the session sends of these kinds, from now on.
    package func hold(_ kinds: MediaKinds, of id: UUID) async throws(MediaError) {
        try await perform(id) { engine, participant, now throws(MediaError) in
            try engine.hold(kinds, of: participant, now: now)
        }
    }

    package func setReceiving(_ isReceiving: Bool, of id: UUID) async throws(MediaError) {
        try await perform(id) { engine, participant, now throws(MediaError) in
            try engine.setReceiving(isReceiving, of: participant, now: now)
        }
    }

    /// Changes what the session wishes of one of its sections.
    package func changePreference(
        of mid: String, for id: UUID, _ change: @escaping @Sendable (inout StreamPreference) -> Void
    ) async throws(MediaError) {
        try await perform(id) { engine, participant, now throws(MediaError) in
            var preference = engine.preference(of: mid, for: participant) ?? StreamPreference()
            change(&preference)
            try engine.setPreference(preference, of: mid, for: participant, now: now)
        }
    }

    // MARK: - Looking

    package func statistics(of id: UUID) async throws(MediaError) -> ParticipantStatistics {
        try await perform(id) { engine, participant, now throws(MediaError) in
            guard let statistics = engine.statistics(of: participant, now: now) else { throw .noSuchSession }
            return statistics
        }
    }

    /// Of all sessions of a call, on whichever shards they are.
    package func statistics(ofCall call: UUID) async -> [(session: UUID, statistics: ParticipantStatistics)] {
        let room = Self.room(ofCall: call)
        var all: [(session: UUID, statistics: ParticipantStatistics)] = []
        for shard in shards(of: room) {
            let found = await shards[shard].perform { engine, now in engine.statistics(ofRoom: room, now: now) }
            let ids = sessions(at: found.map { Place(shard: shard, participant: $0.id) })
            // Stand-ins of other shards' participants have no session here.
            all += zip(ids, found).compactMap { id, statistics in id.map { ($0, statistics) } }
        }
        return all
    }

    private func perform<Value: Sendable>(
        _ id: UUID,
        _ body: @escaping @Sendable (MediaEngine, ParticipantID, Instant) throws(MediaError) -> Value
    ) async throws(MediaError) -> Value {
        guard let session = session(id) else { throw .noSuchSession }
        let result = await shards[session.shard].perform { engine, now in
            Result { () throws(MediaError) in try body(engine, session.participant, now) }
        }
        return try result.get()
    }

    // MARK: - Telling

    /// On a shard that does not serve yet.
    func listen(to shard: MediaShard, _ number: Int) async {
        await shard.perform { [weak self] engine, _ in
            engine.roomPolicy = { $0.hasPrefix(Self.callPrefix) ? .offerNew : .freeSections }
            engine.negotiationNeeded = { self?.tell(.negotiationNeeded, of: $0, onShard: number) }
            engine.onEvent = { self?.take($0, fromShard: number) }
        }
    }

    /// What was told of a participant before anybody could know whose it is.
    func tellStanding(of participant: ParticipantID, _ engine: MediaEngine, shard: Int) {
        guard call(at: Place(shard: shard, participant: participant)) != nil else { return }
        if engine.isOfferWanted(by: participant) { tell(.negotiationNeeded, of: participant, onShard: shard) }
        lookAtShown(participant, onShard: shard)
    }

    private func tell(_ event: MediaSessionEvent, of participant: ParticipantID, onShard shard: Int) {
        guard let listener = currentListener, let id = call(at: Place(shard: shard, participant: participant)) else {
            return
        }
        listener.happened(event, to: id)
    }

    private func take(_ event: MediaEvent, fromShard shard: Int) {
        switch event {
        case .dominantSpeaker(let room, let participant):
            guard room.hasPrefix(Self.callPrefix), let listener = currentListener,
                let id = call(at: Place(shard: shard, participant: participant))
            else { return }
            listener.speaks(id, in: room)
        case .connected(let participant): tell(.connected, of: participant, onShard: shard)
        case .shownChanged(let participant):
            guard call(at: Place(shard: shard, participant: participant)) != nil else { return }
            lookAtShown(participant, onShard: shard)
        case .streamPaused(let participant, let mid, let reason):
            tell(.paused(mid: mid, reason), of: participant, onShard: shard)
        case .streamResumed(let participant, let mid):
            tell(.resumed(mid: mid), of: participant, onShard: shard)
        case .unwatchedLayers(let participant, let mid, let layers):
            tell(.unwatched(mid: mid, layers: layers), of: participant, onShard: shard)
        }
    }

    /// Later, because the engine may not be asked from where it tells; all changes until then are told at once.
    private func lookAtShown(_ participant: ParticipantID, onShard shard: Int) {
        shards[shard].post { [self] engine, _ in
            let shown = engine.shown(to: participant)
            let places = shown.map { track in
                track.home.map { Place(shard: $0.shard, participant: $0.participant) }
                    ?? Place(shard: shard, participant: track.publisher)
            }
            let sections = zip(shown, sessions(at: places)).compactMap { track, publisher in
                publisher.map { ShownSection(mid: track.mid, kind: track.kind, publisher: $0) }
            }
            tell(.shown(sections), of: participant, onShard: shard)
        }
    }
}
