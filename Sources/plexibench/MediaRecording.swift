// plexibench media-recording: what a recorder's tap costs the shard, for each packet that is forwarded. Legs alternate,
// without and with a tap on everybody of the room; what the reader does on its own thread is counted apart.
//
//   --profile video|conference   --subscribers N   --seconds S   --rounds R   --in-step 0|1   --reports 0|1

import Base
import Glibc
import Media
import Net
import Synchronization

/// Reads a tap as a recorder does: looks every 50 ms, copies everything out, and keeps nothing.
final class TapReader: Sendable {
    private static let interval = Duration.milliseconds(50)
    private static let bufferSize = 64 << 10

    private let loop: any EventLoop
    private let tap = Mutex<CallTap?>(nil)
    private let isDue = Atomic<Bool>(false)
    let processorNanoseconds = Atomic<UInt64>(0)
    let packets = Atomic<Int>(0)
    let bytes = Atomic<Int>(0)
    let missed = Atomic<Int>(0)

    init(on loop: any EventLoop) { self.loop = loop }

    /// Nothing wakes before somebody is heard, so there is time for this after `startTap`.
    func take(_ tap: CallTap) { self.tap.withLock { $0 = tap } }

    /// On the thread of a shard that has something.
    func wake() {
        guard !isDue.exchange(true, ordering: .acquiringAndReleasing) else { return }
        loop.submit { [self] in
            _ = loop.schedule(after: Self.interval) { [self] in read() }
        }
    }

    private func read() {
        isDue.store(false, ordering: .releasing)
        guard let tap = tap.withLock({ $0 }) else { return }
        withUnsafeTemporaryAllocation(byteCount: Self.bufferSize, alignment: 64) { buffer in
            var used = 0
            for pipe in tap.pipes {
                pipe.begin()
                while let item = pipe.next() {
                    if case .ended = item { break }
                    take(item, pipe, into: buffer, &used)
                }
            }
        }
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        processorNanoseconds.store(
            UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec), ordering: .releasing)
    }

    private func take(_ item: TapItem, _ pipe: TapPipe, into buffer: UnsafeMutableRawBufferPointer, _ used: inout Int) {
        switch item {
        case .packet(let packet):
            let payload = pipe.payload
            if used + payload.count > buffer.count { used = 0 }
            UnsafeMutableRawBufferPointer(rebasing: buffer[used...]).copyMemory(from: payload)
            used += payload.count
            packets.add(1, ordering: .relaxed)
            bytes.add(Int(packet.payloadLength), ordering: .relaxed)
        case .gap(let gap): missed.add(Int(gap.packets), ordering: .relaxed)
        case .report, .event, .ended: break
        }
    }

    /// As the server tells it.
    var line: String {
        "\(processorNanoseconds.load(ordering: .acquiring)) \(packets.load(ordering: .relaxed)) "
            + "\(bytes.load(ordering: .relaxed)) \(missed.load(ordering: .relaxed))"
    }
}

/// The server's side: who is in which room, and the readers.
struct BenchRecorder {
    private var owners: [String: [UUID]] = [:]
    private var readers: [String: TapReader] = [:]
    private var loop: Shard?

    /// A session's owner: of each one, as of people.
    mutating func owner(in room: String) -> UUID {
        let owner = UUID.random()
        owners[room, default: []].append(owner)
        return owner
    }

    /// `record ROOM on|off`.
    mutating func record(_ room: String, _ isOn: Bool, _ service: MediaService) async throws -> String {
        guard let call = room.split(separator: ":").last.flatMap({ UUID($0) }) else { return "error no call" }
        guard isOn else {
            await service.stopTap(ofCall: call)
            return "ok"
        }
        // One loop for all, beside those of the shards.
        let loop = try self.loop ?? Shard(index: service.statistics.count)
        self.loop = loop
        let reader = TapReader(on: loop)
        reader.take(try await service.startTap(ofCall: call) { reader.wake() })
        readers[room] = reader
        for owner in owners[room] ?? [] { try await service.setTapped(owner, true, inCall: call) }
        return "ok"
    }

    func line(_ room: String) -> String { readers[room].map { "ok \($0.line)" } ?? "error no reader" }
}

struct RecordingLeg {
    var leg: MediaLeg
    /// Of the thread that reads.
    var reader: UInt64 = 0
    var heard = 0
    var missed = 0

    /// What the shard spent.
    var perPacket: Double {
        leg.packets > 0 ? (Double(leg.nanoseconds) - Double(reader)) / Double(leg.packets) : 0
    }
}

private func readerFigures(_ process: MediaProcess, _ room: String) -> [Int] {
    process.channel.say("recorder \(room)\n")
    return (process.channel.line() ?? "").split(separator: " ").dropFirst().compactMap { Int($0) }
}

private func record(_ process: MediaProcess, _ room: String, _ isOn: Bool) throws {
    process.channel.say("record \(room) \(isOn ? "on" : "off")\n")
    let line = process.channel.line() ?? "nothing"
    guard line == "ok" else { throw SystemError("record: the server said \(line)", code: 0) }
}

func benchmarkMediaRecording() {
    withMediaServer("media-recording") { load, process in
        let options = MediaOptions()
        let room = MediaService.room(ofCall: UUID.random())
        try fillMedia(load, options, room: room)
        load.inStep = options.inStep && !options.isConference
        var ratios: [Double] = []
        var costs: [Bool: [Double]] = [:]
        for round in 0..<options.rounds {
            var pair: [Bool: Double] = [:]
            // In turns: who comes second has the warmer caches.
            for isOn in round % 2 == 0 ? [false, true] : [true, false] {
                let found = try measureRecording(load, process, options, room, isOn: isOn)
                pair[isOn] = found.perPacket
                costs[isOn, default: []].append(found.perPacket)
                print(
                    "{\"leg\":\"\(isOn ? "recorded" : "alone")\",\"round\":\(round),\(found.leg.json),"
                        + "\"shard_ns_per_packet\":\(oneDecimal(found.perPacket)),\"reader_ns\":\(found.reader),"
                        + "\"heard\":\(found.heard),\"missed\":\(found.missed)}")
            }
            if let on = pair[true], let off = pair[false], off > 0 { ratios.append(on / off) }
        }
        print(
            "{\"profile\":\"\(options.profile)\",\"subscribers\":\(options.subscribers),"
                + "\"alone_ns\":\(oneDecimal(median(costs[false] ?? []))),"
                + "\"recorded_ns\":\(oneDecimal(median(costs[true] ?? []))),"
                + "\"added_percent\":\(oneDecimal((median(ratios) - 1) * 100))}")
    }
}

private func measureRecording(
    _ load: MediaLoad, _ process: MediaProcess, _ options: MediaOptions, _ room: String, isOn: Bool
) throws -> RecordingLeg {
    if isOn { try record(process, room, true) }
    load.isPublishing = true
    load.run(seconds: 0.3)
    let before = isOn ? readerFigures(process, room) : []
    var found = RecordingLeg(leg: measureWindow(load, process, seconds: options.seconds))
    let after = isOn ? readerFigures(process, room) : []
    load.isPublishing = false
    load.run(seconds: 0.2)
    guard isOn else { return found }
    try record(process, room, false)
    guard before.count == 4, after.count == 4 else { throw SystemError("record: no figures of the reader", code: 0) }
    found.reader = UInt64(max(after[0] - before[0], 0))
    found.heard = after[1] - before[1]
    found.missed = after[3] - before[3]
    return found
}
