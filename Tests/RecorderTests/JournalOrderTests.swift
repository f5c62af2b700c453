import Base
import TestKit
import Testing

@testable import Recorder

@Suite struct JournalOrderTests {
    static let (alice, bob) = (UUID(high: 1, low: 1), UUID(high: 1, low: 2))

    static func consent(_ decision: JournalConsent.Decision, of user: UUID = alice) -> JournalEntry.Content {
        .consent(
            JournalConsent(
                participant: user, decision, by: user, means: .socket, at: Timestamp(secondsSinceEpoch: 1_790_000_000)))
    }
    static func named(_ user: UUID = alice) -> JournalEntry.Content {
        .participant(JournalParticipant(id: user, name: "somebody"))
    }
    static func track(_ number: UInt16 = 1, of user: UUID = alice) -> JournalEntry.Content {
        .trackBegan(
            JournalTrack(
                TrackNumber(number), of: user, session: user, .audio, .microphone,
                codecs: [JournalCodec(payloadType: 111, name: "opus", clockRate: 48_000, channels: 2)]))
    }
    static func packet(_ number: UInt16 = 1, sequence: UInt64 = 1, payload: Bytes = [1]) -> JournalEntry.Content {
        .packet(
            JournalPacket(
                JournalPacketHead(track: TrackNumber(number), payloadType: 111, sequence: sequence, timestamp: 0),
                payload: payload))
    }
    static var began: JournalEntry.Content { .began(JournalScript.beginning()) }

    /// How many of the contents may stand there, one behind the other, before one may not.
    private func taken(_ contents: [JournalEntry.Content]) -> Int {
        var order = JournalOrder()
        var count = 0
        for content in contents {
            do throws(OrderFault) { try order.take(content) } catch { return count }
            count += 1
        }
        return count
    }

    @Test(arguments: [
        [named()],
        [began, began],
        [began, .ended(.stopped), named()],
        [began, consent(.agreed)],
        [began, track()],
        [began, named(), track(), packet()],
        [began, named(), consent(.refused), track(), packet()],
        [began, named(), consent(.agreed), packet()],
        [began, named(), consent(.agreed), track(), track()],
        [began, named(), consent(.agreed), track(), .trackEnded(TrackNumber(1), .ended), packet()],
        [began, named(), consent(.agreed), track(), .trackEnded(TrackNumber(1), .ended), track()],
        [began, named(), consent(.agreed), track(), consent(.withdrawn), packet()],
        [began, named(), consent(.agreed), track(), consent(.withdrawn), consent(.agreed), packet()],
        [began, named(), consent(.agreed), track(), .participantLeft(alice), packet()],
        [began, named(), consent(.agreed), track(), .participantLeft(alice), consent(.agreed), packet()],
        [began, named(), consent(.withdrawn)],
        [began, named(), consent(.agreed), consent(.refused)],
        [began, named(), named(bob), consent(.agreed, of: bob), track(), packet()],
        [began, .speaker(alice)],
        [began, .participantLeft(alice)],
        [began, .orientation(TrackNumber(1), 0)],
        [began, .paused(TrackNumber(1), true)],
        [began, .senderReport(JournalSenderReport(track: TrackNumber(1), ntp: 1, timestamp: 1))],
        [began, named(), track(0)],
        [began, named(), track(4_097)],
    ])
    func `the last of these may not stand there`(contents: [JournalEntry.Content]) {
        #expect(taken(contents) == contents.count - 1)
    }

    @Test func `who agrees again begins new tracks`() {
        let contents = [
            Self.began, Self.named(), Self.track(1), Self.consent(.agreed), Self.packet(1), Self.consent(.withdrawn),
            Self.track(2), Self.consent(.agreed), Self.packet(2), .participantLeft(Self.alice), Self.named(),
            Self.consent(.agreed), Self.track(3), Self.packet(3), .participantLeft(Self.alice),
            Self.consent(.withdrawn),
            .speaker(Self.alice), .speaker(nil), .ended(.stopped),
        ]
        #expect(taken(contents) == contents.count)
    }

    @Test func `a packet is asked for as it would be taken`() throws {
        var order = JournalOrder()
        #expect(!order.admits(TrackNumber(1)))
        for content in [Self.began, Self.named(), Self.track(1), Self.track(9)] { try order.take(content) }
        #expect(!order.admits(TrackNumber(1)))
        try order.take(Self.consent(.agreed))
        #expect(order.admits(TrackNumber(1)) && order.admits(TrackNumber(9)))
        #expect(!order.admits(TrackNumber(5)) && !order.admits(TrackNumber(4_000)))
        #expect(order.agreeing == 1)
        try order.take(Self.consent(.withdrawn))
        #expect(!order.admits(TrackNumber(1)))
        #expect(order.agreeing == 0)
    }
}
