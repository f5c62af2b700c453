// plexibench media-server: the media path alone in a process of its own: one loop, one engine, one socket. Who started
// it speaks to it over descriptor 0, a socket pair:
//
//     join ROOM viewer|publisher COUNT\n and COUNT bytes of SDP   ->  ok COUNT\n and COUNT bytes of SDP
//     counters\n                                                  ->  ok SENT DROPPED UNREACHABLE\n

import Base
import Crypto
import Glibc
import Media
import Net
import Wire

/// Lines, and bytes by their number, over one descriptor. Blocking.
final class LineChannel: @unchecked Sendable {
    let descriptor: Int32
    private var buffer: Bytes = []

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    private func fill() -> Bool {
        var chunk = Bytes(repeating: 0, count: 64 << 10)
        let count = read(descriptor, &chunk, chunk.count)
        guard count > 0 else { return false }
        buffer += chunk[..<count]
        return true
    }

    /// `nil` at the end.
    func line() -> String? {
        while true {
            if let end = buffer.firstIndex(of: 0x0A) {
                defer { buffer.removeFirst(end + 1) }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            guard fill() else { return nil }
        }
    }

    func bytes(_ count: Int) -> String? {
        while buffer.count < count { guard fill() else { return nil } }
        defer { buffer.removeFirst(count) }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    func say(_ text: String) {
        var rest = Bytes(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}

func runMediaServer() {
    raiseDescriptorLimit()
    runToEnd {
        let channel = LineChannel(0)
        let loop = try Shard()
        let settings = MediaSettings()
        let engine = MediaEngine(
            settings: settings, identity: try DTLSIdentity.make(), now: .now(), wallClock: .now(),
            seed: (UInt64.random(in: 0...UInt64.max), UInt64.random(in: 0...UInt64.max)))
        let shard = try MediaShard(
            on: loop, engine: engine, addresses: [TransportAddress(IPAddress(v4: 0x7F00_0001), 0)])
        engine.advertise(shard.addresses)
        loop.submit { try? shard.start() }
        let service = MediaService(shards: [shard], settings: settings)
        channel.say("port \(shard.addresses[0].port)\n")
        while let line = channel.line() {
            let words = line.split(separator: " ").map(String.init)
            switch words.first {
            case "join" where words.count == 4:
                guard let count = Int(words[3]), let offer = channel.bytes(count) else { return }
                do {
                    let role: MediaService.Role = words[2] == "viewer" ? .viewer : .publisher
                    let answer = try await service.join(words[1], as: role, owner: UUID.random(), offer: offer)
                    channel.say("ok \(answer.sdp.utf8.count)\n\(answer.sdp)")
                } catch {
                    channel.say("error \(error)\n")
                }
            case "counters":
                let counters = await shard.perform { _, _ in shard.socketCounters }
                channel.say("ok \(counters.sent) \(counters.droppedByKernel) \(counters.unreachable)\n")
            default: channel.say("error unknown\n")
            }
        }
    }
}
