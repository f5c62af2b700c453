// A sender with estimator, pacer and an encoder that follows the target, over the simulated network, to a receiver that
// answers with transport-wide feedback. Scenarios read the series of figures that it leaves.

import Base
import Media
import TestKit
import Wire

/// Video at 30 frames a second with noise in the sizes and keyframes, and audio every 20 ms.
struct EncoderModel {
    static let frameTime = Duration.milliseconds(33)
    static let audioTime = Duration.milliseconds(20)
    static let audioBytes = 120
    static let packetBytes = 1_172
    static let overhead = 28

    /// Never more than this, however much is allowed.
    var largest = 20_000_000
    var keyframeEvery = 300
    var keyframeFactor = 4.0
    /// A keyframe is paid back over the frames after it.
    private var debt = 0.0
    private var frame = 0

    /// Sizes of the packets of the next frame.
    mutating func nextFrame(target: Int, random: inout SplitMix) -> [Int] {
        let audio = Double((Self.audioBytes + Self.overhead) * 8 * 50)
        let rate = max(Double(min(target, largest)) - audio, 20_000)
        let mean = rate / 8 * Self.frameTime.inSeconds
        var size = mean * Double.random(in: 0.8...1.2, using: &random)
        if frame % keyframeEvery == 0 {
            debt += size * (keyframeFactor - 1)
            size *= keyframeFactor
        } else {
            let repaid = min(debt, size * 0.25)
            size -= repaid
            debt -= repaid
        }
        frame += 1
        let whole = Self.packetBytes + Self.overhead
        let packets = max(Int((size / Double(whole)).rounded(.up)), 1)
        let each = max(Int(size) / packets - Self.overhead, 40)
        return Array(repeating: min(each, Self.packetBytes), count: packets)
    }
}

/// What a session did in one interval.
struct SessionSample {
    var at: Double
    var target = 0.0
    var sentBits = 0.0
    var arrivedBits = 0.0
    var queueing: [Double] = []
    var audioSent = 0
    var audioArrived = 0
    var probeBits = 0.0
    var link = 0.0
    var lossLimit: Int?
    var inherent = 0.0
    var delayBased = 0.0
}

/// A class, as sessions that share a link are visited by reference.
final class MediaSession {
    static let sampleTime = 0.1
    static let feedbackTime = Duration.milliseconds(50)

    let sender: TransportAddress
    let receiver: TransportAddress
    private var estimator: SendSideEstimator
    private var pacer: Pacer
    private var random: SplitMix
    var encoder = EncoderModel()
    private let feedsBack: Bool
    /// The encoder is limited to the first figure until the second, in seconds.
    var limitedUntil: (rate: Int, time: Double)?
    private let paused: ClosedRange<Double>?
    private let startsAt: Instant

    private var sequence: UInt16 = 0
    private var nextFrame: Instant
    private var nextAudio: Instant
    private var nextFeedback: Instant
    private var arrivals: [UInt16: Int64] = [:]
    private var newestArrived: UInt16?
    private var feedbackFrom: UInt16 = 0
    private(set) var samples: [SessionSample] = []
    private(set) var dropped = 0
    private(set) var probesSent = 0

    /// `clockOffset` is between the clocks; `paused` is a time of audio only.
    init(
        sender: TransportAddress, receiver: TransportAddress, configuration: BandwidthConfiguration, seed: UInt64,
        startsAt: Instant = SimClock.start, feedsBack: Bool = true, paused: ClosedRange<Double>? = nil
    ) {
        self.sender = sender
        self.receiver = receiver
        self.feedsBack = feedsBack
        self.paused = paused
        self.startsAt = startsAt
        estimator = SendSideEstimator(configuration)
        pacer = Pacer(bitsPerSecond: estimator.pacingRate)
        random = SplitMix(seed: seed)
        nextFrame = startsAt
        nextAudio = startsAt
        nextFeedback = startsAt + Self.feedbackTime
    }

    var snapshot: BandwidthSnapshot { estimator.snapshot }

    func deadline() -> Instant {
        var earliest = min(nextFrame, nextAudio, nextFeedback)
        if let time = pacer.nextDeadline { earliest = min(earliest, time) }
        if let time = estimator.deadline { earliest = min(earliest, time) }
        return earliest
    }

    // MARK: - Sending

    func work(_ net: inout SimNet) {
        let now = net.now
        guard now >= startsAt else { return }
        sample(net.elapsed.inSeconds)
        estimator.tick(now)
        if let plan = estimator.nextProbe(now) {
            probesSent += 1
            pacer.begin(plan, now: now)
        }
        pacer.setRate(estimator.pacingRate)
        if now >= nextAudio {
            nextAudio = nextAudio + EncoderModel.audioTime
            pacer.charge(EncoderModel.audioBytes + EncoderModel.overhead, now: now)
            transmit(EncoderModel.audioBytes, kind: .audio, &net)
        }
        if now >= nextFrame {
            nextFrame = nextFrame + EncoderModel.frameTime
            if paused?.contains(net.elapsed.inSeconds) != true { frame(&net) }
        }
        while let item = pacer.take(now) {
            transmit(Int(item.size) - EncoderModel.overhead, kind: item.kind, &net)
        }
        if now >= nextFeedback { feedback(&net) }
    }

    private func frame(_ net: inout SimNet) {
        if let limit = limitedUntil { encoder.largest = net.elapsed.inSeconds < limit.time ? limit.rate : 20_000_000 }
        for bytes in encoder.nextFrame(target: estimator.target, random: &random) {
            let wire = bytes + EncoderModel.overhead
            if pacer.admits(wire, now: net.now) {
                transmit(bytes, kind: .video, &net)
            } else {
                let item = PacedItem(packet: 0, enqueuedAt: net.now, stream: 1, size: UInt16(wire), kind: .video)
                if let drop = pacer.enqueue(item, now: net.now) { dropped += drop.packets }
            }
        }
    }

    private func transmit(_ bytes: Int, kind: PacedItem.Kind, _ net: inout SimNet) {
        let wire = bytes + EncoderModel.overhead
        estimator.onSent(sequence: sequence, size: wire, cluster: pacer.cluster, now: net.now)
        var datagram = Bytes(repeating: 0, count: bytes)
        datagram[0] = kind.rawValue
        datagram[1] = UInt8(sequence >> 8)
        datagram[2] = UInt8(sequence & 255)
        sequence &+= 1
        samples[samples.count - 1].sentBits += Double(wire * 8)
        if kind == .padding { samples[samples.count - 1].probeBits += Double(wire * 8) }
        if kind == .audio { samples[samples.count - 1].audioSent += 1 }
        net.send(datagram, from: sender, to: receiver)
    }

    private func sample(_ elapsed: Double) {
        if samples.isEmpty || elapsed >= (samples.last?.at ?? 0) + Self.sampleTime {
            samples.append(SessionSample(at: (elapsed / Self.sampleTime).rounded(.down) * Self.sampleTime))
        }
        samples[samples.count - 1].target = Double(estimator.target)
        samples[samples.count - 1].lossLimit = estimator.snapshot.lossLimit
        samples[samples.count - 1].inherent = estimator.snapshot.inherentLoss
        samples[samples.count - 1].delayBased = Double(estimator.snapshot.delayBased)
    }

    // MARK: - Receiving

    func deliver(_ delivery: SimDelivery, _ net: inout SimNet) {
        if delivery.to == receiver { arrived(delivery) } else { takeFeedback(delivery.datagram, now: net.now) }
    }

    private func arrived(_ delivery: SimDelivery) {
        let sequence = UInt16(delivery.datagram[1]) << 8 | UInt16(delivery.datagram[2])
        arrivals[sequence] = Int64(delivery.arrivedAt.nanoseconds / 1_000) - 777_777_777
        if let newest = newestArrived, Int16(bitPattern: sequence &- newest) <= 0 {} else { newestArrived = sequence }
        guard !samples.isEmpty else { return }
        let index = samples.count - 1
        samples[index].arrivedBits += Double((delivery.datagram.count + EncoderModel.overhead) * 8)
        samples[index].queueing.append(delivery.queueing.inSeconds)
        if delivery.datagram[0] == PacedItem.Kind.audio.rawValue { samples[index].audioArrived += 1 }
    }

    /// Every packet from the last report to the newest that arrived: number, flag, time in steps of 250 µs.
    private func feedback(_ net: inout SimNet) {
        nextFeedback = nextFeedback + Self.feedbackTime
        guard feedsBack, let newest = newestArrived, Int16(bitPattern: newest &- feedbackFrom) >= 0 else { return }
        var report = Bytes()
        var current = feedbackFrom
        while current != newest &+ 1 {
            let time = arrivals.removeValue(forKey: current)
            report += [UInt8(current >> 8), UInt8(current & 255), time == nil ? 0 : 1]
            let steps = UInt64(bitPattern: (time ?? 0) / 250)
            for shift in stride(from: 56, through: 0, by: -8) {
                report.append(UInt8(truncatingIfNeeded: steps >> UInt64(shift)))
            }
            current &+= 1
        }
        feedbackFrom = current
        net.send(report, from: receiver, to: sender)
    }

    private func takeFeedback(_ report: Bytes, now: Instant) {
        var items: [FeedbackItem] = []
        for start in stride(from: 0, to: report.count, by: 11) {
            let steps = report[(start + 3)..<(start + 11)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            items.append(
                FeedbackItem(
                    sequence: UInt16(report[start]) << 8 | UInt16(report[start + 1]),
                    arrivalTime: report[start + 2] == 0 ? nil : Int64(bitPattern: steps) * 250))
        }
        estimator.onFeedback(items.span, now: now)
    }

    func withEstimator(_ body: (inout SendSideEstimator) -> Void) { body(&estimator) }
    func note(link: Double) {
        if !samples.isEmpty { samples[samples.count - 1].link = link }
    }
}

/// Sessions over one network.
struct Scenario {
    var net: SimNet
    var sessions: [MediaSession] = []
    let bottleneck: SimNet.LinkID

    /// `count` sessions that share `forward`; feedback comes back over `backward`.
    init(
        forward: SimLink, backward: SimLink, count: Int = 1, seed: UInt64 = 1,
        configuration: BandwidthConfiguration = .init(), startEvery: Duration = .zero, feedsBack: Bool = true,
        paused: ClosedRange<Double>? = nil
    ) {
        net = SimNet(seed: seed)
        bottleneck = net.add(forward)
        let back = net.add(backward)
        for index in 0..<count {
            let sender = TransportAddress(IPAddress(v4: 0x0A00_0001), UInt16(1_000 + index))
            let receiver = TransportAddress(IPAddress(v4: 0x0A00_0100 + UInt32(index)), 5_000)
            net.attach(sender, up: [bottleneck], down: [back])
            net.attach(receiver)
            sessions.append(
                MediaSession(
                    sender: sender, receiver: receiver, configuration: configuration,
                    seed: seed &* 1_000 &+ UInt64(index), startsAt: SimClock.start + startEvery * index,
                    feedsBack: feedsBack, paused: paused))
        }
    }

    mutating func run(seconds: Double) {
        let end = SimClock.start + .seconds(seconds)
        while net.now < end {
            for session in sessions {
                session.work(&net)
                session.note(link: Double(net.bitsPerSecond(bottleneck) ?? 0))
            }
            let deadline = sessions.map { $0.deadline() }.min() ?? end
            // A driver's timers are about this fine.
            let next = max(deadline, net.now + .milliseconds(1))
            while let delivery = net.next(until: min(next, end)) {
                sessions.first { $0.sender == delivery.to || $0.receiver == delivery.to }?.deliver(delivery, &net)
            }
        }
    }
}
