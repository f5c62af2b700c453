// Files and captures of others, read by code that shares nothing with what is tested.

import Base
import Glibc
import Wire

@testable import Recorder

enum MediaFiles {
    static func bytes(_ name: String, from file: String = #filePath) -> Bytes {
        let parts = file.split(separator: "/", omittingEmptySubsequences: false)
        let tests = parts.lastIndex(of: "Tests") ?? 0
        return contents(parts[...tests].joined(separator: "/") + "/Vectors/" + name)
    }

    static func contents(_ path: String) -> Bytes {
        guard let file = fopen(path, "rb") else { return [] }
        defer { fclose(file) }
        var bytes: Bytes = []
        var chunk = Bytes(repeating: 0, count: 65_536)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    /// The frames of an IVF file: 32 bytes of header, then each with 12.
    static func ivf(_ name: String) -> [Bytes] {
        let bytes = bytes("media/" + name)
        var frames: [Bytes] = []
        var offset = 32
        while offset + 12 <= bytes.count {
            let size = (0..<4).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
            guard offset + 12 + size <= bytes.count else { break }
            frames.append(Bytes(bytes[(offset + 12)..<(offset + 12 + size)]))
            offset += 12 + size
        }
        return frames
    }

    /// The NAL units of an Annex B file, without their start codes.
    static func annexB(_ name: String) -> [Bytes] {
        let bytes = bytes("media/" + name)
        var units: [Bytes] = []
        var start: Int?
        var index = 0
        while index + 2 < bytes.count {
            if bytes[index] == 0, bytes[index + 1] == 0, bytes[index + 2] == 1 {
                if let start {
                    var end = index
                    while end > start, bytes[end - 1] == 0 { end -= 1 }
                    units.append(Bytes(bytes[start..<end]))
                }
                start = index + 3
                index += 3
            } else {
                index += 1
            }
        }
        if let start { units.append(Bytes(bytes[start...])) }
        return units
    }
}

/// A packet of a browser's, as an independent decoder cut it up.
struct CapturedMedia {
    var ssrc: Int
    var codec: String
    var packet: TimedPacket

    static func read(_ file: String) -> [CapturedMedia] {
        let limits = JSONLimits(depth: 32, values: 1_000_000)
        let value = try? JSONValue(parsing: MediaFiles.bytes("rtp/captures/" + file), limits: limits)
        var highest: [Int: UInt64] = [:]
        return (value?["packets"]?.arrayValue ?? []).compactMap { CapturedMedia($0, &highest) }
    }

    private init?(_ value: JSONValue, _ highest: inout [Int: UInt64]) {
        guard value["kind"]?.stringValue == "rtp", let decoded = value["decoded"],
            let text = value["hex"]?.stringValue, let bytes = Hex.decode(text),
            let codec = decoded["codec"]?.stringValue, !codec.hasPrefix("rtx"),
            let header = decoded["header_size"]?.integerValue, let size = decoded["payload_size"]?.integerValue,
            let ssrc = decoded["ssrc"]?.integerValue, let number = decoded["seq"]?.integerValue,
            let timestamp = decoded["timestamp"]?.integerValue
        else { return nil }
        self.codec = codec
        self.ssrc = Int(ssrc)
        // Counted on over the 16 bits.
        let before = highest[self.ssrc] ?? UInt64(number) + 65_536
        let step = Int16(truncatingIfNeeded: Int(number) &- Int(truncatingIfNeeded: before))
        let sequence = UInt64(Int64(before) + Int64(step))
        highest[self.ssrc] = max(sequence, before)
        let arrival = MediaTime((value["t"]?.numberValue ?? 0) * 1e9)
        packet = TimedPacket(
            stream: 0, sequence: sequence, timestamp: UInt32(truncatingIfNeeded: timestamp),
            marker: decoded["marker"]?.integerValue == 1, arrival: arrival, time: arrival,
            payload: Bytes(bytes[Int(header)..<Int(header + size)]))
    }
}

/// Frames cut into packets, as a sender would.
struct Packetizer {
    var sequence: UInt64 = 1_000
    /// Of a payload.
    var room = 1_000
    var packets: [TimedPacket] = []

    mutating func add(_ payloads: [Bytes], timestamp: UInt32, time: MediaTime) {
        for (index, payload) in payloads.enumerated() {
            packets.append(
                TimedPacket(
                    stream: 0, sequence: sequence, timestamp: timestamp, marker: index == payloads.count - 1,
                    arrival: time, time: time, payload: payload))
            sequence += 1
        }
    }

    func pieces(_ bytes: Bytes) -> [Bytes] {
        stride(from: 0, to: bytes.count, by: room).map { Bytes(bytes[$0..<min($0 + room, bytes.count)]) }
    }

    mutating func addVP8(_ frame: Bytes, timestamp: UInt32, time: MediaTime) {
        let payloads = pieces(frame).enumerated().map { [$0.offset == 0 ? 0x10 : 0x00] + $0.element }
        add(payloads, timestamp: timestamp, time: time)
    }

    /// OBUs of a temporal unit with sizes, into one element a packet, sizes taken out.
    mutating func addAV1(_ obus: [Bytes], timestamp: UInt32, time: MediaTime) {
        var payloads: [Bytes] = []
        for (index, obu) in obus.enumerated() {
            let pieces = pieces(obu)
            for (part, piece) in pieces.enumerated() {
                var head: UInt8 = 0x10
                if part > 0 { head |= 0x80 }
                if part < pieces.count - 1 { head |= 0x40 }
                if index == 0 && part == 0 && obu[0] >> 3 & 15 == 1 { head |= 0x08 }
                payloads.append([head] + piece)
            }
        }
        add(payloads, timestamp: timestamp, time: time)
    }

    /// Parameter sets together (STAP-A), small units alone, large ones in fragments (FU-A).
    mutating func addH264(_ units: [Bytes], timestamp: UInt32, time: MediaTime) {
        var payloads: [Bytes] = []
        let sets = units.filter { $0[0] & 31 == 7 || $0[0] & 31 == 8 }
        if sets.count > 1 {
            var aggregate: Bytes = [24]
            for set in sets {
                aggregate.append(bigEndian: UInt16(set.count))
                aggregate += set
            }
            payloads.append(aggregate)
        }
        for unit in units where sets.count < 2 || !(unit[0] & 31 == 7 || unit[0] & 31 == 8) {
            guard unit.count > room else {
                payloads.append(unit)
                continue
            }
            let pieces = pieces(Bytes(unit.dropFirst()))
            for (index, piece) in pieces.enumerated() {
                let flags: UInt8 = (index == 0 ? 0x80 : 0) | (index == pieces.count - 1 ? 0x40 : 0)
                payloads.append([unit[0] & 0xE0 | 28, flags | unit[0] & 31] + piece)
            }
        }
        add(payloads, timestamp: timestamp, time: time)
    }
}

extension Depacketizer {
    /// All of a track at once.
    static func frames(
        _ codec: RecordedCodec, _ packets: [TimedPacket], parameterSets: [Bytes] = []
    ) -> ([EncodedFrame], FrameCounts) {
        var depacketizer = Depacketizer(codec, parameterSets: parameterSets)
        var frames: [EncodedFrame] = []
        for packet in packets { depacketizer.add(packet, into: &frames) }
        depacketizer.finish(into: &frames)
        return (frames, depacketizer.counts)
    }
}
