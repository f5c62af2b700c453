// The forwarder of a stream, be it of audio or of video.

import Base
import Wire

/// The stream goes on when its source changes, so a source's layers are numbered anew with each: the forwarders then
/// take a new source for another layer, and switch to it as they switch layers.
struct StreamForwarder {
    private let kind: MediaKind
    private var video: VideoForwarder
    private var audio: AudioForwarder
    private var sourceNumber: UInt32 = 0
    private var target = LayerTarget(simulcast: nil)

    init(_ kind: MediaKind) {
        self.kind = kind
        video = VideoForwarder(codec: .vp8)
        audio = AudioForwarder()
    }

    mutating func attach(codec: VideoCodec?, clockRate: UInt32) {
        sourceNumber &+= 1
        if kind == .audio {
            audio.select(sourceNumber, clockRate: clockRate)
        } else if let codec {
            video.beginSource(codec: codec)
        }
    }

    mutating func detach() {
        audio.select(nil)
        setTarget(LayerTarget(simulcast: nil))
    }

    mutating func setTarget(_ target: LayerTarget) {
        guard target != self.target else { return }
        self.target = target
        video.setTarget(target)
    }

    /// The layer of which the subscriber waits for a keyframe.
    var wantsKeyframe: UInt8? { kind == .video ? video.wantsKeyframe : nil }

    /// A packet that the subscriber has no use for: its number is used by the next one.
    mutating func skip(_ packet: borrowing ForwardInput) {
        if kind == .video {
            var empty = copy packet
            empty.payloadLength = 0
            _ = video.offer(empty)
        } else {
            _ = audio.offer(
                AudioInput(
                    source: sourceNumber, sequence: packet.sequence, timestamp: packet.timestamp,
                    arrival: packet.arrival, isSilenced: true))
        }
    }

    /// What is added to the timestamps of what is sent now; `nil` while nothing is.
    var timestampOffset: UInt32? { kind == .video ? video.timestampOffset : audio.timestampOffset }
    /// The publisher's packet for which a number was kept that was never sent.
    func unsentSource(of number: ExtendedSequence) -> (layer: UInt8, sequence: ExtendedSequence)? {
        kind == .video ? video.unsentSource(of: number) : nil
    }

    /// The simulcast layer that is sent now.
    var shownLayer: UInt8? { kind == .video ? video.current : nil }
    /// Of the layers sent now, the highest.
    var shownSpatial: UInt8 { video.spatial }
    var shownTemporal: UInt8 { video.temporal }

    @inline(__always)
    mutating func offer(_ packet: borrowing ForwardInput) -> ForwardVerdict {
        if kind == .video { return video.offer(packet) }
        return audio.offer(
            AudioInput(
                source: sourceNumber, sequence: packet.sequence, timestamp: packet.timestamp, marker: packet.marker,
                arrival: packet.arrival, senderClock: packet.senderClock, isSilenced: packet.isSilenced))
    }
}
