// What an export reads, in the order in which it was recorded. The journal is one source of it; tests are another.

package import Base

/// Nanoseconds since the recording began.
package typealias MediaTime = Int64

package enum RecordedCodec: UInt8, Sendable, Hashable, CaseIterable {
    case opus = 1
    case vp8 = 2
    case vp9 = 3
    case av1 = 4
    case h264 = 5
    case h265 = 6

    package var isVideo: Bool { self != .opus }
}

/// Where a track's media comes from.
package enum RecordedSource: String, Sendable, Hashable, CaseIterable {
    case microphone, camera, screen
    case screenAudio = "screen-audio"
    case unknown
}

package struct RecordedTrack: Sendable, Hashable {
    /// The lower half is the track's number in the recording, the upper counts its codecs after the first.
    package var id: UInt32
    package var participant: UUID
    package var source: RecordedSource
    /// As the SDP names it.
    package var codecName: String
    /// `nil` for what is recorded and not exported.
    package var codec: RecordedCodec?
    package var clockRate: UInt32
    /// Payloads are another's ciphertext.
    package var isSealed: Bool
    /// Of H.264 and H.265, from the SDP: sent once there, perhaps never in the stream.
    package var parameterSets: [Bytes]
    package var began: MediaTime

    package init(
        id: UInt32, participant: UUID, source: RecordedSource, codecName: String, codec: RecordedCodec?,
        clockRate: UInt32, isSealed: Bool = false, parameterSets: [Bytes] = [], began: MediaTime = 0
    ) {
        self.id = id
        self.participant = participant
        self.source = source
        self.codecName = codecName
        self.codec = codec
        self.clockRate = clockRate
        self.isSealed = isSealed
        self.parameterSets = parameterSets
        self.began = began
    }

    /// The number with four digits, and behind it which of its codecs, from the second on.
    package var label: String {
        let (number, part) = (String(id & 0xFFFF), id >> 16)
        let padded = String(repeating: "0", count: max(0, 4 - number.count)) + number
        return part == 0 ? padded : "\(padded)-\(part + 1)"
    }
}

package struct RecordedPacket: Sendable, Hashable {
    package var track: UInt32
    /// Another one is another stream with other numbers: an SSRC that changed, or another layer of a simulcast.
    package var stream: UInt16
    /// Does not wrap.
    package var sequence: UInt64
    package var timestamp: UInt32
    package var marker: Bool
    package var arrival: MediaTime
    /// Without padding. May be empty: what was padding alone is no hole.
    package var payload: Bytes

    package init(
        track: UInt32, stream: UInt16 = 0, sequence: UInt64, timestamp: UInt32, marker: Bool,
        arrival: MediaTime, payload: Bytes
    ) {
        self.track = track
        self.stream = stream
        self.sequence = sequence
        self.timestamp = timestamp
        self.marker = marker
        self.arrival = arrival
        self.payload = payload
    }
}

/// What a sender said of its clock (RFC 3550 §6.4.1).
package struct RecordedReport: Sendable, Hashable {
    package var track: UInt32
    package var stream: UInt16
    /// Seconds since 1900 in 32.32 fixed point; 0 from who has no clock.
    package var ntpTime: UInt64
    package var timestamp: UInt32
    package var arrival: MediaTime

    package init(track: UInt32, stream: UInt16 = 0, ntpTime: UInt64, timestamp: UInt32, arrival: MediaTime) {
        self.track = track
        self.stream = stream
        self.ntpTime = ntpTime
        self.timestamp = timestamp
        self.arrival = arrival
    }
}

/// For the manifest, word for word.
package struct RecordedConsent: Sendable, Hashable {
    package var participant: UUID
    package var decision: String
    package var means: String
    package var by: UUID
    package var at: Timestamp

    package init(participant: UUID, decision: String, means: String, by: UUID, at: Timestamp) {
        self.participant = participant
        self.decision = decision
        self.means = means
        self.by = by
        self.at = at
    }
}

package enum RecordedEntry: Sendable {
    case began(RecordedTrack)
    case packet(RecordedPacket)
    case report(RecordedReport)
    /// Packets that came and could not be kept.
    case lost(track: UInt32, count: UInt64)
    case ended(track: UInt32, at: MediaTime)
    case participant(UUID, name: String)
    case consent(RecordedConsent)
    /// Who is heard from here on; `nil` for nobody.
    case speaker(UUID?, at: MediaTime)
    /// What was recorded of this participant until here is not exported. Who agrees again begins new tracks.
    case withdrew(UUID, at: MediaTime)
    /// The recording ended as it should; without it, it was interrupted.
    case finished(at: MediaTime)
}

/// A recording, read from the beginning. It is read several times: an export looks before it writes.
package protocol RecordedEntries: AnyObject {
    /// `nil` at the end.
    func next() throws(ExportError) -> RecordedEntry?
}
