// One peer connection: its transport (paths, handshake, keys), what it sends (tracks) and what it gets (subscriptions).
//
// Split by subject: this file holds the state and the transport; `Participant+Receiving` media that comes in,
// `Participant+Reports` RTCP both ways, `Participant+Negotiation` what descriptions change. All of it runs on the
// shard's thread. One participant's fault ends one participant: nothing here stops the engine.

import Base
import Crypto
import Wire

/// Names a participant within its shard. A number is used again with another generation.
package struct ParticipantID: Hashable, Sendable {
    let index: UInt32
    let generation: UInt32
}

/// Why a participant is gone.
package enum ParticipantEnd: Equatable, Sendable {
    case left
    /// No valid path for as long as consent lasts.
    case silent
    case handshakeFailed
    /// It never connected.
    case neverConnected
}

final class Participant {
    /// A peer that has not completed ICE and DTLS by then is not coming. Chromium's own limit is 15 s per candidate
    /// pair; a person may be asked for permissions before.
    static let connectTimeout = Duration.seconds(60)
    /// How often what is not urgent is looked at: reports, requests, the estimator. Shorter costs CPU per participant,
    /// longer delays the first NACK.
    static let tick = Duration.milliseconds(20)
    /// The same for who neither sends nor receives media.
    static let idleTick = Duration.seconds(1)

    let id: ParticipantID
    unowned let room: Room
    let joined: Instant

    // Transport
    var ice: ICELiteSession
    var handshake: Handshake
    /// Why it is to be removed, once something ended it.
    var end: ParticipantEnd?
    /// Where its datagrams go, once a path is valid.
    var destination: Destination?
    var receiver: SRTPReceiver?
    var sending: SendTransport?
    /// The SSRC that our reports about this participant's media come from.
    let localSSRC: SSRC

    // Negotiation
    var negotiator: Negotiator
    /// Numbers of header extensions in what it sends.
    var extensionMap = RTPExtensionMap()

    // Media that it sends
    var sources = SourceTable()
    var tracks: [PublishedTrack] = []
    /// Made when it sends with transport-wide numbers.
    var feedback: TransportFeedbackRecorder?
    /// Its clock against ours.
    var clock = PublisherClock()
    var rembSchedule = ReceiverEstimateSchedule()
    var feedbackClock = ClockUnwrapper(period: ClockUnwrapper.transportWide)
    /// To the participant and back, as it reports.
    var roundTrip = Participant.assumedRoundTrip
    /// Until a report tells.
    static let assumedRoundTrip = Duration.milliseconds(100)
    var reportWindow = SRTPReplayWindow()

    // Media that it gets
    var subscriptions: [Subscription] = []
    /// The number of the next one; sections come and go.
    var nextSubscription: UInt16 = 0
    var allocation = AllocationState()

    /// Its place on the room's speaker board; negative before its first audio level.
    var speakerSlot = -1
    /// Its place among the last speakers, 0 the latest, and when it became the dominant one.
    var speakerRank = Int.max
    var lastDominant: UInt64 = 0

    // Time
    var nextTick: Instant
    var nextReports: Instant
    /// Scratch for reports; kept, so that writing them allocates nothing.
    var reports: [UInt8] = []
    var counters = ParticipantCounters()

    init(
        id: ParticipantID, room: Room, ice: ICELiteSession, handshake: consuming Handshake, negotiator: Negotiator,
        localSSRC: SSRC, now: Instant
    ) {
        self.id = id
        self.room = room
        self.ice = ice
        self.handshake = handshake
        self.negotiator = negotiator
        self.localSSRC = localSSRC
        joined = now
        nextTick = now + Self.idleTick
        nextReports = now
        reports.reserveCapacity(PacketSlab.slotSize)
    }

    var isConnected: Bool { sending != nil }

    /// Asks to be looked at by then.
    func wake(at deadline: Instant?) {
        guard let deadline, deadline < nextTick else { return }
        nextTick = deadline
        room.engine.look(self)
    }
}

/// What came in and was not taken, by reason.
package struct ParticipantCounters: Sendable {
    package var malformed: UInt64 = 0
    package var forged: UInt64 = 0
    package var replayed: UInt64 = 0
    package var unknownSource: UInt64 = 0
    package var noSlot: UInt64 = 0
    package var notOurPath: UInt64 = 0
}
