// A worker seen from the server: started, asked, killed. Used by the one thread of its slot.

import Base
import CShims
import Glibc

final class WorkerProcess {
    private let process: Int32
    private let socket: Int32

    /// Returns when the worker has said that its sandbox is closed.
    init(_ options: ImageWorkers.Options) throws(ImageError) {
        var socket: Int32 = -1
        let limits = [options.memoryBytes, Int(options.jobTime.inSeconds.rounded(.up)) * options.filesPerWorker]
        process = Self.start(options.program, options.arguments + limits.map(String.init), &socket)
        guard process > 0 else {
            throw .unavailable("\(SystemError("start \(options.program) as a worker for images"))")
        }
        self.socket = socket
        let words: String? =
            switch greeting(until: Instant.now() + options.startTime) {
            case nil: "the worker for images did not start; is this program complete, and may it start itself?"
            case let reply? where reply.outcome == .ready: nil
            case let reply?:
                "the kernel refuses the sandbox of the worker for images: "
                    + String(cString: strerror(Int32(truncatingIfNeeded: reply.detail)))
            }
        if let words {
            end()
            throw .unavailable(words)
        }
    }

    private static func start(_ program: String, _ arguments: [String], _ socket: inout Int32) -> Int32 {
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        return plexi_worker_start(program, &words, &socket)
    }

    private func greeting(until deadline: Instant) -> WorkerReply? {
        (try? receive(WorkerReply.count, until: deadline)).flatMap { WorkerReply($0, payloadMax: 0) }
    }

    /// False when it has ended meanwhile, or sent what it was not asked for.
    var isAlive: Bool {
        var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) == 0
    }

    func exchange(_ job: Job, within limit: Duration) throws(ImageError) -> WorkerResult {
        let deadline = Instant.now() + limit
        let request = job.request.bytes
        let sent = request.withUnsafeBytes {
            plexi_send_with_descriptor(socket, $0.baseAddress, UInt($0.count), job.descriptor)
        }
        // It fits into an empty socket's buffer whole, or the worker is gone.
        guard sent == request.count else { throw .workerDied }
        let head = try receive(WorkerReply.count, until: deadline)
        guard let reply = WorkerReply(head, payloadMax: job.payloadMax) else { throw .workerDied }
        return WorkerResult(reply: reply, payload: try receive(reply.payloadCount, until: deadline))
    }

    private func receive(_ count: Int, until deadline: Instant) throws(ImageError) -> Bytes {
        var failure: ImageError?
        let bytes = Bytes(unsafeUninitializedCapacity: count) { room, filled in
            while filled < count, failure == nil {
                let more = recv(socket, room.baseAddress.map { $0 + filled }, count - filled, Int32(MSG_DONTWAIT))
                if more > 0 {
                    filled += more
                } else if more == 0 || (errno != EAGAIN && errno != EINTR) {
                    failure = .workerDied
                } else if !wait(until: deadline) {
                    failure = .timedOut
                }
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// False when the time is over.
    private func wait(until deadline: Instant) -> Bool {
        let left = (deadline - Instant.now()).milliseconds
        guard left > 0 else { return false }
        var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        _ = poll(&entry, 1, Int32(clamping: left))
        return true
    }

    /// At once, whatever it does: it holds nothing that would have to be saved.
    func end() {
        close(socket)
        kill(process, SIGKILL)
        _ = plexi_worker_reap(process, 1)
    }
}
