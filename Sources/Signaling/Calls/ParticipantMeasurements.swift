// What was measured of somebody's media in a call. Everything that was not measured is absent: there are no defaults.

package struct ParticipantMeasurements: Sendable, Equatable {
    package enum Direction: String, Sendable { case sent, received }

    /// One stream, seen from the participant: `sent` comes from them, `received` goes to them.
    package struct Stream: Sendable, Equatable {
        package var direction: Direction
        /// `audio` or `video`.
        package var kind: String
        package var codec: String?
        package var packets: UInt64
        package var bytes: UInt64
        /// As the receiving end counted; `nil` until it has.
        package var lost: Int64?
        /// The share of packets, from 0 to 1, that the receiving end missed.
        package var lossShare: Double?
        package var jitter: Duration?
        package var bitsPerSecond: Int?

        package init(
            direction: Direction, kind: String, codec: String? = nil, packets: UInt64, bytes: UInt64,
            lost: Int64? = nil, lossShare: Double? = nil, jitter: Duration? = nil, bitsPerSecond: Int? = nil
        ) {
            self.direction = direction
            self.kind = kind
            self.codec = codec
            self.packets = packets
            self.bytes = bytes
            self.lost = lost
            self.lossShare = lossShare
            self.jitter = jitter
            self.bitsPerSecond = bitsPerSecond
        }
    }

    /// How long they had media.
    package var duration: Duration
    /// How their packets travel: `udp`, `tcp`.
    package var transport: String?
    package var roundTrip: Duration?
    /// What their network was found to carry, towards them.
    package var estimatedBitsPerSecond: Int?
    /// What their streams would take at their best: above the estimate, quality is being reduced.
    package var wantedBitsPerSecond: Int?
    /// Of audio, from 1 to 4.5.
    package var opinion: Double?
    package var freezes: UInt64?
    package var streams: [Stream]

    package init(
        duration: Duration, transport: String? = nil, roundTrip: Duration? = nil, estimatedBitsPerSecond: Int? = nil,
        wantedBitsPerSecond: Int? = nil, opinion: Double? = nil, freezes: UInt64? = nil, streams: [Stream] = []
    ) {
        self.duration = duration
        self.transport = transport
        self.roundTrip = roundTrip
        self.estimatedBitsPerSecond = estimatedBitsPerSecond
        self.wantedBitsPerSecond = wantedBitsPerSecond
        self.opinion = opinion
        self.freezes = freezes
        self.streams = streams
    }
}
