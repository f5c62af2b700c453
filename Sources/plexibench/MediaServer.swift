// plexibench media-server: the media path alone in a process of its own: a loop, an engine and a socket for each
// of `--shards` (1); `--span` is `roomSpanThreshold`. Who started it speaks to it over descriptor 0, a socket pair:
//
//     join ROOM viewer|publisher COUNT\n and COUNT bytes of SDP   ->  ok COUNT SESSION\n and COUNT bytes of SDP
//     leave SESSION\n                                             ->  ok\n
//     record ROOM on|off\n                                        ->  ok\n: everybody of a call, from now on
//     recorder ROOM\n                                             ->  ok NANOSECONDS PACKETS BYTES MISSED\n of its reader
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

/// On a loop and a port of its own.
private func makeShard(_ number: Int, _ settings: MediaSettings) throws -> MediaShard {
    let loop = try Shard(index: number)
    let engine = MediaEngine(
        settings: settings, identity: try DTLSIdentity.make(), now: .now(), wallClock: .now(),
        seed: (UInt64.random(in: 0...UInt64.max), UInt64.random(in: 0...UInt64.max)))
    let shard = try MediaShard(
        on: loop, engine: engine, addresses: [TransportAddress(IPAddress(v4: 0x7F00_0001), 0)])
    engine.advertise(shard.addresses)
    return shard
}

func runMediaServer() {
    raiseDescriptorLimit()
    runToEnd {
        let channel = LineChannel(0)
        var settings = MediaSettings()
        settings.roomSpanThreshold = Arguments.integer("span", default: settings.roomSpanThreshold)
        let shards = try (0..<Arguments.integer("shards", default: 1)).map { try makeShard($0, settings) }
        let service = MediaService(shards: shards, settings: settings)
        try await service.start()
        var recorder = BenchRecorder()
        channel.say("ports \(shards.map { "\($0.addresses[0].port)" }.joined(separator: " "))\n")
        while let line = channel.line() {
            let words = line.split(separator: " ").map(String.init)
            switch words.first {
            case "join" where words.count == 4:
                guard let count = Int(words[3]), let offer = channel.bytes(count) else { return }
                do {
                    let role: MediaService.Role = words[2] == "viewer" ? .viewer : .publisher
                    let answer = try await service.join(
                        words[1], as: role, owner: recorder.owner(in: words[1]), offer: offer)
                    channel.say("ok \(answer.sdp.utf8.count) \(answer.session)\n\(answer.sdp)")
                } catch {
                    channel.say("error \(error)\n")
                }
            case "leave" where words.count == 2:
                do {
                    guard let session = UUID(words[1]) else { return }
                    try await service.leave(session)
                    channel.say("ok\n")
                } catch {
                    channel.say("error \(error)\n")
                }
            case "record" where words.count == 3:
                let said = try await recorder.record(words[1], words[2] == "on", service)
                channel.say("\(said)\n")
            case "recorder" where words.count == 2: channel.say("\(recorder.line(words[1]))\n")
            case "counters":
                var sums = [0, 0, 0]
                for shard in shards {
                    let counters = await shard.perform { _, _ in shard.socketCounters }
                    sums[0] += counters.sent
                    sums[1] += counters.droppedByKernel
                    sums[2] += counters.unreachable
                }
                channel.say("ok \(sums[0]) \(sums[1]) \(sums[2])\n")
            default: channel.say("error unknown\n")
            }
        }
    }
}
