// The engine of one shard: every participant whose rooms live there, without a socket, a clock or a task.
//
// How a driver uses it (`MediaShard`; tests use a simulated network):
//
//   1. each datagram of a batch  -> receive, which gives back the slot that is free for the next one
//   2. the batch is over         -> endBatch, handleDeadlines for what is due with it, then send what is in `outbox`
//   3. at `deadline`             -> handleDeadlines, then send what is in `outbox`
//   4. somebody negotiates       -> join, apply, leave (`MediaEngine+Control`), then send what is in `outbox`
//
// A datagram is looked up by the path that it came on; only checks of ICE may come from elsewhere, and find their
// participant by the fragment that they name. A packet costs no allocation, lock or closure from 1 to 2.

package import Base
package import Crypto
package import Wire

package final class MediaEngine {
    package let settings: MediaSettings
    package let outbox = Outbox()
    /// `unchecked`, here and where else it stands: touched once per packet, on one thread, and never handed to code that
    /// comes back here; the check at run time was a fifteenth of our own part of a packet.
    @exclusivity(unchecked) package var slab: PacketSlab
    /// Of sessions that are made now.
    private(set) var identity: DTLSIdentity
    /// What follows `a=candidate:` in our descriptions.
    private(set) var candidates: [String] = []
    let ntp: NTPClock

    private(set) var paths: PathTable
    private(set) var ufrags: UfragTable
    private var wheel: DeadlineWheel
    var participants = ParticipantTable()
    var rooms: [String: Room] = [:]
    /// To the shards that share rooms with this one.
    var links: [ShardLink] = []
    /// Of recorders, whether their rooms are here or not.
    var taps: [RoomTap] = []
    /// Tracks that this batch brought something for.
    private var touched: [PublishedTrack] = []
    var nextTrack: UInt64 = 1
    var counters = EngineCounters()
    /// What those did who are gone.
    var history = EngineHistory()

    /// 24 bits of the batch's time, as abs-send-time has it.
    private(set) var absoluteSendTime: UInt32 = 0
    private var response = STUNWriter()
    /// Scratch of who writes reports: kept, so that writing allocates nothing.
    var numbers: [SequenceNumber] = []
    var ssrcs: [SSRC] = []
    var reportBlocks: [RTCPReportBlock] = []
    var referenceDelays: [RTCPExtendedReport.Delay] = []
    let noReports: [RTCPReportBlock] = []
    /// Asked once for every room, when its first participant joins.
    package var roomPolicy: (String) -> RoomPolicy = { _ in .freeSections }
    /// Told once when there is something to offer to a participant, until `offer(to:)`; of one that joins, before `join`
    /// returns. Must not call the engine.
    package var negotiationNeeded: (ParticipantID) -> Void = { _ in }
    /// Told of every participant that ended by itself.
    package var participantEnded: (ParticipantID, ParticipantEnd) -> Void = { _, _ in }
    /// Told of what the people in a room may want to see: speakers, pauses, layers that nobody watches. On the shard's
    /// thread, and the engine must not be called from it.
    package var onEvent: (MediaEvent) -> Void = { _ in }
    /// How long packets take from their arrival until they are sent.
    let transit = TransitHistogram()
    var wantedStreams: [WantedStream] = []

    /// `wallClock` is the time of day at `now`; `seed` is secret and random, so that nobody can choose addresses that
    /// collide in the tables.
    package init(
        settings: MediaSettings, identity: DTLSIdentity, now: Instant, wallClock: Timestamp, seed: (UInt64, UInt64)
    ) {
        self.settings = settings
        self.identity = identity
        slab = PacketSlab(count: settings.limits.packetSlots)
        ntp = NTPClock(now, is: wallClock)
        // As many as all may have: nobody's path is refused because others have many.
        paths = PathTable(capacity: settings.limits.sessions * ICELiteSession.pathsMax, seed: seed)
        ufrags = UfragTable(capacity: settings.limits.sessions * 2, seed: seed)
        wheel = DeadlineWheel(now: now)
        touched.reserveCapacity(DatagramSocket.batchSize)
        reportBlocks.reserveCapacity(settings.limits.sourcesPerParticipant)
        referenceDelays.reserveCapacity(ReferenceTimeAnswers.capacity)
    }

    /// Where peers are told to send to, and to connect to: set when the sockets are bound. The first is preferred.
    package func advertise(_ addresses: [TransportAddress], tcp: [TransportAddress] = []) {
        let all =
            addresses.enumerated().map { ICECandidate.datagrams($1, number: $0) }
            + tcp.enumerated().map { ICECandidate.connections($1, number: $0) }
        // `candidate:` itself is the attribute's name in a description.
        candidates = all.map { String($0.line.dropFirst("candidate:".count)) }
    }

    /// Sessions that are made from now on have this certificate. Those that are there keep their own: it is in every
    /// description of theirs, and their association was made with it.
    package func renew(_ identity: DTLSIdentity) { self.identity = identity }

    // MARK: - Datagrams

    /// Takes a datagram that lies in `slot`. Returns the slot that the next one may be received into: the same, or
    /// another when the engine has kept this one.
    package func receive(_ slot: PacketSlab.Slot, _ count: Int, from path: MediaPath, now: Instant) -> PacketSlab.Slot {
        counters.datagrams &+= 1
        let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(slab[slot])[..<count])
        switch DatagramKind(RawSpan(_unsafeBytes: bytes)) {
        case .rtp:
            guard let participant = participant(on: path), participant.isConnected else { return drop(slot) }
            return participant.receiveMedia(slot, count, now: now, engine: self)
        case .rtcp:
            guard let participant = participant(on: path), participant.isConnected else { return drop(slot) }
            participant.receiveReports(slot, count, now: now, engine: self)
            look(participant)
        case .stun: receiveCheck(bytes, path, now)
        case .dtls:
            guard let participant = participant(on: path) else { return drop(slot) }
            participant.receiveHandshake(bytes, now: now, engine: self)
            look(participant)
        case .turnChannel, .unknown: return drop(slot)
        }
        return slot
    }

    /// What came together is forwarded together.
    package func endBatch(now: Instant) {
        guard !touched.isEmpty else { return }
        absoluteSendTime = Self.absoluteSendTime(now)
        for index in touched.indices {
            touched[index].forwardPending(now: now, engine: self)
            touched[index].publisher.notePackets(now, self)
            look(touched[index].publisher)
        }
        touched.removeAll(keepingCapacity: true)
        for link in links { link.outgoing.publish() }
        publishTaps()
    }

    private func drop(_ slot: PacketSlab.Slot) -> PacketSlab.Slot {
        counters.unknown &+= 1
        return slot
    }

    private func participant(on path: MediaPath) -> Participant? {
        paths.find(path).flatMap { participants[$0] }
    }

    /// A slot for the packet after one that goes into this layer's ring. A slab that runs short takes from rings that
    /// are long, so that streams which begin then have a place, too.
    func takeSlot(for layer: PublishedLayer) -> PacketSlab.Slot? {
        if slab.freeCount < slab.count / RingCapacity.reservedPart {
            for _ in 0..<2 where layer.ring.count > RingCapacity.shortage {
                if let old = layer.ring.removeOldest() { slab.release(old) }
            }
        }
        return slab.allocate() ?? layer.ring.removeOldest()
    }

    /// The track has ended: nothing of it is forwarded any more.
    func forgetPending(of track: PublishedTrack) {
        if track.pendingCount > 0 { touched.removeAll { $0 === track } }
        track.pendingCount = 0
    }

    func pend(_ packet: PendingPacket, of track: PublishedTrack) {
        if track.addPending(packet) { touched.append(track) }
    }

    /// Seconds modulo 64 in units of 2^-18 s.
    private static func absoluteSendTime(_ now: Instant) -> UInt32 {
        let (seconds, rest) = now.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return UInt32(truncatingIfNeeded: seconds << 18 &+ (rest << 18) / 1_000_000_000) & 0xFF_FFFF
    }

    // MARK: - Checks

    private func receiveCheck(_ bytes: UnsafeRawBufferPointer, _ path: MediaPath, _ now: Instant) {
        guard let message = try? STUNMessage(parsing: RawSpan(_unsafeBytes: bytes)) else {
            return counters.malformed &+= 1
        }
        let holder = paths.find(path)
        let named = message.localUfrag.flatMap { ufrags.find($0) }
        // A live path stays its participant's: who forges its address and names himself gets 401. One that has been
        // silent may have been given to somebody else by a network address translator.
        let owner = holder.flatMap { $0 == named ? nil : participants[$0] }
        let isHeld = owner?.ice.isInUse(path, now: now) ?? false
        guard let index = isHeld ? holder : named ?? holder, let participant = participants[index] else {
            _ = ICELiteSession.handleStranger(message, into: &response)
            answer(path)
            return counters.strangers &+= 1
        }
        let outcome = participant.ice.handle(message, on: path, now: now, into: &response)
        if let evicted = outcome.evictedPath { forget(evicted) }
        if let retired = outcome.retiredUfrag { _ = ufrags.remove(retired) }
        if outcome.isNewPath {
            if let owner, owner !== participant { loseSilently(path, owner, now) }
            // The table is full of other people's paths: this one is not answered, and the peer tries its others.
            guard paths.set(path, index) else {
                _ = participant.ice.close(path)
                return counters.strangers &+= 1
            }
        }
        answer(path)
        if case .respondAndSelect(let selected) = outcome.action {
            participant.select(selected, now: now, engine: self)
        }
        if outcome.isNewPath { look(participant) }
    }

    private func answer(_ path: MediaPath) {
        guard !response.bytes.isEmpty else { return }
        outbox.append(response.bytes, to: Destination(path))
    }

    /// A network address translator has given the address to somebody else.
    private func loseSilently(_ path: MediaPath, _ owner: Participant, _ now: Instant) {
        close(path, of: owner, now: now)
    }

    func forget(_ path: MediaPath) { _ = paths.remove(path) }

    func register(_ ufrag: LocalUfrag, of participant: Participant) -> Bool {
        ufrags.insert(ufrag, participant.id.index)
    }

    func unregister(_ ufrag: LocalUfrag) { _ = ufrags.remove(ufrag) }

    // MARK: - Time

    /// When `handleDeadlines` has something to do next; early rather than late.
    package var deadline: Instant? { wheel.earliest }

    package func handleDeadlines(now: Instant) {
        absoluteSendTime = Self.absoluteSendTime(now)
        while let index = wheel.next(dueAt: now) {
            guard let participant = participants[index] else { continue }
            if let end = participant.tick(now: now, engine: self) {
                history.count(end)
                remove(participant, now: now)
                participantEnded(participant.id, end)
            } else {
                look(participant)
            }
        }
    }

    /// The participant's next look may have moved.
    func look(_ participant: Participant) { wheel.set(participant.id.index, at: participant.nextTick) }

    /// A deadline that `handleDeadlines` of this very time finds, for all that deadlines are counted in milliseconds.
    func atOnce(_ now: Instant) -> Instant {
        Instant(nanoseconds: now.nanoseconds &- min(now.nanoseconds, DeadlineWheel.unit))
    }

    func forgetDeadline(_ participant: Participant) { wheel.clear(participant.id.index) }
}

package struct EngineCounters: Sendable {
    package var datagrams: UInt64 = 0
    /// From a path, or of a kind, that nobody here has.
    package var unknown: UInt64 = 0
    package var malformed: UInt64 = 0
    /// Checks that name nobody.
    package var strangers: UInt64 = 0
}

/// Participants by number. A number is given out again with the next generation.
struct ParticipantTable {
    private(set) var entries: [Participant?] = []
    private var generations: [UInt32] = []
    private var free: [UInt32] = []
    private(set) var count = 0
    /// Entries that were ever needed at once.
    var capacity: Int { entries.count }

    subscript(index: UInt32) -> Participant? { Int(index) < entries.count ? entries[Int(index)] : nil }

    subscript(id: ParticipantID) -> Participant? {
        guard let participant = self[id.index], participant.id == id else { return nil }
        return participant
    }

    mutating func nextID() -> ParticipantID {
        let index = free.popLast() ?? UInt32(entries.count)
        if Int(index) == entries.count {
            entries.append(nil)
            generations.append(0)
        }
        return ParticipantID(index: index, generation: generations[Int(index)])
    }

    mutating func insert(_ participant: Participant) {
        entries[Int(participant.id.index)] = participant
        count += 1
    }

    mutating func remove(_ id: ParticipantID) {
        guard self[id] != nil else { return }
        entries[Int(id.index)] = nil
        generations[Int(id.index)] &+= 1
        free.append(id.index)
        count -= 1
    }
}
