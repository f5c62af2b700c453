// What depacketisers make of packets, and muxers write.

package import Base

package struct PictureSize: Sendable, Hashable {
    package var width: Int
    package var height: Int

    package init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }
}

/// One picture or one packet of sound, whole.
package struct EncodedFrame: Sendable, Equatable {
    package var bytes: Bytes
    package var time: MediaTime
    package var isKeyframe: Bool
    /// Of a keyframe, when its header tells.
    package var size: PictureSize?
    /// Of sound, in samples of 48 kHz; 0 for pictures.
    package var samples: Int

    package init(bytes: Bytes, time: MediaTime, isKeyframe: Bool, size: PictureSize? = nil, samples: Int = 0) {
        self.bytes = bytes
        self.time = time
        self.isKeyframe = isKeyframe
        self.size = size
        self.samples = samples
    }
}

/// A packet on its way to become a frame: its time is the recording's already.
package struct TimedPacket: Sendable, Equatable {
    package var stream: UInt16
    package var sequence: UInt64
    package var timestamp: UInt32
    package var marker: Bool
    package var arrival: MediaTime
    package var time: MediaTime
    package var payload: Bytes

    package init(_ packet: RecordedPacket, time: MediaTime) {
        stream = packet.stream
        sequence = packet.sequence
        timestamp = packet.timestamp
        marker = packet.marker
        arrival = packet.arrival
        self.time = time
        payload = packet.payload
    }

    package init(
        stream: UInt16, sequence: UInt64, timestamp: UInt32, marker: Bool, arrival: MediaTime,
        time: MediaTime, payload: Bytes
    ) {
        self.stream = stream
        self.sequence = sequence
        self.timestamp = timestamp
        self.marker = marker
        self.arrival = arrival
        self.time = time
        self.payload = payload
    }
}
