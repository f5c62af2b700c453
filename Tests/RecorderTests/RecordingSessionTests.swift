import Base
import Synchronization
import TestKit
import Testing

@testable import Media
@testable import Recorder

/// A call without people: the test says what its tap hears.
private final class SilentCall: RecordedMedia {
    private let tap = Mutex<CallTap?>(nil)
    private let heard = Mutex<[UUID]>([])
    private let pipes: Int

    init(pipes: Int = 1) { self.pipes = pipes }

    func startTap(
        ofCall call: UUID, capacity: Int, wake: @escaping @Sendable () -> Void
    ) async throws(MediaError) -> CallTap {
        let isFree = tap.withLock { tap in
            guard tap == nil else { return false }
            tap = CallTap(call: call, shards: pipes, capacity: capacity, wake: wake)
            return true
        }
        guard isFree, let made = tap.withLock({ $0 }) else { throw .conflict("the call is being recorded already") }
        return made
    }

    func setTapped(_ owner: UUID, _ isTapped: Bool, inCall call: UUID) async throws(MediaError) {
        heard.withLock { heard in
            heard.removeAll { $0 == owner }
            if isTapped { heard.append(owner) }
        }
    }

    func stopTap(ofCall call: UUID) async {
        let ended = tap.withLock { tap in
            defer { tap = nil }
            return tap
        }
        for pipe in ended?.pipes ?? [] { pipe.close(.stopped) }
    }

    var tapped: [UUID] { heard.withLock { $0 } }

    /// What a shard would do; the test is the only writer.
    func say(_ pipe: Int = 0, _ body: (TapPipe) -> Void) {
        guard let tap = tap.withLock({ $0 }) else { return }
        body(tap.pipes[pipe])
        tap.pipes[pipe].publish()
    }

    static func track(_ number: UInt32, of owner: UUID) -> TapEvent {
        let codec = NegotiatedCodec(
            payloadType: 111, codec: .opus, clockRate: 48_000, channels: 2, remoteParameters: "useinbandfec=1")
        return .began(
            TapTrack(
                number: number, owner: owner, session: owner, kind: .audio, mid: "0", streamID: "camera", trackID: nil,
                codecs: [codec], layerCount: 1, isHeld: false, at: .now()))
    }

    static func push(_ pipe: TapPipe, track: UInt32, sequence: UInt64, orientation: UInt8 = TapPacket.noOrientation) {
        let payload = Bytes(repeating: UInt8(truncatingIfNeeded: sequence), count: 80)
        let packet = TapPacket(
            track: track, stream: 1, layer: 0, payloadType: 111, sequence: sequence, arrival: .now(),
            timestamp: UInt32(truncatingIfNeeded: sequence &* 960), flags: .marker, spatial: 0, temporal: 0,
            audioLevel: 20, orientation: orientation, descriptorLength: 0, payloadLength: UInt16(payload.count))
        payload.withUnsafeBytes {
            _ = pipe.push(packet, descriptor: UnsafeRawBufferPointer(start: nil, count: 0), payload: $0)
        }
    }
}

@Suite struct RecordingSessionTests {
    private static let (alice, bob) = (UUID(high: 1, low: 1), UUID(high: 1, low: 2))

    private struct Stage {
        let call: SilentCall
        let files = MemoryJournalFiles()
        let keys: TestJournalKeys
        let session: RecordingSession
        let states = States()

        final class States: Sendable {
            let all = Mutex<[JournalState]>([])
        }

        init(pipes: Int = 1) async throws {
            call = SilentCall(pipes: pipes)
            keys = try TestJournalKeys()
            let states = states
            session = try await RecordingSession.begin(
                RecordingOrder(
                    recording: UUID(high: 3, low: 4), call: UUID(high: 5, low: 6), policy: .ask, version: "test"),
                in: files, keys: keys.writing, media: call,
                observer: { state in states.all.withLock { $0.append(state) } })
        }

        func decide(_ user: UUID, _ decision: JournalConsent.Decision) async {
            await session.setConsent(
                JournalConsent(participant: user, decision, by: user, means: .socket, at: .now()), name: "somebody")
        }

        func read() -> [JournalEntry] { JournalStage.read(files, keys).entries }
    }

    private static func sequences(_ entries: [JournalEntry], of track: UInt16) -> [UInt64] {
        entries.compactMap { entry in
            guard case .packet(let packet) = entry.content, packet.head.track == TrackNumber(track) else { return nil }
            return packet.head.sequence
        }
    }

    @Test func `what the tap hears of who agreed is in the journal`() async throws {
        let stage = try await Stage()
        await stage.decide(Self.alice, .agreed)
        #expect(stage.call.tapped == [Self.alice])
        stage.call.say { pipe in
            pipe.push(SilentCall.track(1, of: Self.alice))
            for sequence in 1...100 as ClosedRange<UInt64> {
                SilentCall.push(pipe, track: 1, sequence: sequence, orientation: sequence < 50 ? 0 : 3)
            }
            #expect(pipe.push(TapReport(track: 1, stream: 1, layer: 0, timestamp: 5, ntpTime: 6, arrival: .now())))
            #expect(pipe.push(TapGap(track: 1, packets: 7, since: .now())))
            pipe.push(.held(track: 1, true, at: .now()))
            pipe.push(.speaks(owner: Self.alice, session: Self.alice, at: .now()))
            pipe.push(.trackEnded(track: 1, .unpublished, unsaid: 2, at: .now()))
        }
        let result = try await stage.session.stop(.callEnded)
        #expect(result.manifest.totals.packets == 100 && result.manifest.totals.leftOut == 9 && result.refused == 0)
        let entries = stage.read()
        #expect(Self.sequences(entries, of: 1) == Array(1...100))
        let contents = entries.map(\.content)
        #expect(contents.contains(.orientation(TrackNumber(1), 3)) && contents.contains(.paused(TrackNumber(1), true)))
        #expect(contents.contains(.speaker(Self.alice)) && contents.contains(.trackEnded(TrackNumber(1), .ended)))
        #expect(contents.last == .ended(.callEnded))
        let track = contents.compactMap { content in if case .trackBegan(let track) = content { track } else { nil } }
        #expect(track.first?.codecs.first?.parameters == "useinbandfec=1" && track.first?.stream == "camera")
        #expect(stage.states.all.withLock { $0 }.last == .ended(.callEnded))
    }

    @Test func `of who did not agree nothing is written, whatever the tap hears`() async throws {
        let stage = try await Stage()
        await stage.decide(Self.bob, .refused)
        stage.call.say { pipe in
            for (number, user) in [(1, Self.alice), (2, Self.bob)] as [(UInt32, UUID)] {
                pipe.push(SilentCall.track(number, of: user))
                for sequence in 1...10 as ClosedRange<UInt64> {
                    SilentCall.push(pipe, track: number, sequence: sequence)
                }
            }
        }
        let result = try await stage.session.stop(.stopped)
        #expect(result.manifest.totals.packets == 0 && result.refused == 20)
        #expect(stage.call.tapped.isEmpty)
        #expect(result.manifest.consents.map(\.consent.decision) == [.refused])
    }

    @Test func `a withdrawal holds from its return, and a new consent begins anew`() async throws {
        let stage = try await Stage()
        await stage.decide(Self.alice, .agreed)
        stage.call.say { pipe in
            pipe.push(SilentCall.track(1, of: Self.alice))
            SilentCall.push(pipe, track: 1, sequence: 1)
        }
        await stage.decide(Self.alice, .withdrawn)
        #expect(stage.call.tapped.isEmpty)
        // What a shard had on its way, and a track that the tap still names.
        stage.call.say { pipe in
            SilentCall.push(pipe, track: 1, sequence: 2)
            pipe.push(SilentCall.track(2, of: Self.alice))
            SilentCall.push(pipe, track: 2, sequence: 3)
        }
        await stage.session.leave(Self.bob)
        await stage.decide(Self.alice, .agreed)
        stage.call.say { pipe in
            pipe.push(SilentCall.track(3, of: Self.alice))
            SilentCall.push(pipe, track: 3, sequence: 4)
        }
        await stage.session.leave(Self.alice)
        stage.call.say { SilentCall.push($0, track: 3, sequence: 5) }
        _ = try await stage.session.stop(.stopped)
        let survey = try JournalSurvey(
            reading: try JournalReader(stage.files, with: stage.keys.reading, expecting: stage.session.recording))
        #expect(survey.tracks.filter { !$0.isWithdrawn }.map(\.packets).reduce(0, +) == 1)
        let entries = stage.read()
        #expect(
            entries.allSatisfy { entry in
                if case .packet(let packet) = entry.content { [1, 4].contains(packet.head.sequence) } else { true }
            })
    }

    @Test func `nobody speaks only when the shard of who spoke says so`() async throws {
        let stage = try await Stage(pipes: 2)
        await stage.decide(Self.alice, .agreed)
        for (pipe, owner) in [(0, Self.alice), (1, nil), (0, nil)] as [(Int, UUID?)] {
            stage.call.say(pipe) { $0.push(.speaks(owner: owner, session: owner, at: .now())) }
            await stage.session.leave(Self.bob)
            await stage.decide(Self.alice, .agreed)
        }
        _ = try await stage.session.stop(.stopped)
        let speakers = stage.read().compactMap { entry in
            if case .speaker(let user) = entry.content { user.map { "\($0)" } ?? "nobody" } else { nil }
        }
        #expect(speakers == ["\(Self.alice)", "nobody"])
    }

    @Test func `a call has one recording, and a folder too`() async throws {
        let stage = try await Stage()
        await #expect(throws: JournalError.self) {
            _ = try await RecordingSession.begin(
                RecordingOrder(
                    recording: UUID(high: 9, low: 9), call: UUID(high: 5, low: 6), policy: .ask, version: "test"),
                in: MemoryJournalFiles(), keys: stage.keys.writing, media: stage.call, observer: { _ in })
        }
        let full = MemoryJournalFiles(["manifest.age": [1]])
        let other = SilentCall()
        await #expect(throws: JournalError.self) {
            _ = try await RecordingSession.begin(
                RecordingOrder(
                    recording: UUID(high: 9, low: 9), call: UUID(high: 5, low: 6), policy: .ask, version: "test"),
                in: full, keys: stage.keys.writing, media: other, observer: { _ in })
        }
        // The tap was given back: the next one has it.
        _ = try await other.startTap(ofCall: UUID(high: 5, low: 6), capacity: TapPipe.capacity, wake: {})
        _ = try await stage.session.stop(.stopped)
    }

    @Test func `a name is cut between characters`() {
        #expect("abc".prefix(utf8: 3) == "abc" && "Éé".prefix(utf8: 3) == "É" && "👨‍👩‍👧".prefix(utf8: 8) == "")
    }
}
