// What a browser really sent, through the engine to a viewer, codec by codec: everything that should be forwarded is,
// under numbers without a hole, and keyframes are known for what they are.

import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

private struct Capture {
    struct Packet {
        var milliseconds: Int
        var bytes: Bytes
        var isMedia: Bool
    }

    var offer: String
    var packets: [Packet]

    init(_ file: String) throws {
        let value = try RTPVectors.json("captures/" + file)
        offer = value["meta"]?["offer_sdp"]?.stringValue ?? ""
        let list: [JSONValue] = value["packets"]?.arrayValue ?? []
        packets = list.compactMap { packet in
            guard packet["dir"]?.stringValue == "offerer->answerer", let bytes = RTPVectors.packet(packet) else {
                return nil
            }
            return Packet(
                milliseconds: Int((packet["t"]?.numberValue ?? 0) * 1_000), bytes: bytes,
                isMedia: packet["kind"]?.stringValue == "rtp")
        }
    }
}

@Suite struct CaptureReplayTests {
    /// A file, and the payload types that are media in it.
    struct Case: CustomTestStringConvertible, Sendable {
        var file: String
        var types: Set<UInt8>
        /// The simulcast layer that the viewer is to get: the recording holds one.
        var layer: UInt8 = 0
        var testDescription: String { file }
    }

    static let cases = [
        Case(file: "chromium156-opus_vp8.json", types: [111, 96]),
        Case(file: "chromium156-vp8_twobyte_ext.json", types: [111, 96]),
        Case(file: "chromium156-vp8_remb.json", types: [96]),
        Case(file: "chromium156-vp9_l1t3.json", types: [98]),
        Case(file: "chromium156-h264.json", types: [102]),
        Case(file: "chromium156-h264_simulcast.json", types: [102]),
        Case(file: "chromium156-av1_l1t1.json", types: [45]),
        Case(file: "chromium156-av1_l3t3.json", types: [45]),
        Case(file: "chromium156-pcmu_dtmf.json", types: [0, 126]),
    ]

    @Test(arguments: cases) func `A browser's packets come out of the engine as they went in`(_ test: Case) throws {
        let capture = try Capture(test.file)
        let world = try EngineWorld(seed: 61)
        let publisher = try world.join("r", as: .publisher, []) { $0.offer(adapting: capture.offer) }
        let viewer = try world.join("r", as: .viewer, []) {
            $0.offer(adapting: Self.receiving(capture.offer))
        }
        world.run(.milliseconds(300))
        #expect(world.peer(publisher).phase == .connected)
        let watching = try #require(world.engine.participants[world.peers[viewer].id])
        for subscription in watching.subscriptions where subscription.kind == .video {
            subscription.setTarget(LayerTarget(simulcast: test.layer), now: world.net.now)
        }
        var received: [SSRC: [(header: RTPHeader, payload: Bytes)]] = [:]
        world.peer(viewer).onPacket = { header, packet in
            received[header.ssrc, default: []].append((header, Bytes(packet.dropFirst(Int(header.headerLength)))))
        }
        var sent: [SSRC: [Bytes]] = [:]
        var unwrappers: [SSRC: SequenceUnwrapper] = [:]
        for packet in capture.packets {
            let due = SimClock.start + .milliseconds(Int64(300 + packet.milliseconds))
            if due > world.net.now { world.run(due - world.net.now) }
            guard packet.isMedia, let header = try? RTPHeader(parsing: packet.bytes.span.bytes) else {
                world.peer(publisher).sendReports(packet.bytes)
                continue
            }
            let index = unwrappers[header.ssrc, default: SequenceUnwrapper()].unwrap(header.sequenceNumber) & 0xFFFF
            world.peer(publisher).sendRaw(packet.bytes, index: index)
            guard test.types.contains(header.payloadType),
                let padding = header.paddingLength(in: packet.bytes.span.bytes)
            else { continue }
            let payload = packet.bytes.dropFirst(Int(header.headerLength)).dropLast(padding)
            if !payload.isEmpty { sent[header.ssrc, default: []].append(Bytes(payload)) }
        }
        world.run(.milliseconds(300))
        try compare(sent, received)
        #expect(world.peer(viewer).unreadable == 0)
        let participant = try #require(world.engine.participants[world.peers[publisher].id])
        #expect(participant.counters.malformed == 0)
        for layer in participant.tracks.filter({ $0.kind == .video }).flatMap(\.layers) {
            #expect(layer.keyframes.keyframeCount > 0)
        }
    }

    private func compare(
        _ sent: [SSRC: [Bytes]], _ received: [SSRC: [(header: RTPHeader, payload: Bytes)]]
    ) throws {
        #expect(!sent.isEmpty)
        for (ssrc, payloads) in sent {
            // Streams are told apart by how much of what was sent they carry.
            let match = received.values.max { left, right in
                left.filter { payloads.contains($0.payload) }.count
                    < right.filter { payloads.contains($0.payload) }.count
            }
            let stream = try #require(match, "nothing came of \(ssrc)")
            #expect(stream.count == payloads.count, "of \(ssrc)")
            let numbers = stream.map(\.header.sequenceNumber)
            for (before, after) in zip(numbers, numbers.dropFirst()) { #expect(after == before &+ 1) }
        }
    }

    /// The same description from the other side.
    private static func receiving(_ offer: String) -> String {
        offer.split(whereSeparator: \.isNewline).map(String.init).filter { line in
            !["a=ssrc", "a=rid", "a=simulcast", "a=msid:"].contains(where: line.hasPrefix)
        }.map { $0 == "a=sendonly" || $0 == "a=sendrecv" ? "a=recvonly" : $0 }.joined(separator: "\r\n") + "\r\n"
    }
}
