// Sound as Ogg Opus (RFC 7845).
//
// A granule position counts samples from the first packet, so there are no gaps in such a file: what was lost or not
// sent (silence) is filled with packets that ask the decoder to conceal it (§4.1), two bytes for 120 ms. Packets whose
// times say less than a frame more or less than their samples count follow each other without: a clock that is off by
// some ppm is followed by a frame left out or put in now and then.

package import Base

package struct OggOpusWriter {
    /// Within that a packet follows the one before; beyond, what is missing is filled in.
    static let slackSamples: Int64 = 960
    /// A packet that begins that far before the end of what is there already is left out. Only a clock that was wrong
    /// sends sound twice.
    static let overlapMax: Int64 = 960
    /// 48 hours of nothing take 3 MB; no recording has a longer gap.
    static let gapMax: Int64 = 48_000 * 172_800
    /// Filled at once: a minute, a whole number of frames of every length.
    private static let gapPart: Int64 = 48_000 * 60
    /// A page each second: what a reader must take in at once, and where it can seek to.
    static let pageSamples: Int64 = 48_000

    private var output: Bytes = []
    private(set) var concealedSamples: Int64 = 0
    private(set) var overlapping = 0

    private let serial: UInt32
    private var sequence: UInt32 = 0
    private var page = OggPage()
    private var pageStart: Int64 = 0
    /// Samples written, the page under way included.
    private var samples: Int64 = 0
    private var lastHeader: UInt8?

    package init(_ track: MuxedTrack) {
        serial = UInt32(truncatingIfNeeded: track.uid ^ track.uid >> 32)
        var head = OggPage()
        head.add(OpusHead.bytes)
        emit(head, .begins, granule: 0)
        var tags = OggPage()
        tags.add(OpusHead.tags(track.name))
        emit(tags, [], granule: 0)
    }

    private mutating func emit(_ page: OggPage, _ flags: OggPage.Flags, granule: Int64) {
        output += page.bytes(flags, granule: granule, serial: serial, sequence: sequence)
        sequence &+= 1
    }

    /// `frame.time` is the file's: the first one's is 0.
    package mutating func add(_ frame: EncodedFrame) {
        guard let header = frame.bytes.first, frame.samples > 0 else { return }
        let position = samplePosition(frame.time)
        if samples - position >= Self.overlapMax {
            overlapping += 1
            return
        }
        if position - samples >= Self.slackSamples { fill(position - samples, after: lastHeader ?? header) }
        append(frame.bytes, Int64(frame.samples))
        lastHeader = header
    }

    private func samplePosition(_ time: MediaTime) -> Int64 { (time / 1_000 &* 48 + 500) / 1_000 }

    private mutating func fill(_ count: Int64, after header: UInt8) {
        var left = min(count, Self.gapMax)
        while left >= Int64(OpusPackets.unit) {
            let part = min(left, Self.gapPart)
            left -= part
            for (packet, length) in OpusPackets.concealment(Int(part), after: header) {
                append(packet, Int64(length))
                concealedSamples += Int64(length)
            }
        }
    }

    private mutating func append(_ packet: Bytes, _ count: Int64) {
        if !page.isEmpty, samples - pageStart >= Self.pageSamples || !page.fits(packet) { closePage([]) }
        page.add(packet)
        samples += count
    }

    private mutating func closePage(_ flags: OggPage.Flags) {
        emit(page, flags, granule: samples)
        page = OggPage()
        pageStart = samples
    }

    /// What is to be appended to the file.
    package mutating func moveOutput(to bytes: inout Bytes) {
        bytes += output
        output.removeAll(keepingCapacity: true)
    }

    /// Milliseconds.
    package var duration: Int64 { max(0, samples - Int64(OpusHead.preSkip)) / 48 }

    /// Nothing is added afterwards.
    package mutating func finish() {
        // The last page says that it is the last, and is not empty: it was kept back for that.
        closePage(.ends)
    }
}
