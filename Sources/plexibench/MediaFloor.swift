// The floor of the media benchmark: a loop of C (Sources/CFloor) in a process of its own, fed and drained by the same
// generator with packets of the same size in the same rhythm. What a server costs over it is what it is a server for.

import Base
import CFloor
import CShims
import Glibc
import Wire

/// `plexibench media-floor --port P --sinks P,P,… --cm 0|1 --everybody 0|1`
func runMediaFloor() {
    let sinks = (Arguments.value("sinks") ?? "").split(separator: ",").compactMap { UInt16($0) }
    let port = UInt16(clamping: Arguments.integer("port", default: 0))
    let profile = Int32(Arguments.integer("cm", default: 0))
    var result = plexi_floor_result()
    let everybody = Int32(Arguments.integer("everybody", default: 0))
    let code = sinks.withUnsafeBufferPointer {
        plexi_floor_run(port, $0.baseAddress, UInt32($0.count), profile, everybody, &result)
    }
    if code != 0 { print("media-floor: \(SystemError("run", code: code))") }
}

final class FloorLoad {
    /// As many bytes on the wire as a soft peer's packet, whose header has an extension of eight.
    private static let header = 20

    /// Who sends what, when next.
    private struct Stream {
        let source: MediaSocket
        let isVideo: Bool
        /// How many get each packet.
        let audience: Int
        let offset: UInt64
        var next: UInt64 = 0
        var sequence: SequenceNumber = 1
    }

    private let process: MediaProcess
    private var sinks: [MediaSocket] = []
    private let address: plexi_address
    private let readable = Readable()
    private let drain = DatagramDrain()
    private let profile: Int32
    private var streams: [Stream] = []
    private(set) var received = 0
    /// As in `MediaLoad`.
    var inStep = false
    private var awaited = 0
    private var patience = Instant(nanoseconds: 0)
    var latencies: [UInt64] = []
    /// So many of the sinks open what they get.
    private let opening: Int

    /// One who sends to all, or everybody to all others.
    init(_ options: MediaOptions) throws {
        opening = options.opening
        profile = options.onlyCM ? 1 : 0
        // A port that was just free: the floor binds it again at once.
        let port = try MediaSocket().port
        for _ in 0..<options.subscribers {
            let sink = try MediaSocket()
            readable.add(sink)
            sinks.append(sink)
        }
        let words = [
            "media-floor", "--port", "\(port)", "--cm", "\(profile)", "--everybody", options.isConference ? "1" : "0",
            "--sinks", sinks.map { "\($0.port)" }.joined(separator: ","),
        ]
        guard let process = MediaProcess(words, core: options.core) else { throw SystemError("start the floor") }
        self.process = process
        address = .loopback(port)
        if options.isConference {
            for (number, sink) in sinks.enumerated() {
                for isVideo in [false, true] {
                    streams.append(
                        Stream(
                            source: sink, isVideo: isVideo, audience: sinks.count - 1,
                            offset: MediaShape.offset(UInt64(number) + 2)))
                }
            }
        } else {
            streams = [
                Stream(source: try MediaSocket(), isVideo: options.isVideo, audience: sinks.count, offset: 0)
            ]
        }
        usleep(200_000)
    }

    func end() { process.end() }

    var processorNanoseconds: UInt64 { process.processorNanoseconds }

    func run(seconds: Double) {
        let start = Instant.now().nanoseconds
        let end = start + UInt64(seconds * 1e9)
        for index in streams.indices { streams[index].next = start + streams[index].offset }
        while true {
            let now = Instant.now()
            if now.nanoseconds >= end { return }
            if !inStep || received >= awaited || patience <= now { sendDue(now) }
            let isAwaiting = inStep && received < awaited && now < patience
            readable.wait(milliseconds: isAwaiting ? 0 : 1) { read($0) }
        }
    }

    private func sendDue(_ now: Instant) {
        var coming = 0
        for index in streams.indices where streams[index].next <= now.nanoseconds {
            let isVideo = streams[index].isVideo
            let late = now.nanoseconds - streams[index].next > 1_000_000_000
            streams[index].next =
                (late ? now.nanoseconds : streams[index].next)
                + (isVideo ? MediaShape.frameInterval : MediaShape.talkInterval)
            send(&streams[index], .now())
            coming += streams[index].audience * (isVideo ? MediaShape.packetsPerFrame : 1)
        }
        guard coming > 0 else { return }
        awaited = received + coming
        patience = now + .milliseconds(500)
    }

    private func send(_ stream: inout Stream, _ now: Instant) {
        var packets: [Bytes] = []
        for _ in 0..<(stream.isVideo ? MediaShape.packetsPerFrame : 1) {
            let length = Self.header + (stream.isVideo ? MediaShape.videoPayload : MediaShape.audioPayload)
            var packet = Bytes(repeating: 0x55, count: length + 16)
            packet[0] = 0x80
            packet[1] = 96
            packet[2] = UInt8(truncatingIfNeeded: stream.sequence >> 8)
            packet[3] = UInt8(truncatingIfNeeded: stream.sequence)
            stream.sequence &+= 1
            let total = packet.withUnsafeMutableBytes { bytes in
                bytes.storeBytes(of: now.nanoseconds, toByteOffset: Self.header, as: UInt64.self)
                return Int(plexi_floor_protect(profile, bytes.baseAddress, Int32(length)))
            }
            packets.append(Bytes(packet[..<max(total, 0)]))
        }
        stream.source.send(packets, to: address)
    }

    private func read(_ number: Int) {
        let now = Instant.now()
        drain.drain(sinks[number]) { datagram in
            received += 1
            guard number < opening else { return }
            let count = plexi_floor_unprotect(profile, datagram.baseAddress, Int32(datagram.count))
            guard count > Self.header + 8 else { return }
            let sent = datagram.loadUnaligned(fromByteOffset: Self.header, as: UInt64.self)
            if sent <= now.nanoseconds { latencies.append(now.nanoseconds - sent) }
        }
    }
}
