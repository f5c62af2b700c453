import Base
import Testing

@testable import Recorder

@Suite struct MatroskaWriterTests {
    private let track = MuxedTrack(
        codec: .vp8, uid: 77, name: "Ada <b>, camera", date: Timestamp(secondsSinceEpoch: 1_700_000_000))
    private let millisecond: MediaTime = 1_000_000

    private func finish(_ writer: inout MatroskaWriter) -> Bytes {
        let patches = writer.finish()
        var bytes: Bytes = []
        writer.moveOutput(to: &bytes)
        for patch in patches {
            bytes.replaceSubrange(Int(patch.offset)..<(Int(patch.offset) + patch.bytes.count), with: patch.bytes)
        }
        return bytes
    }

    private func frame(_ time: MediaTime, key: Bool, _ count: Int = 100) -> EncodedFrame {
        EncodedFrame(
            bytes: Bytes(repeating: UInt8(truncatingIfNeeded: time / millisecond), count: count), time: time,
            isKeyframe: key, size: PictureSize(width: 640, height: 360))
    }

    /// Half a minute at 25 pictures a second, with keyframes at these pictures.
    private func file(keys: Set<Int>, count: Int = 750) throws -> (Bytes, [EncodedFrame]) {
        let frames = (0..<count).map { frame(MediaTime($0) * 40 * millisecond, key: keys.contains($0)) }
        var writer = try #require(MatroskaWriter(track, first: frames[0]))
        for frame in frames { writer.add(frame) }
        return (finish(&writer), frames)
    }

    @Test func `a second reader finds every frame, its time and the whole index`() throws {
        let (bytes, frames) = try file(keys: [0, 100, 110, 120, 500])
        let reader = try MatroskaReader(bytes)
        try reader.checkIndex()
        let blocks = try reader.blocks()
        #expect(blocks.map(\.bytes) == frames.map(\.bytes))
        #expect(blocks.map(\.time) == (0..<750).map { $0 * 40 })
        #expect(blocks.map(\.isKeyframe) == frames.map(\.isKeyframe))
        #expect(reader.text("DocType", in: reader.roots[0]) == "webm")
        #expect(reader.float("Info/Duration") == 30_000)
        #expect(reader.text("Tracks/TrackEntry/CodecID") == "V_VP8")
        #expect(reader.text("Tracks/TrackEntry/Name") == "Ada <b>, camera")
        #expect(reader.unsigned("Tracks/TrackEntry/TrackUID") == 77)
        #expect(reader.unsigned("Tracks/TrackEntry/Video/PixelWidth") == 640)
        #expect(reader.unsigned("Tracks/TrackEntry/Video/PixelHeight") == 360)
        // Nanoseconds since 2001.
        #expect(reader.unsigned("Info/DateUTC") == (1_700_000_000 - 978_307_200) * 1_000_000_000)
    }

    @Test func `clusters last five seconds at most, and cues are at keyframes a second apart`() throws {
        let (bytes, _) = try file(keys: [0, 100, 110, 120, 500])
        let reader = try MatroskaReader(bytes)
        let blocks = try reader.blocks()
        for cluster in Set(blocks.map(\.cluster)) {
            let times = blocks.filter { $0.cluster == cluster }.map(\.time)
            #expect(times.last! - times.first! <= 5_000)
        }
        let cues = reader.all("CuePoint", in: reader.find("Cues")).compactMap { reader.unsigned("CueTime", in: $0) }
        // 110 and 120 are within a second of 100.
        #expect(cues == [0, 4_000, 20_000])
    }

    @Test func `a recording of keyframes alone has a cue each second, not for each picture`() throws {
        let (bytes, _) = try file(keys: Set(0..<750))
        let reader = try MatroskaReader(bytes)
        try reader.checkIndex()
        #expect(reader.all("CuePoint", in: reader.find("Cues")).count == 30)
    }

    @Test func `a frame larger than a cluster has one of its own`() throws {
        var writer = try #require(MatroskaWriter(track, first: frame(0, key: true)))
        let counts = [10, 3 << 20, 10, 3 << 20, 127, 126, 125, 124, 123]
        for (index, count) in counts.enumerated() {
            writer.add(frame(MediaTime(index) * 10 * millisecond, key: index == 0, count))
        }
        let reader = try MatroskaReader(finish(&writer))
        let blocks = try reader.blocks()
        #expect(blocks.map(\.bytes.count) == counts)
        #expect(blocks[1].cluster != blocks[0].cluster && blocks[2].cluster != blocks[1].cluster)
    }

    @Test func `a file that was not finished is read to its last whole cluster`() throws {
        let frames = (0..<300).map { frame(MediaTime($0) * 40 * millisecond, key: $0 % 50 == 0) }
        var writer = try #require(MatroskaWriter(track, first: frames[0]))
        for frame in frames { writer.add(frame) }
        var bytes: Bytes = []
        writer.moveOutput(to: &bytes)
        let reader = try MatroskaReader(bytes, isFinished: false)
        #expect(try reader.blocks().count == 250)
        #expect(reader.find("SeekHead") == nil && reader.find("Void") != nil)
    }

    @Test func `times that go back stand still`() throws {
        var writer = try #require(MatroskaWriter(track, first: frame(0, key: true)))
        for time: MediaTime in [0, 80, 40, 120] { writer.add(frame(time * millisecond, key: time == 0)) }
        #expect(try MatroskaReader(finish(&writer)).blocks().map(\.time) == [0, 80, 80, 120])
    }

    @Test func `no header is made without a size or without parameters`() {
        let bare = EncodedFrame(bytes: [1], time: 0, isKeyframe: true)
        #expect(MatroskaWriter(track, first: bare) == nil)
        for codec in [RecordedCodec.av1, .h264, .h265] {
            var other = track
            other.codec = codec
            #expect(MatroskaWriter(other, first: frame(0, key: true)) == nil)
        }
    }

    @Test func `the configuration of H.264 has the profile, the length of lengths, and the sets`() throws {
        let units = MediaFiles.annexB("mediasoup-naluInfo.264")
        let sps = try #require(units.first { $0[0] & 31 == 7 })
        let pps = try #require(units.first { $0[0] & 31 == 8 })
        var packetizer = Packetizer()
        let slice = try #require(units.first { $0[0] & 31 == 5 })
        packetizer.addH264([sps, pps, slice], timestamp: 0, time: 0)
        var depacketizer = Depacketizer(.h264)
        var frames: [EncodedFrame] = []
        for packet in packetizer.packets { depacketizer.add(packet, into: &frames) }
        var other = track
        other.codec = .h264
        let key = try #require(frames.first)
        var writer = try #require(MatroskaWriter(other, first: key, parameterSets: depacketizer.parameterSets))
        writer.add(key)
        let reader = try MatroskaReader(finish(&writer))
        #expect(reader.text("DocType", in: reader.roots[0]) == "matroska")
        let record = try #require(reader.binary("Tracks/TrackEntry/CodecPrivate"))
        var wanted: Bytes = [1, sps[1], sps[2], sps[3], 0xFF, 0xE1, UInt8(sps.count >> 8), UInt8(sps.count & 255)]
        wanted += sps + [1, UInt8(pps.count >> 8), UInt8(pps.count & 255)] + pps
        #expect(record.starts(with: wanted))
    }

    @Test func `numbers of EBML are as short as can be, and never all ones`() {
        #expect(EBML.size(0) == [0x80] && EBML.size(126) == [0xFE])
        #expect(EBML.size(127) == [0x40, 0x7F] && EBML.size(16_382) == [0x7F, 0xFE])
        #expect(EBML.size(16_383) == [0x20, 0x3F, 0xFF])
        #expect(EBML.size(5, width: 8) == [1, 0, 0, 0, 0, 0, 0, 5])
        #expect(EBML.unsigned(0xD7, 0) == [0xD7, 0x81, 0] && EBML.unsigned(0xD7, 256) == [0xD7, 0x82, 1, 0])
        for count in [2, 9, 100, 128, 129, 200, 1_000] { #expect(EBML.void(count).count == count) }
    }
}
