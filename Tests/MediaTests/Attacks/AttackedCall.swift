// A call that goes on while somebody attacks: what the viewer must have got in the end, and what the engine may hold.

import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

/// What an engine holds, counted.
struct Footprint: Equatable {
    var participants: Int
    var rooms: Int
    var paths: Int
    var fragments: Int
    var freeSlots: Int

    init(_ engine: MediaEngine) {
        participants = engine.participants.count
        rooms = engine.rooms.count
        paths = engine.paths.count
        fragments = engine.ufrags.count
        freeSlots = engine.slab.freeCount
    }
}

/// One publisher of video, one viewer, and room for a villain.
final class AttackedCall {
    static let packetsPerFrame = 4
    static let frameTime = Duration.milliseconds(33)

    let world: EngineWorld
    let publisher: Int
    let viewer: Int
    private(set) var frames = 0
    private var sequence: SequenceNumber = 100

    init(seed: UInt64, settings: MediaSettings = MediaSettings()) throws {
        world = try EngineWorld(seed: seed, settings: settings)
        publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        viewer = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.milliseconds(300))
        #expect(world.peer(publisher).phase == .connected)
        #expect(world.peer(viewer).phase == .connected)
        play(10)
    }

    var engine: MediaEngine { world.engine }
    var now: Instant { world.net.now }
    var publisherPeer: SoftPeer { world.peer(publisher) }
    var viewerPeer: SoftPeer { world.peer(viewer) }

    /// The viewer's stream of media; the other one repairs it, and probes.
    var stream: SoftPeer.ReceivedStream? { viewerPeer.mediaStream?.value }
    var streamSSRC: SSRC { viewerPeer.mediaStream?.key ?? 0 }

    func participant(_ peer: Int) -> Participant? { engine.participants[world.peers[peer].id] }

    /// Frames of the publisher; `each` is called before each millisecond of the network.
    func play(_ count: Int, each: (Instant) -> Void = { _ in }) {
        for _ in 0..<count {
            publisherPeer.sendFrame(
                section: 0, packets: Self.packetsPerFrame, size: 1_000, timestamp: UInt32(frames) &* 3_000,
                isKeyframe: frames % 30 == 0, pictureID: UInt16(frames) & 0x7FFF, sequence: &sequence, now: now)
            frames += 1
            world.run(Self.frameTime, each: each)
        }
    }

    /// Everything that was published has come, each packet once, and nothing that cannot be decrypted.
    func expectUndisturbed(_ location: SourceLocation = #_sourceLocation) {
        play(5)
        world.run(.milliseconds(200))
        #expect(stream?.packets == frames * Self.packetsPerFrame, sourceLocation: location)
        #expect(stream?.markers == frames, sourceLocation: location)
        #expect(stream?.duplicates == 0, sourceLocation: location)
        #expect(viewerPeer.unreadable == 0, sourceLocation: location)
    }

    /// Somebody without a place in the call.
    func stranger(_ number: UInt32) -> TransportAddress {
        let address = TransportAddress(IPAddress(v4: 0xCB00_7100 + number), 7_000)
        world.net.attach(address)
        return address
    }

    func send(_ datagram: Bytes, from address: TransportAddress) {
        world.net.send(datagram, from: address, to: EngineWorld.serverAddress)
    }

    /// A check with credentials of the sender's choice.
    static func check(naming fragment: String, password: String, seed: UInt64, now: Instant) throws -> Bytes {
        var peer = ICEControllingPeer(
            local: ICECredentials(randomBytes: (0..<ICECredentials.randomByteCount).map { UInt8($0) }),
            remote: try ICECredentials(ufrag: fragment, password: password), seed: seed, now: now)
        return peer.check()
    }
}

extension SoftPeer {
    /// The first stream that carries media, and no repair.
    var mediaStream: (key: SSRC, value: ReceivedStream)? {
        streams.filter { $0.value.retransmissions == 0 }.max { $0.value.packets < $1.value.packets }
    }
}
