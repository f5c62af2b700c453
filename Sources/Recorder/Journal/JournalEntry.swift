// What stands in a journal, as values: docs/formats/journal.md, "Entry". How they lie in bytes is in `EntryCoding.swift`.

package import Base

/// Microseconds since a recording began, by the monotonic clock.
package struct RecordingTime: Hashable, Comparable, Sendable {
    package var microseconds: Int64

    /// Far from where arithmetic overflows, and 285 years.
    package static let most = RecordingTime(microseconds: 1 << 53)
    package static let zero = RecordingTime(microseconds: 0)

    package init(microseconds: Int64) { self.microseconds = microseconds }

    /// The time of something that happened at `instant` in a recording that began at `start`; what came before is at 0.
    package init(_ instant: Instant, since start: Instant) { microseconds = (instant - start).microseconds }

    package var nanoseconds: Int64 { microseconds &* 1_000 }

    package static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }
    package static func - (left: Self, right: Self) -> Duration {
        .microseconds(left.microseconds &- right.microseconds)
    }
    package static func + (left: Self, right: Duration) -> Self {
        Self(microseconds: left.microseconds &+ right.microseconds)
    }
}

/// A track of one recording: 1 to `JournalLimits.tracks`.
package struct TrackNumber: Hashable, Comparable, Sendable, BitwiseCopyable {
    package let value: UInt16

    package init(_ value: UInt16) { self.value = value }

    package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

package struct JournalEntry: Sendable, Equatable {
    package var time: RecordingTime
    package var content: Content

    package enum Content: Sendable, Equatable {
        case began(JournalBeginning)
        case participant(JournalParticipant)
        case consent(JournalConsent)
        case trackBegan(JournalTrack)
        case packet(JournalPacket)
        case senderReport(JournalSenderReport)
        case gap(JournalGap)
        /// As in the header extension for it: bits 0 and 1 are quarter turns clockwise, bit 2 is a flip.
        case orientation(TrackNumber, UInt8)
        case paused(TrackNumber, Bool)
        /// `nil`: nobody speaks.
        case speaker(UUID?)
        case trackEnded(TrackNumber, JournalTrackEnd)
        case participantLeft(UUID)
        case ended(JournalEnd)
    }

    package init(at time: RecordingTime, _ content: Content) {
        self.time = time
        self.content = content
    }
}

package struct JournalBeginning: Sendable, Equatable {
    package enum Policy: UInt8, Sendable { case ask = 1, announce, operatorsRules }

    package var call: UUID
    /// The civil and the monotonic clock at the recording's time 0.
    package var started: Timestamp
    package var instant: Instant
    package var policy: Policy
    /// Of the program.
    package var version: String

    package init(call: UUID, started: Timestamp, instant: Instant, policy: Policy, version: String) {
        self.call = call
        self.started = started
        self.instant = instant
        self.policy = policy
        self.version = version
    }
}

package struct JournalParticipant: Sendable, Equatable {
    package var id: UUID
    package var name: String

    package init(id: UUID, name: String) {
        self.id = id
        self.name = name
    }
}

package struct JournalConsent: Sendable, Equatable {
    package enum Decision: UInt8, Sendable { case agreed = 1, refused, withdrawn }
    package enum Means: UInt8, Sendable { case socket = 1, request, stayed, operatorsRules, began }

    package var participant: UUID
    package var decision: Decision
    package var means: Means
    /// Who said so: the participant, or who decided for them.
    package var by: UUID
    package var at: Timestamp

    package init(participant: UUID, _ decision: Decision, by: UUID, means: Means, at: Timestamp) {
        self.participant = participant
        self.decision = decision
        self.means = means
        self.by = by
        self.at = at
    }
}

package struct JournalTrack: Sendable, Equatable {
    package enum Medium: UInt8, Sendable { case audio = 1, video }
    package enum Source: UInt8, Sendable { case microphone = 1, camera, screen, screenAudio, other }

    package enum Protection: Sendable, Equatable {
        case none
        /// End to end: payloads are ciphertext. The descriptor says what the keys are called, for who has them.
        case sframe(descriptor: Bytes)
    }

    package var number: TrackNumber
    package var participant: UUID
    /// Of the participant, who may be there several times.
    package var session: UUID
    package var medium: Medium
    package var source: Source
    /// Of the sender's description: `a=mid`, and both words of `a=msid`. Empty without.
    package var section = ""
    package var stream = ""
    package var name = ""
    package var protection: Protection
    /// What its payload types mean.
    package var codecs: [JournalCodec]

    package init(
        _ number: TrackNumber, of participant: UUID, session: UUID, _ medium: Medium, _ source: Source,
        codecs: [JournalCodec], protection: Protection = .none
    ) {
        self.number = number
        self.participant = participant
        self.session = session
        self.medium = medium
        self.source = source
        self.protection = protection
        self.codecs = codecs
    }
}

package struct JournalCodec: Sendable, Equatable {
    package var payloadType: UInt8
    /// As in `a=rtpmap`.
    package var name: String
    package var clockRate: UInt32
    /// 0 for video.
    package var channels: UInt8
    /// As in `a=fmtp`.
    package var parameters: String

    package init(payloadType: UInt8, name: String, clockRate: UInt32, channels: UInt8 = 0, parameters: String = "") {
        self.payloadType = payloadType
        self.name = name
        self.clockRate = clockRate
        self.channels = channels
        self.parameters = parameters
    }
}

/// What of a packet is not bytes.
package struct JournalPacketHead: Sendable, Equatable, BitwiseCopyable {
    package struct Flags: OptionSet, Sendable, Hashable, BitwiseCopyable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let keyframe = Flags(rawValue: 1)
        package static let startsFrame = Flags(rawValue: 2)
        package static let endsFrame = Flags(rawValue: 4)
        /// No other frame refers to this one.
        package static let discardable = Flags(rawValue: 8)
        package static let voice = Flags(rawValue: 16)
    }

    package var track: TrackNumber
    package var stream: UInt16
    package var payloadType: UInt8
    package var marker: Bool
    package var flags: Flags
    package var sequence: UInt64
    package var timestamp: UInt32
    /// Of simulcast, 0 to 3.
    package var layer: UInt8 = 0
    /// Within the stream, 0 to 7.
    package var spatial: UInt8 = 0
    package var temporal: UInt8 = 0
    /// -dBov; `noLevel` when the packet says nothing.
    package var audioLevel: UInt8 = noLevel

    package static let noLevel: UInt8 = 255

    package init(
        track: TrackNumber, stream: UInt16 = 0, payloadType: UInt8, marker: Bool = false, flags: Flags = [],
        sequence: UInt64, timestamp: UInt32
    ) {
        self.track = track
        self.stream = stream
        self.payloadType = payloadType
        self.marker = marker
        self.flags = flags
        self.sequence = sequence
        self.timestamp = timestamp
    }
}

package struct JournalPacket: Sendable, Equatable {
    package var head: JournalPacketHead
    /// The dependency descriptor, empty without one.
    package var descriptor: Bytes
    package var payload: Bytes

    package init(_ head: JournalPacketHead, descriptor: Bytes = [], payload: Bytes) {
        self.head = head
        self.descriptor = descriptor
        self.payload = payload
    }
}

package struct JournalSenderReport: Sendable, Equatable {
    package var track: TrackNumber
    package var stream: UInt16
    package var ntp: UInt64
    package var timestamp: UInt32

    package init(track: TrackNumber, stream: UInt16 = 0, ntp: UInt64, timestamp: UInt32) {
        self.track = track
        self.stream = stream
        self.ntp = ntp
        self.timestamp = timestamp
    }
}

/// Packets that were there and are not in the journal. What was lost on the way here shows in the sequences instead.
package struct JournalGap: Sendable, Equatable {
    package enum Reason: UInt8, Sendable { case tapFull = 1, journalBehind }

    /// `nil`: of tracks that are not told apart.
    package var track: TrackNumber?
    package var reason: Reason
    package var count: UInt64
    package var since: RecordingTime

    package init(track: TrackNumber?, _ reason: Reason, count: UInt64, since: RecordingTime) {
        self.track = track
        self.reason = reason
        self.count = count
        self.since = since
    }
}

package enum JournalTrackEnd: UInt8, Sendable { case ended = 1, left, withdrawn, recordingEnded }

package enum JournalEnd: UInt8, Sendable { case stopped = 1, callEnded, nobodyAgrees, bound, unwritable }
