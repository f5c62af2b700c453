// One stream to one subscriber: which of a track's packets it gets, under which numbers, and what of it can be repeated.
//
// The stream (our SSRC, its numbers) belongs to a section of the subscriber's description and outlives its source: a
// section may show one publisher now and another later, and the numbers go on.

import Base
import CShims
import Crypto
import Wire

/// What changes with every packet, and nothing that is counted by reference. It lies behind a pointer: of a class's own
/// properties the runtime would check, access by access, that nobody else has them.
private struct SubscriptionState {
    var forwarder: StreamForwarder
    var history: SentHistory
    var nextRTXSequence: ExtendedSequence
    var newestSequence: ExtendedSequence = 0
    var counters = StreamCounters()
    var reportState = SenderReportState()
}

final class Subscription {
    // What forwarding touches comes first, so that it lies together.
    unowned let subscriber: Participant
    /// The same as an address: asking for memory must not count references in it.
    private let subscriberPlace: UnsafeRawPointer
    /// Its place among the subscriber's.
    let number: UInt16
    let kind: MediaKind
    let ssrc: SSRC
    private(set) var rtxSSRC: SSRC?
    private let state: UnsafeMutablePointer<SubscriptionState>
    private(set) var source: PublishedTrack?
    /// No packet was sent under this number or a higher one; none before `firstOfSource` will be.
    private var firstUnsent: ExtendedSequence = 0
    private var firstOfSource: ExtendedSequence = 0
    private var extensions: ForwardedExtensions
    @exclusivity(unchecked) var quality = SubscriptionQuality()
    private var transportPlaces: TransportPlaces?
    /// The subscriber's payload type for each of the publisher's; `noType` for what the subscriber cannot take.
    private var payloadTypes = InlineArray<128, UInt8>(repeating: Subscription.noType)
    /// And the type of what repairs it: each codec has its own.
    private var rtxPayloadTypes = InlineArray<128, UInt8>(repeating: Subscription.noType)

    let sender: SenderID
    let cname: [UInt8]
    private var codecs: [NegotiatedCodec]
    private var agreedExtensions: RTPExtensionMap
    /// Its section carries nothing now. The place and the numbers are kept: see `Participant.subscribe`.
    private(set) var isEnded = false

    private static let noType: UInt8 = 0xFF

    private let historyMemory: UnsafeMutableRawPointer
    private let historyCapacity: Int

    var counters: StreamCounters { state.pointee.counters }

    /// What the subscriber reports lost, in 256ths.
    var loss: UInt8 = 0

    /// The section's name in the subscriber's description.
    let mid: String
    var preference = StreamPreference()
    var layers = SubscriptionLayers()

    init(
        subscriber: Participant, number: UInt16, mid: String, kind: MediaKind, sending: Transceiver.Sending,
        firstRTXSequence: UInt16
    ) {
        self.subscriber = subscriber
        subscriberPlace = UnsafeRawPointer(Unmanaged.passUnretained(subscriber).toOpaque())
        self.number = number
        self.mid = mid
        self.kind = kind
        sender = sending.sender
        ssrc = sending.ssrc
        rtxSSRC = sending.rtxSSRC
        codecs = sending.codecs
        agreedExtensions = sending.extensions
        extensions = ForwardedExtensions(sending.extensions)
        cname = Array(sending.cname.utf8)
        historyCapacity = kind == .video ? SentHistory.defaultCapacity : RingCapacity.audio
        historyMemory = .allocate(byteCount: SentHistory.byteCount(capacity: historyCapacity), alignment: 8)
        state = .allocate(capacity: 1)
        state.initialize(
            to: SubscriptionState(
                forwarder: StreamForwarder(kind),
                history: SentHistory(over: historyMemory, capacity: historyCapacity),
                nextRTXSequence: ExtendedSequence(firstRTXSequence & 0x7FFF)))
    }

    deinit {
        state.deallocate()
        historyMemory.deallocate()
    }

    // MARK: - Source

    /// Shows a track from now on. The numbers of the stream go on.
    func attach(_ track: PublishedTrack, now: Instant) {
        detach()
        source = track
        payloadTypes = InlineArray(repeating: Self.noType)
        rtxPayloadTypes = InlineArray(repeating: Self.noType)
        for theirs in track.codecs {
            guard let ours = codecs.first(where: { $0.isSame(as: theirs) }) else { continue }
            payloadTypes[Int(theirs.payloadType & 127)] = ours.payloadType
            if let rtx = ours.rtxPayloadType { rtxPayloadTypes[Int(theirs.payloadType & 127)] = rtx }
        }
        state.pointee.forwarder.attach(codec: track.mainVideoCodec, clockRate: track.clockRate)
        state.pointee.forwarder.setTarget(beginLayers(track))
        track.add(self)
        requestKeyframe(now: now)
        subscriber.noteShown()
    }

    /// The section carries nothing more of ours, for now or for good.
    func end() {
        detach()
        isEnded = true
    }

    /// What is agreed of the section now. The stream goes on with its numbers.
    func update(_ sending: Transceiver.Sending, now: Instant) {
        isEnded = false
        guard sending.codecs != codecs || sending.extensions != agreedExtensions || sending.rtxSSRC != rtxSSRC else {
            return
        }
        codecs = sending.codecs
        rtxSSRC = sending.rtxSSRC
        agreedExtensions = sending.extensions
        extensions = ForwardedExtensions(sending.extensions)
        guard let track = source else { return }
        if canShow(track) { attach(track, now: now) } else { detach() }
    }

    func detach() {
        if let source {
            source.remove(self)
            subscriber.noteShown()
        }
        source = nil
        state.pointee.forwarder.detach()
        forgetSent()
    }

    /// The source has begun anew, with other numbers: for the forwarder that is another source.
    func sourceChanged() {
        guard let source else { return }
        state.pointee.forwarder.attach(codec: source.mainVideoCodec, clockRate: source.clockRate)
        forgetSent()
    }

    /// What was sent is of another source now; nothing of it can be repeated.
    private func forgetSent() {
        firstOfSource = firstUnsent
        state.pointee.history = SentHistory(over: historyMemory, capacity: historyCapacity)
    }

    /// Whether the subscriber has a codec for what the track sends.
    func canShow(_ track: PublishedTrack) -> Bool {
        !isEnded && subscriber.isReceiving && track.kind == kind
            && track.codecs.contains { theirs in
                !theirs.codec.isCompanion && codecs.contains { $0.isSame(as: theirs) }
            }
    }

    func setTarget(_ target: LayerTarget, now: Instant) {
        state.pointee.forwarder.setTarget(target)
        if state.pointee.forwarder.wantsKeyframe != nil { requestKeyframe(now: now) }
    }

    /// What is sent now: the simulcast layer, and the layers within it.
    var shownLayer: UInt8? { state.pointee.forwarder.shownLayer }
    var shownLayers: (spatial: UInt8, temporal: UInt8) {
        (state.pointee.forwarder.shownSpatial, state.pointee.forwarder.shownTemporal)
    }

    /// Asks the source, no sooner than the source's own limit allows.
    func requestKeyframe(now: Instant) {
        let wanted = state.pointee.forwarder.wantsKeyframe ?? state.pointee.forwarder.shownLayer ?? 0
        guard kind == .video, let source, let layer = source.layer(wanted) else { return }
        layer.keyframes.want(now: now)
        source.publisher.wake(at: layer.keyframes.deadline)
    }

    // MARK: - Forwarding

    /// Memory of the object itself that forwarding touches: up to the tables of payload types, about.
    private static let ownBytes: UInt = 384
    /// Of the subscriber.
    private static let subscriberBytes: UInt = 192

    /// Between two batches the memory of a subscriber goes cold, and what is found step by step is waited for step by
    /// step: a packet to somebody who gets one every 20 ms waited longer than it was worked on. So it is asked for while
    /// others are served: first the object …
    @inline(__always)
    func prefetch() { plexi_prefetch(Unmanaged.passUnretained(self).toOpaque(), Self.ownBytes) }

    /// … then what it points at.
    @inline(__always)
    func prefetchParts() {
        plexi_prefetch(state, UInt(MemoryLayout<SubscriptionState>.size))
        plexi_prefetch(subscriberPlace, Self.subscriberBytes)
        transportPlaces?.prefetch()
    }

    /// … and at last where it will write.
    @inline(__always)
    func prefetchHistory() { state.pointee.history.prefetch(state.pointee.newestSequence &+ 1) }

    /// What the batch brought. The hot path: once per subscriber, and inside once per packet.
    func forward(_ track: PublishedTrack, now: Instant, engine: MediaEngine) {
        let subscriber = subscriber  // once: reading an `unowned` property counts references
        guard let transport = subscriber.sending, transport.isOpen else { return }
        for index in 0..<track.recordCount {
            let record = track.records[index]
            guard payloadTypes[Int(record.pointee.payloadType & 127)] != Self.noType else {
                state.pointee.forwarder.skip(record.pointee.input)
                continue
            }
            switch state.pointee.forwarder.offer(record.pointee.input) {
            case .drop: continue
            case .fillGap(let rewrite): fillGap(record, rewrite, transport, now, engine)
            case .forward(let rewrite):
                guard isUnsent(rewrite.sequence) else { continue }
                firstUnsent = max(firstUnsent, rewrite.sequence &+ 1)
                state.pointee.history.record(rewrite, incoming: record.pointee.sequence)
                state.pointee.newestSequence = max(state.pointee.newestSequence, rewrite.sequence)
                if kind == .video, transport.isEstimated {
                    pace(record, rewrite, transport, now, engine)
                } else {
                    transport.charge(record.pointee.input.payloadLength &+ Self.overhead, now: now)
                    send(record, rewrite, as: .media, transport, now, engine)
                }
            }
        }
        if state.pointee.forwarder.wantsKeyframe != nil { requestKeyframe(now: now) }
        if transportPlaces == nil { transportPlaces = transport.places }
        subscriber.notePackets(now, engine)
    }

    /// Two packets under one number would be encrypted with one key stream, which gives both away, and with AES-GCM the
    /// key of the tags. Forwarders give no number twice; this does not rely on it, for numbers come from the wire.
    @inline(__always)
    private func isUnsent(_ number: ExtendedSequence) -> Bool {
        if number >= firstUnsent { return true }
        return number >= firstOfSource && firstUnsent &- number <= ExtendedSequence(historyCapacity)
            && state.pointee.history.mapBack(number) == nil
    }

    /// A number was kept for a packet that came after all, and is not to be shown: padding takes its place, so that the
    /// subscriber asks for it no longer.
    private func fillGap(
        _ record: UnsafePointer<PacketRecord>, _ rewrite: Rewrite, _ transport: SendTransport, _ now: Instant,
        _ engine: MediaEngine
    ) {
        guard isUnsent(rewrite.sequence) else { return }
        firstUnsent = max(firstUnsent, rewrite.sequence &+ 1)
        state.pointee.history.record(rewrite, incoming: record.pointee.sequence, isEmpty: true)
        let out = engine.outbox.reserve()
        var span = MutableRawSpan(_unsafeBytes: out)
        let own = ForwardedExtensions.Own(
            transportSequence: transport.transportSequence, absoluteSendTime: engine.absoluteSendTime)
        let headerLength = extensions.write(own, into: &span)
        RTPFixedHeader.write(
            marker: false, payloadType: payloadTypes[Int(record.pointee.payloadType & 127)],
            sequenceNumber: SequenceNumber(truncatingIfNeeded: rewrite.sequence), timestamp: rewrite.timestamp,
            ssrc: ssrc, hasExtension: headerLength > RTPHeader.fixedLength, hasPadding: true, into: &span)
        // One byte of padding, which says so.
        span.store(1 as UInt8, at: headerLength)
        transport.charge(Self.overhead, now: now)
        transport.finish(
            out, count: headerLength &+ 1, headerLength: headerLength, ssrc: ssrc, index: rewrite.sequence,
            outbox: engine.outbox, now: now)
        state.pointee.counters.packets &+= 1
        state.pointee.reportState.sent(timestamp: rewrite.timestamp, payloadBytes: 0, now: now)
    }

    /// At once when the subscriber's network can take it, else when its turn comes.
    @inline(__always)
    private func pace(
        _ record: UnsafePointer<PacketRecord>, _ rewrite: Rewrite, _ transport: SendTransport, _ now: Instant,
        _ engine: MediaEngine
    ) {
        let bandwidth = transport.needBandwidth()
        let size = record.pointee.input.payloadLength &+ Self.overhead
        if bandwidth.pacer.admits(size, now: now) {
            return send(record, rewrite, as: .media, transport, now, engine)
        }
        let item = PacedItem(
            packet: rewrite.sequence, enqueuedAt: now, stream: number, size: UInt16(truncatingIfNeeded: size),
            kind: .video, startsKeyframe: record.pointee.input.frame.isKeyframe)
        if let drop = bandwidth.pacer.enqueue(item, now: now) {
            state.pointee.counters.droppedForBandwidth &+= UInt64(drop.packets)
            if drop.needsKeyframe { subscriber.subscription(number: drop.stream)?.requestKeyframe(now: now) }
        }
        if let due = bandwidth.pacer.nextDeadline { subscriber.wake(at: due) }
    }

    /// Header, extensions and tag, about: what a payload weighs more on the wire.
    private static let overhead = 12 + 20 + 16

    enum Form {
        case media
        /// RFC 4588: another stream, with the number of the original before the payload.
        case retransmission
    }

    /// Builds the subscriber's packet in the outbox: header, extensions, payload, then encryption in place.
    @inline(__always)
    private func send(
        _ record: UnsafePointer<PacketRecord>, _ rewrite: Rewrite, as form: Form, _ transport: SendTransport,
        _ now: Instant, _ engine: MediaEngine
    ) {
        let isRepair = form == .retransmission
        let original = Int(record.pointee.payloadType & 127)
        let type = isRepair ? rtxPayloadTypes[original] : payloadTypes[original]
        guard type != Self.noType, let bytes = UnsafeRawPointer(engine.slab[record.pointee.slot].baseAddress) else {
            return
        }
        let out = engine.outbox.reserve()
        var span = MutableRawSpan(_unsafeBytes: out)
        let own = ForwardedExtensions.Own(
            transportSequence: transport.transportSequence, absoluteSendTime: engine.absoluteSendTime)
        let headerLength = extensions.write(
            record.pointee.extensions, of: bytes, own: own, rewrite: rewrite,
            layer: rewrite.writesDecodeTargets ? structuredLayer(rewrite, record) : nil, into: &span)
        let index = isRepair ? state.pointee.nextRTXSequence : rewrite.sequence
        let streamSSRC = isRepair ? rtxSSRC ?? ssrc : ssrc
        RTPFixedHeader.write(
            marker: rewrite.marker, payloadType: type, sequenceNumber: SequenceNumber(truncatingIfNeeded: index),
            timestamp: rewrite.timestamp, ssrc: streamSSRC, hasExtension: headerLength > RTPHeader.fixedLength,
            into: &span)
        var start = headerLength
        if isRepair {
            span.store(bigEndian: SequenceNumber(truncatingIfNeeded: rewrite.sequence), at: start)
            start &+= 2
        }
        let length = record.pointee.input.payloadLength
        guard start &+ length <= out.count, let base = out.baseAddress else { return }
        (base + start).copyMemory(from: bytes + Int(record.pointee.payloadStart), byteCount: length)
        var payload = MutableRawSpan(_unsafeStart: base + start, byteCount: length)
        rewrite.apply(to: &payload)
        if !isRepair { engine.transit.sent(arrival: record.pointee.input.arrival, now: now) }
        transport.finish(
            out, count: start &+ length, headerLength: headerLength, ssrc: streamSSRC, index: index,
            outbox: engine.outbox, now: now)
        count(length, rewrite, isRepair, now)
    }

    /// The layer whose structure the packet's descriptor is of; `nil` when a newer one has taken its place and the packet
    /// does not bring its own.
    private func structuredLayer(_ rewrite: Rewrite, _ record: UnsafePointer<PacketRecord>) -> PublishedLayer? {
        guard let layer = source?.layer(rewrite.layer),
            record.pointee.sequence >= layer.structureSince || record.pointee.input.frame.hasStructure
        else { return nil }
        return layer
    }

    @inline(__always)
    private func count(_ length: Int, _ rewrite: Rewrite, _ isRepair: Bool, _ now: Instant) {
        if isRepair {
            state.pointee.nextRTXSequence &+= 1
            state.pointee.counters.retransmissions &+= 1
            return
        }
        state.pointee.counters.packets &+= 1
        state.pointee.counters.bytes &+= UInt64(length)
        if rewrite.marker, kind == .video { quality.sentFrame(now: now) }
        state.pointee.reportState.sent(timestamp: rewrite.timestamp, payloadBytes: length, now: now)
    }

    // MARK: - Again

    /// A packet that the subscriber reports missing. Without a repair stream nothing is repeated: the same numbers over
    /// different extensions would give the key of GCM away.
    func retransmit(_ number: SequenceNumber, now: Instant, engine: MediaEngine) {
        state.pointee.counters.reportedMissing &+= 1
        guard let transport = subscriber.sending, transport.isOpen, rtxSSRC != nil else { return }
        // The number that was sent last with these 16 bits.
        let behind = SequenceNumber(truncatingIfNeeded: state.pointee.newestSequence) &- number
        guard state.pointee.newestSequence >= ExtendedSequence(behind) else {
            return state.pointee.counters.notRepeated &+= 1
        }
        let wanted = state.pointee.newestSequence &- ExtendedSequence(behind)
        guard let (record, rewrite) = sent(wanted) else {
            if !sendUnsent(wanted, transport, now, engine) { state.pointee.counters.notRepeated &+= 1 }
            return
        }
        let size = record.pointee.input.payloadLength &+ Self.overhead
        guard subscriber.repairs.take(size, sentBytes: transport.bytes) else {
            return state.pointee.counters.refusedRepairs &+= 1
        }
        transport.bandwidth?.pacer.charge(size, now: now)
        send(record, rewrite, as: .retransmission, transport, now, engine)
    }

    /// A packet whose number was kept, but which could not be forwarded when it came: it overtook the start of its
    /// keyframe. It goes out for the first time, on the stream itself. Looking for it is paid for as a repair is: who asks
    /// for numbers that nobody has makes us search for each.
    private func sendUnsent(
        _ number: ExtendedSequence, _ transport: SendTransport, _ now: Instant, _ engine: MediaEngine
    ) -> Bool {
        guard isUnsent(number), subscriber.repairs.take(Self.overhead, sentBytes: transport.bytes),
            let kept = state.pointee.forwarder.unsentSource(of: number),
            let record = source?.layer(kept.layer)?.ring.find(kept.sequence),
            payloadTypes[Int(record.pointee.payloadType & 127)] != Self.noType,
            case .forward(let rewrite) = state.pointee.forwarder.offer(record.pointee.input), rewrite.sequence == number
        else { return false }
        state.pointee.history.record(rewrite, incoming: record.pointee.sequence)
        transport.charge(record.pointee.input.payloadLength &+ Self.overhead, now: now)
        send(record, rewrite, as: .media, transport, now, engine)
        return true
    }

    private func sent(_ number: ExtendedSequence) -> (UnsafePointer<PacketRecord>, Rewrite)? {
        guard let sent = state.pointee.history.mapBack(number), !sent.isEmpty,
            let layer = source?.layer(sent.rewrite.layer),
            let record = layer.ring.find(sent.incoming)
        else { return nil }
        return (record, sent.rewrite)
    }

    /// A packet whose turn has come.
    func sendPaced(_ number: ExtendedSequence, now: Instant, engine: MediaEngine) {
        guard let transport = subscriber.sending, transport.isOpen, let (record, rewrite) = sent(number) else { return }
        send(record, rewrite, as: .media, transport, now, engine)
    }

    /// Packets among which a probe's bytes are looked for.
    private static let probeChoice: ExtendedSequence = 16

    /// What a packet of a probe would weigh; nil when there is nothing to send.
    var probeSize: Int? { probeBytes.map { $0.0.pointee.input.payloadLength &+ Self.overhead &+ 2 } }

    private var probeBytes: (UnsafePointer<PacketRecord>, Rewrite)? {
        guard rtxSSRC != nil, state.pointee.newestSequence > 0 else { return nil }
        var best: (UnsafePointer<PacketRecord>, Rewrite)?
        for back in 0..<min(Self.probeChoice, state.pointee.newestSequence) {
            guard let found = sent(state.pointee.newestSequence &- back) else { continue }
            let length = found.0.pointee.input.payloadLength
            if best.map({ length > $0.0.pointee.input.payloadLength }) ?? true { best = found }
        }
        return best
    }

    /// Bytes for a probe: the longest of the newest packets again, as a repair that nobody asked for. False when there is
    /// none.
    func sendProbe(now: Instant, engine: MediaEngine) -> Bool {
        guard let transport = subscriber.sending, transport.isOpen, let (record, rewrite) = probeBytes else {
            return false
        }
        send(record, rewrite, as: .retransmission, transport, now, engine)
        return true
    }

    /// The longest padding that a packet can have (RFC 3550 §5.1): its last byte counts it.
    private static let longestPadding = 255
    /// What such a packet weighs.
    static let paddingSize = longestPadding + overhead

    /// The type under which a packet without payload can be sent on the repair stream; nil without such a stream.
    private var paddingType: UInt8? {
        guard rtxSSRC != nil, kind == .video, !isEnded else { return nil }
        return codecs.first { !$0.codec.isCompanion && $0.rtxPayloadType != nil }?.rtxPayloadType
    }

    var canPad: Bool { paddingType != nil }

    /// Bytes for a probe when nothing was sent lately that could be sent again: padding without payload, which receivers
    /// of a repair stream pass over. A subscriber whose video is all paused would otherwise never be found to have the
    /// network for it.
    func sendPadding(now: Instant, engine: MediaEngine) {
        guard let transport = subscriber.sending, transport.isOpen, let type = paddingType, let rtxSSRC else { return }
        let out = engine.outbox.reserve()
        var span = MutableRawSpan(_unsafeBytes: out)
        let own = ForwardedExtensions.Own(
            transportSequence: transport.transportSequence, absoluteSendTime: engine.absoluteSendTime)
        let headerLength = extensions.write(own, into: &span)
        let index = state.pointee.nextRTXSequence
        RTPFixedHeader.write(
            marker: false, payloadType: type, sequenceNumber: SequenceNumber(truncatingIfNeeded: index), timestamp: 0,
            ssrc: rtxSSRC, hasExtension: headerLength > RTPHeader.fixedLength, hasPadding: true, into: &span)
        let count = headerLength &+ Self.longestPadding
        guard count <= out.count, let base = out.baseAddress else { return }
        (base + headerLength).initializeMemory(as: UInt8.self, repeating: 0, count: Self.longestPadding)
        span.store(UInt8(Self.longestPadding), at: count &- 1)
        transport.finish(
            out, count: count, headerLength: headerLength, ssrc: rtxSSRC, index: index, outbox: engine.outbox, now: now)
        state.pointee.nextRTXSequence &+= 1
        state.pointee.counters.retransmissions &+= 1
    }

    // MARK: - Reports

    /// `nil` when nothing was sent yet. On the publisher's own clock as far as it has told it for the layer that is sent.
    func senderInfo(now: Instant, engine: MediaEngine) -> RTCPSenderInfo? {
        guard let source else { return nil }
        var clock = SenderClock()
        let offset = state.pointee.forwarder.timestampOffset
        if offset != nil, let layer = source.layer(shownLayer ?? 0) { clock = layer.reception.clock }
        return state.pointee.reportState.info(
            ssrc: ssrc, clockRate: source.clockRate, now: now, clock: engine.ntp,
            publisher: source.publisher.clock, stream: clock, timestampOffset: offset ?? 0)
    }
}
