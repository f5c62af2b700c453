import Base
import Testing

@testable import Recorder

@Suite struct DepacketizerTests {
    private func timed(_ count: Int, _ add: (inout Packetizer, Int, UInt32, MediaTime) -> Void) -> [TimedPacket] {
        var packetizer = Packetizer()
        for index in 0..<count {
            add(&packetizer, index, UInt32(truncatingIfNeeded: index &* 3_000), MediaTime(index) * 33_000_000)
        }
        return packetizer.packets
    }

    // MARK: Known answers

    @Test func `pictures of VP8 come out as they were before they were cut`() {
        let frames = MediaFiles.ivf("ivf-vp8_correct.ivf")
        #expect(frames.count == 29)
        let packets = timed(frames.count) { packetizer, index, timestamp, time in
            packetizer.room = 100
            packetizer.addVP8(frames[index], timestamp: timestamp, time: time)
        }
        #expect(packets.count > 3 * frames.count)
        let (result, counts) = Depacketizer.frames(.vp8, packets)
        #expect(result.map(\.bytes) == frames)
        #expect(result.first?.isKeyframe == true && result.first?.size == PictureSize(width: 176, height: 144))
        #expect(result.map(\.time) == (0..<frames.count).map { MediaTime($0) * 33_000_000 })
        #expect(counts.droppedFrames == 0 && counts.missingPackets == 0)
    }

    /// OBUs with their sizes, cut at them.
    private func obus(_ unit: Bytes) -> [Bytes] {
        var result: [Bytes] = []
        var offset = 0
        while offset < unit.count {
            var next = offset + (unit[offset] & 4 != 0 ? 2 : 1)
            var (size, shift) = (0, 0)
            repeat {
                size |= Int(unit[next] & 0x7F) << shift
                shift += 7
                next += 1
            } while unit[next - 1] & 0x80 != 0
            result.append(Bytes(unit[offset..<(next + size)]))
            offset = next + size
        }
        return result
    }

    /// As the payload format wants them: no size field.
    private func withoutSize(_ obu: Bytes) -> Bytes {
        var next = obu[0] & 4 != 0 ? 2 : 1
        let head = [obu[0] & ~2] + obu[1..<next]
        while obu[next] & 0x80 != 0 { next += 1 }
        return head + obu[(next + 1)...]
    }

    @Test func `temporal units of AV1 come out with sizes and without delimiters`() throws {
        let units = MediaFiles.ivf("ivf-av1_correct.ivf")
        #expect(units.count > 1)
        let wanted = units.map { obus($0).filter { $0[0] >> 3 & 15 != 2 } }
        let packets = timed(units.count) { packetizer, index, timestamp, time in
            packetizer.room = 200
            packetizer.addAV1(wanted[index].map(withoutSize), timestamp: timestamp, time: time)
        }
        let (frames, counts) = Depacketizer.frames(.av1, packets)
        #expect(frames.map(\.bytes) == wanted.map { $0.flatMap { $0 } })
        #expect(counts.droppedFrames == 0)
        let first = try #require(frames.first)
        #expect(first.isKeyframe && frames.dropFirst().contains { !$0.isKeyframe })
        let header = MediaFiles.bytes("media/ivf-av1_correct.ivf")
        let size = PictureSize(
            width: Int(header[12]) | Int(header[13]) << 8, height: Int(header[14]) | Int(header[15]) << 8)
        #expect(first.size == size)
        let record = try #require(AV1SequenceHeader.configuration(first.bytes))
        #expect(record[0] == 0x81 && record[3] == 0 && record[4] >> 3 & 15 == 1)
    }

    @Test func `units of H.264 come out each with its length, in pictures`() throws {
        let units = MediaFiles.annexB("mediasoup-naluInfo.264")
        // Access units: whatever stands before a slice belongs to it. The file has one slice a picture.
        var pictures: [[Bytes]] = [[]]
        for unit in units where [1, 5, 7, 8].contains(unit[0] & 31) {
            pictures[pictures.count - 1].append(unit)
            if unit[0] & 31 == 1 || unit[0] & 31 == 5 { pictures.append([]) }
        }
        pictures.removeLast()
        #expect(pictures.count > 10)
        let packets = timed(pictures.count) { $0.addH264(pictures[$1], timestamp: $2, time: $3) }
        let (frames, counts) = Depacketizer.frames(.h264, packets)
        #expect(counts.droppedFrames == 0 && frames.count == pictures.count)
        for (frame, picture) in zip(frames, pictures) {
            let wanted = picture.flatMap { unit in
                [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: unit.count >> $0) } + unit
            }
            #expect(frame.bytes == wanted)
            #expect(frame.isKeyframe == picture.contains { $0[0] & 31 == 5 })
        }
        #expect(frames.first?.size.map { $0.width > 100 && $0.height > 100 } == true)
    }

    @Test func `a keyframe of H.264 without its parameters gets those of the description`() throws {
        let units = MediaFiles.annexB("mediasoup-naluInfo.264")
        let sets = units.prefix { $0[0] & 31 != 5 }.filter { $0[0] & 31 == 7 || $0[0] & 31 == 8 }
        let slice = try #require(units.first { $0[0] & 31 == 5 })
        let packets = timed(1) { $0.addH264([slice], timestamp: $2, time: $3) }
        #expect(Depacketizer.frames(.h264, packets).0.isEmpty)
        let (frames, _) = Depacketizer.frames(.h264, packets, parameterSets: Array(sets))
        #expect(frames.count == 1 && frames[0].bytes.count == slice.count + 4 + sets.reduce(0) { $0 + $1.count + 4 })
    }

    // MARK: What a browser sent

    @Test(arguments: [
        ("chromium156-opus_vp8.json", "VP8/90000", RecordedCodec.vp8),
        ("chromium156-vp9_l1t3.json", "VP9/90000", .vp9),
        ("chromium156-av1_l1t1.json", "AV1/90000", .av1),
        ("chromium156-av1_l3t3.json", "AV1/90000", .av1),
        ("chromium156-h264.json", "H264/90000", .h264),
    ])
    func `every picture of a capture is found`(_ file: String, _ name: String, _ codec: RecordedCodec) throws {
        let all = CapturedMedia.read(file).filter { $0.codec == name }
        let ssrc = try #require(all.first?.ssrc)
        let packets = all.filter { $0.ssrc == ssrc }.map(\.packet).sorted { $0.sequence < $1.sequence }
        let whole = Set(packets.filter(\.marker).map(\.timestamp))
        let (frames, counts) = Depacketizer.frames(codec, packets)
        #expect(counts.missingPackets == 0, "the capture has no holes")
        // The capture may stop within a picture.
        #expect(frames.count == whole.count && counts.keyframes > 0)
        let first = try #require(frames.first)
        #expect(first.isKeyframe && first.size.map { $0.width >= 160 && $0.height >= 90 } == true)
    }

    @Test func `every packet of a capture of Opus has its length`() {
        let packets = CapturedMedia.read("chromium156-opus_vp8.json").filter { $0.codec.hasPrefix("opus") }
        #expect(packets.count > 20)
        for packet in packets { #expect(OpusPackets.samples(packet.packet.payload) == 960) }
    }

    // MARK: Holes

    private var vp8: (frames: [Bytes], packets: [TimedPacket]) {
        let frames = MediaFiles.ivf("ivf-vp8_correct.ivf")
        let key = frames[0]
        // Keyframes at 0 and 15, so that there is one to go on with.
        let all = frames.enumerated().map { $0.offset == 15 ? key : $0.element }
        let packets = timed(all.count) { packetizer, index, timestamp, time in
            packetizer.room = 200
            packetizer.addVP8(all[index], timestamp: timestamp, time: time)
        }
        return (all, packets)
    }

    @Test func `after a hole nothing is shown until the next keyframe`() {
        let (frames, packets) = vp8
        let lost = packets.firstIndex { $0.timestamp == 5 * 3_000 }!
        var some = packets
        some.remove(at: lost)
        let (result, counts) = Depacketizer.frames(.vp8, some)
        #expect(result.map(\.bytes) == Array(frames[0..<5]) + Array(frames[15...]))
        #expect(counts.missingPackets == 1 && counts.droppedFrames == frames.count - result.count)
    }

    @Test func `a hole within a keyframe costs that keyframe too`() {
        let (frames, packets) = vp8
        let parts = packets.indices.filter { packets[$0].timestamp == 15 * 3_000 }
        #expect(parts.count > 1)
        for part in parts {
            var some = packets
            some.remove(at: part)
            #expect(Depacketizer.frames(.vp8, some).0.map(\.bytes) == Array(frames[0..<15]))
        }
    }

    @Test func `packets in another order and twice make the same pictures`() {
        let (frames, packets) = vp8
        var shuffled: [TimedPacket] = []
        for start in stride(from: 0, to: packets.count, by: 5) {
            shuffled += packets[start..<min(start + 5, packets.count)].reversed()
        }
        // The first packet begins the numbers: what is before it is not waited for.
        shuffled.insert(packets[0], at: 0)
        let (result, counts) = Depacketizer.frames(.vp8, shuffled + packets)
        #expect(result.map(\.bytes) == frames)
        #expect(counts.duplicates == packets.count + 1)
    }

    @Test func `padding in the numbers is no hole`() {
        let (frames, packets) = vp8
        var padded: [TimedPacket] = []
        for packet in packets {
            var next = packet
            next.sequence = packets[0].sequence + UInt64(padded.count)
            padded.append(next)
            guard packet.marker else { continue }
            next.sequence += 1
            next.marker = false
            next.payload = []
            padded.append(next)
        }
        #expect(Depacketizer.frames(.vp8, padded).0.map(\.bytes) == frames)
    }

    @Test func `another source begins with a keyframe of its own`() {
        let (frames, packets) = vp8
        let switched = packets.map { packet in
            var packet = packet
            if packet.timestamp >= 10 * 3_000 { packet.stream = 1 }
            return packet
        }
        let (result, _) = Depacketizer.frames(.vp8, switched)
        #expect(result.map(\.bytes) == Array(frames[0..<10]) + Array(frames[15...]))
    }

    @Test func `what is late of the layer before completes its pictures, and the new layer waits for it`() {
        let (frames, packets) = vp8
        // The new layer begins with the keyframe at 15; a packet of the old one's last picture comes after that.
        let late = packets.firstIndex { $0.timestamp == 14 * 3_000 }!
        var switched = packets.map { packet in
            var packet = packet
            if packet.timestamp >= 15 * 3_000 { packet.stream = 1 }
            return packet
        }
        switched.insert(switched[late], at: late + 8)
        switched.remove(at: late)
        let (result, counts) = Depacketizer.frames(.vp8, switched)
        #expect(result.map(\.bytes) == frames && counts.droppedFrames == 0)
        // Back to the old layer, whose numbers went on; a packet of the other one that is late then is nothing.
        var back = switched
        let last = switched.filter { $0.stream == 0 }.map(\.sequence).max()!
        for (index, packet) in packets.filter({ $0.timestamp == 0 }).enumerated() {
            var packet = packet
            packet.sequence = last + 10 + UInt64(index)
            packet.timestamp = 40 * 3_000
            back.append(packet)
        }
        back.append(switched.last { $0.stream == 1 }!)
        #expect(Depacketizer.frames(.vp8, back).0.map(\.bytes) == frames + [frames[0]])
    }

    @Test func `the last picture is not shown when its end is missing`() {
        let (frames, packets) = vp8
        let (result, counts) = Depacketizer.frames(.vp8, Array(packets.dropLast()))
        #expect(result.count == frames.count - 1 && counts.droppedFrames == 1)
    }

    @Test func `spatial layers of VP9 make one superframe with an index`() throws {
        // P 0, B and E set, layers 0 and 1; a keyframe's header of 320 by 180, then any bytes.
        let key: Bytes = [0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xF0, 0x0B, 0x30, 0, 1, 2]
        var packetizer = Packetizer()
        let structure: Bytes = [0x30, 0x01, 0x40, 0x00, 0xB4, 0x02, 0x80, 0x01, 0x68]
        packetizer.add(
            [[0x80 | 0x20 | 0x0C | 0x02, 5, 0x00, 0] + structure + key, [0x80 | 0x20 | 0x0C, 5, 0x03, 0, 7, 8, 9]],
            timestamp: 1, time: 0)
        let (frames, _) = Depacketizer.frames(.vp9, packetizer.packets)
        let frame = try #require(frames.first)
        #expect(frame.isKeyframe && frame.size == PictureSize(width: 640, height: 360))
        #expect(frame.bytes == key + [7, 8, 9] + [0xC1, UInt8(key.count), 3, 0xC1])
    }

    // MARK: Refusals

    @Test func `sound that no decoder takes is left out`() {
        #expect(OpusPackets.samples([]) == nil)
        #expect(OpusPackets.samples([0x01, 1, 2, 3]) == nil, "two frames of one size in three bytes")
        #expect(OpusPackets.samples([0x03]) == nil && OpusPackets.samples([0x03, 0]) == nil)
        #expect(OpusPackets.samples([0x1B, 3]) == nil, "three times 60 ms")
        #expect(OpusPackets.samples([0x02, 255]) == nil && OpusPackets.samples([0x02, 9, 1]) == nil)
        #expect(OpusPackets.samples([0x78]) == 960 && OpusPackets.samples([0x19, 1, 2]) == 5_760)
    }

    @Test func `what conceals a gap is as long as the gap, to 2.5 ms`() throws {
        for (gap, header) in [(960, 0x78), (11_700, 0x78), (5_879, 0x08), (119, 0x78), (2_880, 0x1C)] {
            let packets = OpusPackets.concealment(gap, after: UInt8(header))
            #expect(packets.reduce(0) { $0 + $1.samples } == gap / 120 * 120)
            for (packet, samples) in packets {
                #expect(packet.count <= 2 && samples <= 5_760)
                #expect(OpusPackets.samples(packet) == samples)
                #expect(try OggReader.samples(packet) == samples)
                #expect(packet[0] & 4 == UInt8(header) & 4, "as many channels as before")
            }
        }
    }

    @Test func `a packet that does not come is waited for, but not for ever`() {
        var buffer = ReorderBuffer()
        var events: [ReorderBuffer.Event] = []
        func packet(_ sequence: UInt64, _ arrival: MediaTime) -> TimedPacket {
            TimedPacket(
                stream: 0, sequence: sequence, timestamp: 0, marker: false, arrival: arrival, time: arrival,
                payload: [1])
        }
        buffer.add(packet(1, 0), into: &events)
        buffer.add(packet(3, 10), into: &events)
        buffer.add(packet(4, ExportLimits.waitingTime), into: &events)
        #expect(events == [.packet(packet(1, 0))])
        buffer.add(packet(5, ExportLimits.waitingTime + 11), into: &events)
        #expect(events.count == 5 && events[1] == .hole(1))
        buffer.add(packet(2, ExportLimits.waitingTime + 12), into: &events)
        #expect(events.count == 5 && buffer.duplicates == 1, "too late")
        for number in 0...UInt64(ExportLimits.waitingPackets) {
            buffer.add(packet(7 + number, ExportLimits.waitingTime + 13), into: &events)
        }
        #expect(events[5] == .hole(1) && events.count == 6 + ExportLimits.waitingPackets + 1)
    }
}
