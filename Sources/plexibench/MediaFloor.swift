// The floor of the media benchmark: a loop of C (Sources/CFloor) in a process of its own, fed and drained by the same
// generator with packets of the same size in the same rhythm. What a server costs over it is what it is a server for.

import Base
import CFloor
import CShims
import Glibc
import Media
import Wire

/// `plexibench media-floor --port P --sinks P,P,… --cm 0|1 --senders 0|1|2`
func runMediaFloor() {
    let sinks = (Arguments.value("sinks") ?? "").split(separator: ",").compactMap { UInt16($0) }
    let port = UInt16(clamping: Arguments.integer("port", default: 0))
    let profile = Int32(Arguments.integer("cm", default: 0))
    let senders = Int32(Arguments.integer("senders", default: 0))
    var result = plexi_floor_result()
    let code = sinks.withUnsafeBufferPointer {
        plexi_floor_run(port, $0.baseAddress, UInt32($0.count), profile, senders, &result)
    }
    if code != 0 { print("media-floor: \(SystemError("run", code: code))") }
}

/// Who sends to the floor, as `CFloor.h` has it.
enum FloorSenders: Int {
    case publisher = 0
    /// Sinks report what they got, as soft peers do.
    case publisherAndReports = 1
    case everybody = 2
}

/// A stream of packets to the floor.
private struct FloorStream {
    let isVideo: Bool
    let ssrc: UInt32
    var next: UInt64
    var sequence: SequenceNumber = 1

    var interval: UInt64 { isVideo ? MediaShape.frameInterval : MediaShape.talkInterval }
    var packets: Int { isVideo ? MediaShape.packetsPerFrame : 1 }
}

private struct FloorSink {
    let socket: MediaSocket
    var streams: [FloorStream] = []
    /// As a transport-wide number; nothing is lost on the loopback.
    var arrivals: SequenceNumber = 0
    var feedback = TransportFeedbackRecorder()
    var reports: SequenceNumber = 0
}

final class FloorLoad {
    /// As many bytes on the wire as a soft peer's packet, whose header has an extension of eight.
    private static let header = 20
    /// What SRTCP has behind the tag.
    private static let reportIndexLength = 4

    private let process: MediaProcess
    private let senders: FloorSenders
    /// Sinks tell what came, as soft peers do.
    private let reports: Bool
    private let source: MediaSocket
    private var published: FloorStream
    private var sinks: [FloorSink] = []
    private let address: plexi_address
    private let readable = Readable()
    private let drain = DatagramDrain()
    private let profile: Int32
    private(set) var received = 0
    private(set) var sent = 0
    /// As in `MediaLoad`.
    var inStep = false
    private var awaited = 0
    private var patience = Instant(nanoseconds: 0)
    var latencies: [UInt64] = []
    /// So many of the sinks open what they get.
    private let opening: Int

    init(
        _ senders: FloorSenders, subscribers: Int, isVideo: Bool, onlyCM: Bool, reports: Bool, opening: Int, core: Int?
    ) throws {
        self.senders = senders
        self.reports = reports
        self.opening = opening
        profile = onlyCM ? 1 : 0
        source = try MediaSocket()
        let start = Instant.now().nanoseconds
        published = FloorStream(isVideo: isVideo, ssrc: 0, next: start)
        // A port that was just free: the floor binds it again at once.
        let port = try MediaSocket().port
        for number in 0..<subscribers {
            var sink = FloorSink(socket: try MediaSocket())
            readable.add(sink.socket)
            if senders == .everybody {
                // Spread as soft peers are.
                let next = start + UInt64(number) &* 7_919 % 33 * 1_000_000
                for isVideo in [false, true] {
                    let ssrc = UInt32(truncatingIfNeeded: 2 * number + (isVideo ? 1 : 0) + 1)
                    sink.streams.append(FloorStream(isVideo: isVideo, ssrc: ssrc, next: next))
                }
            }
            sinks.append(sink)
        }
        let ports = sinks.map { "\($0.socket.port)" }.joined(separator: ",")
        guard
            let process = MediaProcess(
                [
                    "media-floor", "--port", "\(port)", "--cm", "\(profile)", "--senders", "\(senders.rawValue)",
                    "--sinks", ports,
                ], core: core)
        else { throw SystemError("start the floor") }
        self.process = process
        address = .loopback(port)
        usleep(200_000)
    }

    func end() { process.end() }

    var processorNanoseconds: UInt64 { process.processorNanoseconds }

    func run(seconds: Double) {
        let end = Instant.now().nanoseconds + UInt64(seconds * 1e9)
        while true {
            let now = Instant.now()
            if now.nanoseconds >= end { return }
            publish(now)
            if reports { for index in sinks.indices { report(&sinks[index], now) } }
            let isAwaiting = inStep && received < awaited && now < patience
            readable.wait(milliseconds: isAwaiting ? 0 : 1) { read($0) }
        }
    }

    private func publish(_ now: Instant) {
        guard senders != .everybody else {
            for sink in sinks.indices {
                for index in sinks[sink].streams.indices where sinks[sink].streams[index].next <= now.nanoseconds {
                    send(&sinks[sink].streams[index], from: sinks[sink].socket, now)
                }
            }
            return
        }
        guard published.next <= now.nanoseconds, !inStep || received >= awaited || patience <= now else { return }
        send(&published, from: source, now)
        awaited = received + sinks.count * published.packets
        patience = now + .milliseconds(500)
    }

    private func send(_ stream: inout FloorStream, from socket: MediaSocket, _ now: Instant) {
        let late = now.nanoseconds - stream.next > 1_000_000_000
        stream.next = (late ? now.nanoseconds : stream.next) + stream.interval
        var packets: [Bytes] = []
        for _ in 0..<stream.packets {
            let length = Self.header + (stream.isVideo ? MediaShape.videoPayload : MediaShape.audioPayload)
            var packet = Bytes(repeating: 0x55, count: length)
            packet.withUnsafeMutableBytes {
                $0.storeBytes(of: now.nanoseconds, toByteOffset: Self.header, as: UInt64.self)
            }
            packets.append(protect(packet, type: 96, stream.sequence, stream.ssrc))
            stream.sequence &+= 1
        }
        sent += packets.count
        socket.send(packets, to: address)
    }

    /// The floor knows one form of packet only, whose first twelve bytes are clear.
    private func protect(_ plain: Bytes, type: UInt8, _ sequence: SequenceNumber, _ ssrc: UInt32) -> Bytes {
        var packet = plain + Bytes(repeating: 0, count: 16)
        packet[0] = 0x80
        packet[1] = type
        packet[2] = UInt8(truncatingIfNeeded: sequence >> 8)
        packet[3] = UInt8(truncatingIfNeeded: sequence)
        let total = packet.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: ssrc.bigEndian, toByteOffset: 8, as: UInt32.self)
            return Int(plexi_floor_protect(profile, bytes.baseAddress, Int32(plain.count)))
        }
        return Bytes(packet[..<max(total, 0)])
    }

    /// The same bytes at the same times as a soft peer's report, but for the fields that the floor wants elsewhere.
    private func report(_ sink: inout FloorSink, _ now: Instant) {
        guard let due = sink.feedback.deadline, due <= now else { return }
        var bytes: Bytes = []
        while sink.feedback.build(now: now, from: 1, to: 1, into: &bytes) {}
        bytes += Bytes(repeating: 0, count: Self.reportIndexLength)
        sink.reports &+= 1
        sink.socket.send([protect(bytes, type: 205, sink.reports, 0xFFFF)], to: address)
    }

    private func read(_ number: Int) {
        let now = Instant.now()
        drain.drain(sinks[number].socket) { datagram in
            received += 1
            if senders != .publisher {
                sinks[number].arrivals &+= 1
                sinks[number].feedback.record(sinks[number].arrivals, now: now)
            }
            guard number < opening else { return }
            let count = plexi_floor_unprotect(profile, datagram.baseAddress, Int32(datagram.count))
            guard count > Self.header + 8 else { return }
            let sent = datagram.loadUnaligned(fromByteOffset: Self.header, as: UInt64.self)
            if sent <= now.nanoseconds { latencies.append(now.nanoseconds - sent) }
        }
    }
}
