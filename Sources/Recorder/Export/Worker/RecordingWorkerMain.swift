// A worker seen from inside: what `plexichat recording-worker` runs instead of everything else.
//
// It runs on the first thread, before the program has started any other; it closes the sandbox behind it, says so, and
// then writes one track into the descriptor that comes with its job. It holds no key: it is given packets in the clear.

import Base
import CShims
import Glibc
import Wire

package enum RecordingWorkerMain {
    package static let command = "recording-worker"

    /// The file, the socket, three standard ones, and some room.
    private static let descriptorsMax: UInt32 = 16
    private static let readBytes = 1 << 18
    /// Written when so much has come together.
    private static let writeBytes = 1 << 18
    private static let socket = Int32(PLEXI_WORKER_SOCKET)

    /// `words` are the arguments behind the command: the bounds of memory and of seconds. Returns only when this was not
    /// started by an export.
    package static func run(_ words: [String]) {
        guard words.count == 2, let memory = UInt64(words[0]), let seconds = UInt32(words[1]), isWorker() else {
            return
        }
        var sandbox = plexi_sandbox()
        sandbox.memory_bytes = memory
        sandbox.cpu_seconds = seconds
        sandbox.descriptors = descriptorsMax
        sandbox.permissions = UInt32(PLEXI_SANDBOX_WRITES)
        guard plexi_sandbox_enter(&sandbox) == 0 else {
            send(ExportReply(.noSandbox, detail: errno))
            exit(1)
        }
        send(ExportReply(.ready))
        var work = Work()
        send(work.perform())
        exit(0)
    }

    private static func isWorker() -> Bool {
        var type: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == Int32(SOCK_STREAM.rawValue)
    }

    private static func send(_ reply: ExportReply) {
        let bytes = reply.bytes
        // It fits into the socket's buffer whole, or the export is gone.
        _ = bytes.withUnsafeBytes { plexi_send_with_descriptor(socket, $0.baseAddress, UInt($0.count), -1) }
    }

    private struct Work {
        private var input: Bytes = []
        private var offset = 0
        private var file: Int32 = -1
        private var export: TrackExport?
        private var output: Bytes = []
        private var position: UInt64 = 0

        mutating func perform() -> ExportReply {
            do throws(WireError) {
                while true {
                    guard let request = try ExportRequest.read(input, at: &offset) else {
                        // An export that is gone, or gave up, wants nothing any more.
                        guard receive() else { exit(0) }
                        continue
                    }
                    switch request {
                    case .job(let job):
                        guard export == nil, file >= 0 else { return ExportReply(.badRequest) }
                        export = TrackExport(job)
                    case .packet(let packet):
                        guard export != nil else { return ExportReply(.badRequest) }
                        export?.add(packet, into: &output)
                        if output.count >= writeBytes, !flush() { return ExportReply(.unwritable, detail: errno) }
                    case .finish: return finish()
                    }
                }
            } catch {
                return ExportReply(.badRequest)
            }
        }

        private mutating func receive() -> Bool {
            input.removeFirst(offset)
            offset = 0
            let start = input.count
            var descriptor: Int32 = -1
            input += Bytes(repeating: 0, count: readBytes)
            let count = input.withUnsafeMutableBytes { room in
                plexi_receive_with_descriptor(
                    socket, room.baseAddress.map { $0 + start }, UInt(readBytes), &descriptor, 1)
            }
            input.removeLast(readBytes - max(0, count))
            if descriptor >= 0 {
                if file >= 0 { close(descriptor) } else { file = descriptor }
            }
            return count > 0
        }

        private mutating func flush() -> Bool {
            defer { output.removeAll(keepingCapacity: true) }
            guard write(output, at: position) else { return false }
            position += UInt64(output.count)
            return true
        }

        private func write(_ bytes: Bytes, at start: UInt64) -> Bool {
            var written = 0
            while written < bytes.count {
                let count = bytes.withUnsafeBytes { room in
                    pwrite(
                        file, room.baseAddress.map { $0 + written }, room.count - written,
                        off_t(truncatingIfNeeded: start) + written)
                }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                written += count
            }
            return true
        }

        private mutating func finish() -> ExportReply {
            guard export != nil else { return ExportReply(.badRequest) }
            guard let (summary, patches) = export?.finish(into: &output) else { return ExportReply(.nothing) }
            guard flush() else { return ExportReply(.unwritable, detail: errno) }
            for patch in patches {
                guard write(patch.bytes, at: patch.offset) else {
                    return ExportReply(.unwritable, detail: errno)
                }
            }
            guard fsync(file) == 0 else { return ExportReply(.unwritable, detail: errno) }
            return ExportReply(.done, summary: summary)
        }
    }
}
