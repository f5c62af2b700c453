// What a muxer has made since it was last asked: bytes to append, and bytes to write over what lies there.

package import Base

package struct MuxPatch: Sendable, Equatable {
    package var offset: UInt64
    package var bytes: Bytes

    package init(offset: UInt64, bytes: Bytes) {
        self.offset = offset
        self.bytes = bytes
    }
}

/// What the file says of its track.
package struct MuxedTrack: Sendable, Equatable {
    /// Names in file headers are cut here.
    package static let nameBytesMax = 256

    package var codec: RecordedCodec
    /// Not 0.
    package var uid: UInt64
    /// For people: who, and what of them.
    package var name: String
    /// When the first frame was.
    package var date: Timestamp

    package init(codec: RecordedCodec, uid: UInt64, name: String, date: Timestamp) {
        self.codec = codec
        self.uid = uid
        self.name = name
        self.date = date
    }
}
