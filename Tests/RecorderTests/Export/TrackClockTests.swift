import Base
import Testing

@testable import Recorder

/// A sender, its network and a recorder, whose clocks are known exactly.
private struct SimulatedTrack {
    var rate: UInt32 = 48_000
    var stream: UInt16 = 0
    /// Of the sender's clocks against the recording's.
    var skew = 0.0
    var packetEvery: MediaTime = 20_000_000
    /// Least, and what is added at most.
    var delay: MediaTime = 25_000_000
    var jitter: MediaTime = 60_000_000
    var loss = 0.0
    var reportEvery: MediaTime = 1_000_000_000
    /// Of the sender's wall clock, in seconds since 1900.
    var epoch: Int64 = 3_990_000_000
    var firstTimestamp: UInt32 = 4_294_000_000
    /// By the true time: what is added to the timestamps, and to the wall clock in nanoseconds.
    var timestampJump: (at: MediaTime, by: UInt32)?
    var wallStep: (at: MediaTime, by: Int64)?
    var pause: Range<MediaTime>?
    /// The RTP clock stands still in the pause.
    var stopsInPause = false
    /// Each ten seconds a report names a time that has nothing to do with anything.
    var hasNonsense = false

    struct Run {
        var observations: [UInt16: StreamObservations] = [:]
        var reports: [ParticipantClock.Report] = []
        var packets: [(packet: RecordedPacket, truth: MediaTime)] = []
    }

    func timestamp(_ time: MediaTime) -> UInt32 {
        var running = Double(time)
        if let pause, stopsInPause {
            if time >= pause.upperBound { running -= Double(pause.upperBound - pause.lowerBound) }
        }
        let ticks = Int64((running * (1 + skew) / 1e9 * Double(rate)).rounded())
        var value = firstTimestamp &+ UInt32(truncatingIfNeeded: ticks)
        if let timestampJump, time >= timestampJump.at { value &+= timestampJump.by }
        return value
    }

    func ntp(_ time: MediaTime) -> UInt64 {
        var nanoseconds = epoch * 1_000_000_000 + Int64(Double(time) * (1 + skew))
        if let wallStep, time >= wallStep.at { nanoseconds += wallStep.by }
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return UInt64(seconds) << 32 | UInt64(rest) << 32 / 1_000_000_000
    }

    func run(for length: MediaTime, from start: MediaTime = 0, seed: UInt64) -> Run {
        var random = SeededGenerator(seed)
        var run = Run()
        var seen = StreamObservations(clockRate: rate)
        var sequence: UInt64 = 70_000
        var lastArrival: MediaTime = 0
        var nextReport = start + reportEvery / 2
        for time in stride(from: start, to: start + length, by: Int(packetEvery)) {
            if let pause, pause.contains(time) { continue }
            sequence += 1
            if Double.random(in: 0..<1, using: &random) >= loss {
                // A network keeps the order more often than not.
                let arrival = max(lastArrival, time + delay + MediaTime.random(in: 0...jitter, using: &random))
                lastArrival = arrival
                let packet = RecordedPacket(
                    track: 1, stream: stream, sequence: sequence, timestamp: timestamp(time), marker: false,
                    arrival: arrival, payload: [])
                seen.note(packet)
                run.packets.append((packet, time))
            }
            guard reportEvery > 0, time >= nextReport else { continue }
            nextReport = time + reportEvery
            let arrival = time + delay + MediaTime.random(in: 0...jitter, using: &random)
            seen.note(
                RecordedReport(
                    track: 1, stream: stream, ntpTime: ntp(time), timestamp: timestamp(time), arrival: arrival))
            run.reports.append(ParticipantClock.Report(ntpTime: ntp(time), arrival: arrival))
            if hasNonsense, run.reports.count % 10 == 5 {
                let nonsense: UInt64 = random.next()
                seen.note(
                    RecordedReport(
                        track: 1, stream: stream, ntpTime: nonsense, timestamp: timestamp(time), arrival: arrival))
                run.reports.append(ParticipantClock.Report(ntpTime: nonsense, arrival: arrival))
            }
        }
        run.observations[stream] = seen
        return run
    }
}

private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

@Suite struct TrackClockTests {
    private let minutes: MediaTime = 60_000_000_000
    private let milliseconds: MediaTime = 1_000_000

    private func clock(_ run: SimulatedTrack.Run, _ rate: UInt32 = 48_000) -> TrackClock {
        TrackClock(run.observations, clockRate: rate, ParticipantClock(run.reports))
    }

    /// Of the times that a clock gives, against the truth: the least and the most, in milliseconds.
    private func errors(_ run: SimulatedTrack.Run, _ clock: TrackClock) -> (least: Double, most: Double) {
        let all = run.packets.map { Double(clock.time(of: $0.packet) - $0.truth) / 1e6 }
        return (all.min() ?? .infinity, all.max() ?? .infinity)
    }

    @Test func `a straight line is found though a quarter of the points is wrong`() throws {
        let points = (0..<80).map { index in
            let x = Double(index) * 1e9
            return ClockPoint(x: x, y: x * 1.0001 + 5e6 + (index % 4 == 1 ? Double(index * index) * 1e7 : 0))
        }
        let line = try #require(RobustLine(through: points, .median))
        #expect(abs(line.slope - 1.0001) < 1e-7)
        #expect(abs(line(40e9) - (40e9 * 1.0001 + 5e6)) < 1e4)
    }

    @Test func `ten minutes at 200 ppm with 5 % loss stay within 40 ms`() {
        for (seed, skew) in [(1, 0.0002), (2, -0.0002)] {
            let run = SimulatedTrack(skew: skew, loss: 0.05).run(for: 10 * minutes, seed: UInt64(seed))
            let (least, most) = errors(run, clock(run))
            // The least delay is part of what is found: nobody can tell it from the clock.
            #expect(least > 15 && most < 40, "from \(least) to \(most) ms")
            #expect(most - least < 10, "seed \(seed)")
        }
    }

    @Test func `sound and pictures of one sender stay in step though their ways differ`() {
        let sound = SimulatedTrack(skew: 0.0002, delay: 20_000_000, loss: 0.05).run(for: 10 * minutes, seed: 3)
        let picture = SimulatedTrack(
            rate: 90_000, skew: 0.0002, packetEvery: 33_000_000, delay: 120_000_000, jitter: 200_000_000, loss: 0.05
        ).run(for: 10 * minutes, seed: 4)
        let participant = ParticipantClock(sound.reports + picture.reports)
        let first = errors(sound, TrackClock(sound.observations, clockRate: 48_000, participant))
        let second = errors(picture, TrackClock(picture.observations, clockRate: 90_000, participant))
        #expect(abs(first.most - second.least) < 20 && abs(first.least - second.most) < 20, "\(first) \(second)")
    }

    @Test func `without reports the packets that came first tell the time`() {
        let run = SimulatedTrack(skew: 0.0002, loss: 0.05, reportEvery: 0).run(for: 10 * minutes, seed: 5)
        let track = clock(run)
        #expect(!track.hasReports)
        let (least, most) = errors(run, track)
        #expect(least > 10 && most < 45, "from \(least) to \(most) ms")
    }

    @Test func `timestamps that jump by half their range go on where they were`() {
        for jump: UInt32 in [1 << 31, 1 << 31 - 1, 12_345_678, 4_000_000_000] {
            let run = SimulatedTrack(timestampJump: (at: 3 * minutes, by: jump)).run(for: 6 * minutes, seed: 6)
            let (least, most) = errors(run, clock(run))
            #expect(least > 0 && most < 60, "\(jump): from \(least) to \(most) ms")
        }
    }

    @Test func `a wall clock that is set moves nothing`() {
        for step: Int64 in [3_600_000_000_000, -3_600_000_000_000, 700_000_000] {
            let run = SimulatedTrack(wallStep: (at: 3 * minutes, by: step)).run(for: 6 * minutes, seed: 7)
            let track = clock(run)
            let (least, most) = errors(run, track)
            #expect(track.hasReports && least > 0 && most < 60, "\(step): from \(least) to \(most) ms")
        }
    }

    @Test func `a pause of 244 s is a pause, whether the sender's clock runs on or stands still`() {
        for stops in [false, true] {
            var sender = SimulatedTrack(skew: 0.0001)
            sender.pause = (1 * minutes)..<(1 * minutes + 244_000 * milliseconds)
            sender.stopsInPause = stops
            let run = sender.run(for: 8 * minutes, seed: 8)
            let (least, most) = errors(run, clock(run))
            #expect(least > 0 && most < 60, "from \(least) to \(most) ms")
        }
    }

    @Test func `another source goes on in the same time`() {
        let first = SimulatedTrack(stream: 0).run(for: 2 * minutes, seed: 9)
        let second = SimulatedTrack(stream: 1, firstTimestamp: 77).run(for: 2 * minutes, from: 2 * minutes, seed: 10)
        var both = first
        both.observations.merge(second.observations) { $1 }
        both.reports += second.reports
        both.packets += second.packets
        let (least, most) = errors(both, clock(both))
        #expect(least > 15 && most < 50, "from \(least) to \(most) ms")
    }

    @Test func `packets that the network held back for three seconds are of one clock`() {
        var seen = StreamObservations(clockRate: 48_000)
        for index in 0..<1_000 {
            let sent = MediaTime(index) * 20 * milliseconds
            // From the fifth to the eighth second nothing comes, and then all of it at once.
            let arrival = sent >= 5_000 * milliseconds && sent < 8_000 * milliseconds ? 8_000 * milliseconds : sent
            seen.note(
                RecordedPacket(
                    track: 1, sequence: UInt64(index), timestamp: UInt32(index * 960), marker: false,
                    arrival: arrival + 10 * milliseconds, payload: []))
        }
        #expect(seen.joined().count == 1)
    }

    @Test func `a report from before a stream's first packet counts`() {
        var seen = StreamObservations(clockRate: 48_000)
        let ntp: UInt64 = 3_990_000_000 << 32
        seen.note(RecordedReport(track: 1, ntpTime: ntp, timestamp: 48_000, arrival: 2_000 * milliseconds))
        for index in 0..<100 {
            // Each packet 200 ms late, and the report was not.
            seen.note(
                RecordedPacket(
                    track: 1, sequence: UInt64(index), timestamp: UInt32(192_000 + index * 960), marker: false,
                    arrival: MediaTime(5_200 + 20 * index) * milliseconds, payload: []))
        }
        let reports = [ParticipantClock.Report(ntpTime: ntp, arrival: 2_000 * milliseconds)]
        let track = TrackClock([0: seen], clockRate: 48_000, ParticipantClock(reports))
        let packet = RecordedPacket(
            track: 1, sequence: 50, timestamp: 192_000 + 48_000, marker: false, arrival: 6_200 * milliseconds,
            payload: [])
        #expect(track.hasReports && track.time(of: packet) == 6_000 * milliseconds)
    }

    @Test func `single reports of nonsense are passed over`() {
        var sender = SimulatedTrack(skew: 0.0001)
        sender.hasNonsense = true
        let run = sender.run(for: 5 * minutes, seed: 11)
        let (least, most) = errors(run, clock(run))
        #expect(least > 0 && most < 60, "from \(least) to \(most) ms")
    }

    @Test func `nothing is later than it came, and nothing before the beginning`() {
        let packet = RecordedPacket(
            track: 1, sequence: 5, timestamp: 99, marker: false, arrival: 40 * milliseconds, payload: [])
        let empty = TrackClock([:], clockRate: 0, ParticipantClock([]))
        #expect(empty.time(of: packet) == 40 * milliseconds)
        let run = SimulatedTrack(jitter: 500_000_000).run(for: minutes, seed: 12)
        let track = clock(run)
        for (packet, _) in run.packets {
            let time = track.time(of: packet)
            #expect(time <= packet.arrival && time >= 0)
        }
    }
}
