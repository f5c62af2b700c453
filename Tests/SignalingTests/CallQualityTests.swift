// What measurements come to: never more than was measured.

import Base
import Signaling
import Testing

@Suite struct CallQualityTests {
    @Test func `nothing measured is no quality`() { #expect(CallQuality([]) == nil) }

    @Test func `who had no streams has neither loss nor grade`() throws {
        let quality = try #require(CallQuality([ParticipantMeasurements(duration: .seconds(9))]))
        #expect(quality.grade == nil && quality.lossShare == nil && quality.bitsPerSecond == nil)
        #expect(quality.roundTrip == nil && quality.transport == nil && quality.codecs.isEmpty)
    }

    @Test func `loss counts packets that were counted at both ends`() throws {
        let measured = ParticipantMeasurements(
            duration: .seconds(10), transport: "udp", roundTrip: .milliseconds(40),
            streams: [
                .init(direction: .sent, kind: "audio", codec: "opus", packets: 90, bytes: 10_000, lost: 10),
                .init(direction: .received, kind: "video", codec: "VP8", packets: 100, bytes: 90_000, lost: 0),
                .init(direction: .received, kind: "video", codec: "VP8", packets: 5_000, bytes: 0),
            ])
        let quality = try #require(CallQuality([measured]))
        #expect(quality.lossShare == 0.05)
        #expect(quality.bitsPerSecond == 80_000)
        #expect(quality.grade == .fair)
        #expect(quality.codecs == ["VP8", "opus"])
        #expect(quality.transport == "udp")
    }

    @Test func `an opinion score decides before loss does`() throws {
        let bad = ParticipantMeasurements(duration: .seconds(1), roundTrip: .milliseconds(1), opinion: 2)
        let good = ParticipantMeasurements(duration: .seconds(1), transport: "tcp", opinion: 4.3)
        #expect(CallQuality([bad, good])?.grade == .poor)
        #expect(CallQuality([good])?.grade == .excellent)
    }
}
