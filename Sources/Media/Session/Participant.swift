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
    /// A participant is looked at when something is due, and this often at least. A little longer than reports may wait
    /// (`reportInterval`, `reportPatience`), or this would be what wakes for them.
    static let idleTick = Duration.milliseconds(1_250)

    let id: ParticipantID
    unowned let room: Room
    // What forwarding touches comes first, so that it lies together.
    var sending: SendTransport?
    /// From then on there is something to do when packets of its come or go (`notePackets`).
    var dueWithMedia: Instant
    let joined: Instant
    /// Of a stand-in, which has no transport: whose tracks it holds.
    var origin: ParticipantOrigin?

    // Transport
    var ice: ICELiteSession
    var handshake: Handshake
    /// Why it is to be removed, once something ended it.
    var end: ParticipantEnd?
    /// Where its datagrams go, once a path is valid.
    var destination: Destination?
    /// Since when no path is left, its connection having ended: the peer may connect anew for as long as consent lasts.
    var pathlessSince: Instant?
    var receiver: SRTPReceiver?
    /// The SSRC that our reports about this participant's media come from.
    let localSSRC: SSRC

    // Negotiation
    var negotiator: Negotiator
    /// Reports need not begin with a receiver report (RFC 5506).
    var usesReducedSize = false
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
    /// Made when it sends with absolute send times and asks for REMB; of use without transport-wide numbers only.
    var receiveLimit: ReceiveLimit?
    var referenceTimes = ReferenceTimeAnswers()
    /// It has told what it can receive (REMB): some agree to tell, and never do. Until then nothing is held back.
    var hasSentEstimate = false
    var feedbackClock = ClockUnwrapper(period: ClockUnwrapper.transportWide)
    /// To the participant and back, as it reports.
    var roundTrip = Participant.assumedRoundTrip
    /// Until a report tells.
    static let assumedRoundTrip = Duration.milliseconds(100)
    var reportWindow = SRTPReplayWindow()

    /// Layers that it may still make.
    var newLayers = LayerBudget()

    // Media that it gets
    var repairs = RepairBudget()
    var feedbackItems = FeedbackBudget()
    var subscriptions: [Subscription] = []
    /// The number of the next one; sections come and go.
    var nextSubscription: UInt16 = 0
    var allocation = AllocationState()

    /// Its place on the room's speaker board; negative before its first audio level.
    var speakerSlot = -1
    /// Its place among the last speakers, 0 the latest, and when it became the dominant one.
    var speakerRank = Int.max
    var lastDominant: UInt64 = 0

    /// Senders that were made for one track, in rooms where everybody is offered what is new.
    var dedicated: [SenderID: TrackID] = [:]
    /// `negotiationNeeded` was told, and no offer was asked for since.
    var hasAskedToOffer = false
    /// `shownChanged` was told, and nobody has asked since.
    var hasToldShown = false
    /// What it sends of these kinds is dropped: it has muted itself, or may not send.
    var held: MediaKinds = []
    /// Its sections show something: it has not put the call on hold, and may receive.
    var isReceiving = true
    /// Whose it is; of stand-ins and before its session is known nobody's.
    var holder: SessionHolder?
    /// Credentials that our next offer has, or the one that is out.
    var restart: ICECredentials?
    var isRestartOffered = false

    /// Its data channels, made when the agreement has a section for them.
    var data: ParticipantData?
    /// A packet of the peer was authentic: it has the keys.
    var hasProvedKeys = false

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
        dueWithMedia = nextTick
        nextReports = now
        reports.reserveCapacity(PacketSlab.slotSize)
    }

    var isConnected: Bool { sending != nil || data?.isUp == true }

    /// Asks to be looked at by then.
    func wake(at deadline: Instant?) {
        guard let deadline, !nextTick.isDue(deadline) else { return }
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
    /// Reports on more packets than were ever sent.
    package var excessive: UInt64 = 0
}

/// Comparing values of another module's type is a generic call, which shows where it is done per packet.
extension Instant {
    @inline(__always)
    func isDue(_ now: Instant) -> Bool { nanoseconds <= now.nanoseconds }

    @inline(__always)
    func earlier(_ other: Instant) -> Instant { nanoseconds <= other.nanoseconds ? self : other }
}
