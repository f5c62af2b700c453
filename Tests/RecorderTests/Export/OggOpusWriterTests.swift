import Base
import Testing

@testable import Recorder

@Suite struct OggOpusWriterTests {
    private let track = MuxedTrack(codec: .opus, uid: 0x1_0000_0002, name: "Ada", date: Timestamp(secondsSinceEpoch: 0))

    private func write(_ frames: [EncodedFrame]) throws -> (OggReader, Int64) {
        var writer = OggOpusWriter(track)
        for frame in frames { writer.add(frame) }
        writer.finish()
        var bytes: Bytes = []
        writer.moveOutput(to: &bytes)
        let reader = try OggReader(bytes)
        try reader.checkGranules()
        return (reader, writer.duration)
    }

    private func frame(_ index: Int, _ time: MediaTime) -> EncodedFrame {
        EncodedFrame(bytes: [0x78, UInt8(truncatingIfNeeded: index), 3], time: time, isKeyframe: true, samples: 960)
    }

    @Test func `the second reader reads what another program wrote`() throws {
        let reader = try OggReader(MediaFiles.bytes("media/ogg-opus_correct.ogg"))
        #expect(reader.sound.count > 5)
        try reader.checkGranules()
    }

    @Test func `packets of another's file come out as they went in`() throws {
        let sound = try OggReader(MediaFiles.bytes("media/ogg-opus_correct.ogg")).sound
        var samples = 0
        var frames: [EncodedFrame] = []
        for packet in sound {
            let length = try OggReader.samples(packet)
            #expect(OpusPackets.samples(packet) == length)
            let time = MediaTime(samples) * 1_000_000 / 48
            frames.append(EncodedFrame(bytes: packet, time: time, isKeyframe: true, samples: length))
            samples += length
        }
        let (reader, duration) = try write(frames)
        #expect(reader.sound == sound)
        #expect(duration == Int64(samples - 312) / 48)
        #expect(reader.serial == 3 && reader.preSkip == 312 && reader.channels == 2)
    }

    @Test func `a minute has a page each second`() throws {
        let (reader, duration) = try write((0..<3_000).map { frame($0, MediaTime($0) * 20_000_000) })
        #expect(reader.pages.count == 62 && duration == 59_993)
        #expect(reader.sound.count == 3_000)
    }

    @Test func `what was lost or silent is filled, so that what follows is at its time`() throws {
        // A packet lost, then four minutes of silence.
        let times: [MediaTime] = [0, 20, 60, 80, 244_080]
        let (reader, duration) = try write(times.enumerated().map { frame($0, $1 * 1_000_000) })
        var position = 0
        for packet in reader.sound {
            if packet.count == 3 { #expect(position == Int(times[Int(packet[1])]) * 48) }
            position += try OggReader.samples(packet)
        }
        #expect(duration == (244_100 * 48 - 312) / 48)
        #expect(reader.sound.count < 2_100)
    }

    @Test func `a clock that is off by 200 ppm is followed within 20 ms`() throws {
        for skew in [1.0002, 0.9998] {
            let frames = (0..<30_000).map { frame($0, MediaTime(Double($0) * 20_000_000 * skew)) }
            let (reader, duration) = try write(frames)
            let wanted = 600_000 * skew
            #expect(abs(Double(duration) - wanted) < 45)
            // In a hundred seconds a frame is put in or left out.
            #expect(abs(reader.sound.count - 30_000) < 10)
        }
    }

    @Test func `sound that comes twice is heard once`() throws {
        let frames = (0..<50).map { frame($0, MediaTime($0) * 20_000_000) }
        let (reader, _) = try write(frames + frames.suffix(10) + [frame(50, 1_000_000_000)])
        #expect(reader.sound.count == 51)
    }

    @Test func `a packet may be larger than fits one page's lengths with others`() throws {
        let large = EncodedFrame(
            bytes: [0x7B, 2] + Bytes(repeating: 1, count: 2_500), time: 0, isKeyframe: true, samples: 1_920)
        var frames = [large]
        for index in 1..<60 {
            var next = large
            next.time = MediaTime(index) * 40_000_000
            frames.append(next)
        }
        let (reader, _) = try write(frames)
        #expect(reader.sound.count == 60 && reader.sound[59].count == 2_502)
    }
}

@Suite struct SpeakerTrackTests {
    private let ada = UUID(high: 1, low: 1)
    private let bob = UUID(high: 2, low: 2)
    private let second: MediaTime = 1_000_000_000

    @Test func `turns are cues with the speaker's name`() {
        var track = SpeakerTrack()
        track.name(ada, "Ada")
        track.name(bob, "Bob <script> & Co\n-->")
        track.speaker(ada, at: second)
        track.speaker(bob, at: 3 * second)
        track.speaker(nil, at: 3_723 * second + 456_000_000)
        track.finish(at: 4_000 * second)
        #expect(
            track.text == """
                WEBVTT

                00:00:01.000 --> 00:00:03.000
                <v Ada>Ada

                00:00:03.000 --> 01:02:03.456
                <v Bob &lt;script&gt; &amp; Co --&gt;>Bob &lt;script&gt; &amp; Co --&gt;

                """)
    }

    @Test func `coughs are no turns, and whoever goes on after one goes on in the same cue`() {
        var track = SpeakerTrack()
        track.speaker(ada, at: 0)
        track.speaker(bob, at: 5 * second)
        track.speaker(ada, at: 5 * second + 200_000_000)
        track.finish(at: 9 * second)
        #expect(track.text == "WEBVTT\n\n00:00:00.000 --> 00:00:09.000\n<v \(ada)>\(ada)\n")
    }

    @Test func `who withdrew is not named, before or in the middle of a turn`() {
        var track = SpeakerTrack()
        track.name(ada, "Ada")
        track.speaker(ada, at: 0)
        track.speaker(bob, at: 2 * second)
        track.speaker(ada, at: 4 * second)
        track.forget(ada, at: 5 * second)
        track.finish(at: 6 * second)
        #expect(!track.text.contains("Ada") && track.text.contains("00:00:02.000 --> 00:00:04.000"))
    }
}
