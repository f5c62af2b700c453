// A worker seen from the export: started, fed, asked for what became of it, killed.

import Base
import CShims
import Glibc

/// Where the packets of one track go.
package protocol TrackSink: AnyObject {
    /// After one that failed nothing more is taken; why, `finish` says.
    func add(_ packet: TimedPacket)
    /// `nil` when no frame could be made of the packets.
    func finish() throws(TrackFailure) -> TrackSummary?
    func cancel()
}

/// Why one track is not exported; the others are.
package struct TrackFailure: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

package struct ExportWorkerOptions: Sendable {
    /// What is started: this program.
    package var program: String
    package var arguments: [String]
    /// Of addresses. A picture, a cluster and 1,024 packets that wait take a tenth of it.
    package var memoryBytes: Int
    /// Of the processor, over a track: 48 hours at 200 times real time take 15 minutes.
    package var cpuSeconds: Int
    package var startTime: Duration
    /// A worker that takes nothing for so long is stuck; so is one that does not end.
    package var patience: Duration

    package init(
        program: String = "/proc/self/exe", arguments: [String] = ["plexichat", RecordingWorkerMain.command],
        memoryBytes: Int = 1 << 30, cpuSeconds: Int = 3_600, startTime: Duration = .seconds(10),
        patience: Duration = .seconds(120)
    ) {
        self.program = program
        self.arguments = arguments
        self.memoryBytes = memoryBytes
        self.cpuSeconds = cpuSeconds
        self.startTime = startTime
        self.patience = patience
    }
}

final class TrackWorker: TrackSink {
    /// Packets are sent when so much has come together: a system call for some hundred of them.
    private static let sendBytes = 1 << 17

    private let process: Int32
    private let socket: Int32
    private let options: ExportWorkerOptions
    private var waiting: Bytes = []
    private var failure: TrackFailure?
    private var hasEnded = false

    /// Returns when the worker has its job, and its sandbox is closed. `file` stays the caller's.
    init(_ job: TrackJob, _ file: Int32, _ options: ExportWorkerOptions) throws(ExportError) {
        self.options = options
        var socket: Int32 = -1
        let limits = [String(options.memoryBytes), String(options.cpuSeconds)]
        process = Self.start(options.program, options.arguments + limits, &socket)
        guard process > 0 else {
            throw .unavailable("\(SystemError("start \(options.program) as a worker for a recording"))")
        }
        self.socket = socket
        var patience = timeval(tv_sec: Int(options.patience.inSeconds.rounded(.up)), tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        if let words = refusal() {
            cancel()
            throw .unavailable(words)
        }
        ExportRequest.job(job).write(to: &waiting)
        let sent = waiting.withUnsafeBytes {
            plexi_send_with_descriptor(socket, $0.baseAddress, UInt($0.count), file)
        }
        // It fits into an empty socket's buffer whole, or the worker is gone.
        guard sent == waiting.count else {
            cancel()
            throw .unavailable("the worker for a recording ended before it had its job")
        }
        waiting.removeAll(keepingCapacity: true)
    }

    deinit { cancel() }

    private static func start(_ program: String, _ arguments: [String], _ socket: inout Int32) -> Int32 {
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        return plexi_worker_start(program, &words, &socket)
    }

    private func refusal() -> String? {
        switch reply(within: options.startTime) {
        case nil: "the worker for recordings did not start; is this program complete, and may it start itself?"
        case let reply? where reply.outcome == .ready: nil
        case let reply?:
            "the kernel refuses the sandbox of the worker for recordings: " + String(cString: strerror(reply.detail))
        }
    }

    func add(_ packet: TimedPacket) {
        guard failure == nil else { return }
        ExportRequest.packet(packet).write(to: &waiting)
        if waiting.count >= Self.sendBytes { flush() }
    }

    private func flush() {
        var sent = 0
        while sent < waiting.count, failure == nil {
            let count = waiting.withUnsafeBytes { room in
                plexi_send_with_descriptor(socket, room.baseAddress.map { $0 + sent }, UInt(room.count - sent), -1)
            }
            if count > 0 {
                sent += count
            } else if errno == EAGAIN {
                failure = TrackFailure("its worker did not go on for \(Int(options.patience.inSeconds)) s")
            } else {
                failure = ended()
            }
        }
        waiting.removeAll(keepingCapacity: true)
    }

    /// It says why when it can.
    private func ended() -> TrackFailure {
        if let reply = reply(within: .zero), let failure = Self.failure(reply) { return failure }
        return TrackFailure("its worker ended over what was recorded")
    }

    private static func failure(_ reply: ExportReply) -> TrackFailure? {
        switch reply.outcome {
        case .done, .nothing: nil
        case .unwritable:
            reply.detail == ENOSPC || reply.detail == EDQUOT
                ? TrackFailure("the disk is full; make room and export again")
                : TrackFailure("its file could not be written: \(String(cString: strerror(reply.detail)))")
        case .ready, .noSandbox, .badRequest: TrackFailure("its worker answered what it was not asked")
        }
    }

    func finish() throws(TrackFailure) -> TrackSummary? {
        defer { cancel() }
        ExportRequest.finish.write(to: &waiting)
        flush()
        if let failure { throw failure }
        guard let reply = reply(within: options.patience) else {
            throw TrackFailure("its worker ended over what was recorded, or did not come to an end")
        }
        if let failure = Self.failure(reply) { throw failure }
        return reply.outcome == .done ? reply.summary : nil
    }

    private func reply(within limit: Duration) -> ExportReply? {
        let deadline = Instant.now() + limit
        var bytes: Bytes = []
        while bytes.count < ExportReply.count {
            var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            let left = (deadline - Instant.now()).milliseconds
            let ready = poll(&entry, 1, Int32(clamping: left))
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else { return nil }
            var part = Bytes(repeating: 0, count: ExportReply.count - bytes.count)
            let count = recv(socket, &part, part.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { return nil }
            bytes += part.prefix(count)
        }
        return ExportReply(bytes)
    }

    /// At once, whatever it does.
    func cancel() {
        guard !hasEnded else { return }
        hasEnded = true
        close(socket)
        kill(process, SIGKILL)
        _ = plexi_worker_reap(process, 1)
    }
}
