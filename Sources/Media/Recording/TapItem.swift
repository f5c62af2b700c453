// What a tap says, as plain values. The page is docs/media/recording.md.

package import Base

/// One thing that a pipe holds for its reader.
package enum TapItem: Sendable {
    /// Its bytes are `TapPipe.payload` and `TapPipe.descriptor`, until the next `next`.
    case packet(TapPacket)
    case report(TapReport)
    case gap(TapGap)
    case event(TapEvent)
    /// Everything was read, and nothing more will come. Said again whenever asked.
    case ended(TapEnd)
}

/// One RTP packet of a publisher. Plain memory: lies in the pipe as it is.
package struct TapPacket: Sendable, Equatable {
    package struct Flags: OptionSet, Sendable, Hashable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The RTP header's.
        package static let marker = Flags(rawValue: 1)
        /// A keyframe, as far as this packet shows it: the first of it does.
        package static let keyframe = Flags(rawValue: 2)
        /// The first packet of a frame. H.264 and H.265 show it without a descriptor only where a keyframe begins.
        package static let startsFrame = Flags(rawValue: 4)
        /// The last packet of a frame of one spatial layer. Not set says nothing: often the marker alone tells.
        package static let endsFrame = Flags(rawValue: 8)
        /// No other frame refers to this one.
        package static let discardable = Flags(rawValue: 16)
        /// The publisher heard a voice (RFC 6464), by its own account.
        package static let voice = Flags(rawValue: 32)
    }

    /// `TapTrack.number`, of the same pipe.
    package var track: UInt32
    /// Of the track: another source or layer has another one.
    package var stream: UInt16
    /// Of simulcast, 0 the lowest in the description's order.
    package var layer: UInt8
    package var payloadType: UInt8
    /// Without wrap. The first of a stream is about 65,536 plus what its packet says.
    package var sequence: UInt64
    /// When the batch that it came in was received, on the monotonic clock.
    package var arrival: Instant
    package var timestamp: UInt32
    package var flags: Flags
    /// Layers within the stream; 0 where the codec has or tells none.
    package var spatial: UInt8
    package var temporal: UInt8
    /// -dBov, 127 for silence; `noLevel` when the packet says nothing.
    package var audioLevel: UInt8
    /// Coordination of video orientation (3GPP TS 26.114 §7.4.5), as it came; `noOrientation` when the packet says
    /// nothing, which means: as before.
    package var orientation: UInt8
    package var descriptorLength: UInt8
    package var payloadLength: UInt16

    package static let noLevel: UInt8 = 255
    package static let noOrientation: UInt8 = 255
}

/// A sender report (RFC 3550 §6.4.1): the publisher's clocks at one time.
package struct TapReport: Sendable, Equatable {
    package var track: UInt32
    package var stream: UInt16
    package var layer: UInt8
    package var timestamp: UInt32
    /// Seconds since 1900 in the upper half; 0 from who has no clock.
    package var ntpTime: UInt64
    package var arrival: Instant
}

/// Packets that the reader was too slow for.
package struct TapGap: Sendable, Equatable {
    package var track: UInt32
    package var packets: UInt32
    /// Of the first of them.
    package var since: Instant
}

package enum TapEvent: Sendable, Equatable {
    case began(TapTrack)
    /// Nothing of it is heard from then on, or something again: mute, hold or missing permission.
    case held(track: UInt32, Bool, at: Instant)
    /// `unsaid`: packets that no gap has told of.
    case trackEnded(track: UInt32, TapTrackEnd, unsaid: UInt32, at: Instant)
    /// Who is the dominant speaker now; nil for somebody who is not tapped.
    case speaks(owner: UUID?, session: UUID?, at: Instant)
}

/// A published track, as it was agreed.
package struct TapTrack: Sendable, Equatable {
    /// Within its pipe; never used again there.
    package let number: UInt32
    package let owner: UUID
    package let session: UUID
    package let kind: MediaKind
    /// The section of the publisher's description.
    package let mid: String
    /// As the publisher named them (`a=msid`), if it did.
    package let streamID: String?
    package let trackID: String?
    /// By payload type: what packets may have. `remoteParameters` are the sender's own.
    package let codecs: [NegotiatedCodec]
    /// Of simulcast; 1 without.
    package let layerCount: Int
    package let isHeld: Bool
    /// From when on it is heard.
    package let at: Instant
}

package enum TapTrackEnd: Sendable, Equatable {
    /// The publisher took it back, changed its codecs, or left.
    case unpublished
    /// `setTapped(owner, false)`.
    case withdrawn
    case stopped
}

package enum TapEnd: UInt8, Sendable {
    /// By `stopTap`, or with the server.
    case stopped = 1
    /// The reader has left more events unread than there is room for.
    case overrun = 2
}
