// What the operator decides about media, and every bound of the engine with its reason.

import Base

package struct MediaSettings: Sendable {
    package var limits = MediaLimits()
    /// What one subscriber may be sent at most, whatever its network could carry.
    package var subscriberBitrateMax = 50_000_000
    /// What one publisher is asked to stay below.
    package var publisherBitrateMax = 8_000_000
    /// Sessions of one room on one shard from which on the next shard takes part. Higher lets a room outgrow its core,
    /// lower copies every packet to more cores before that is needed.
    package var roomSpanThreshold = 200
    /// Video of only so many of the last speakers is sent, besides what is pinned; 0 for everybody's.
    package var lastN = 0
    /// In rooms with more people who send audio than this, only so many of them are heard at once; 0 for everybody.
    /// Lower saves every listener's downlink and decoders; with less than three, people cannot interrupt each other.
    package var loudestN = 8

    package init() {}
}

/// What exceeds a limit gets `MediaError` where somebody negotiates, and is dropped and counted on the wire.
package struct MediaLimits: Sendable {
    /// Participants in the process. Each idle one costs about 100 KiB with DTLS up.
    package var sessions = 10_000
    /// Participants of one room, on all its shards. Each track is mirrored on each of them.
    package var sessionsPerRoom = 1_000
    /// Sources that one participant may send from: simulcast layers and their repair streams for a few tracks. A
    /// source takes state only after a packet of it was authenticated.
    package var sourcesPerParticipant = 64
    /// Media sections of one peer connection that carry media, in each direction.
    package var tracksPerParticipant = 64
    /// Slots of a shard's packet memory (1.5 KiB each, touched when first used): 48 MiB, some two seconds of 60 video
    /// publishers at 2 Mbit/s. Without a free slot a packet is dropped and counted.
    package var packetSlots = 32_768

    package init() {}
}

/// Packets that a stream's ring keeps. A power of two.
enum RingCapacity {
    /// Two seconds at 2.5 Mbit/s, more than any retransmission is worth.
    static let video = 512
    /// 1.3 s of 20 ms packets.
    static let audio = 64
    /// Packets older than this are given back, however few there are: players have gone on without them. Higher keeps
    /// the slots of slow and of silent streams, which others need.
    static let ageLimit = Duration.seconds(2)
    /// When the slab runs short, rings shrink to this: enough for the losses of some 100 ms. Lower would leave repair
    /// to the lucky, higher leaves newcomers without a slot.
    static let shortage = 64
    /// Rings shrink when less than this part of the slab is free: an eighth is 4,096 slots.
    static let reservedPart = 8
}
