// A worker seen from inside: what `plexichat image-worker` runs instead of everything else.
//
// It runs on the first thread, before the program has started any other; it opens what it needs (libwebp), closes the
// sandbox behind it, says so, and then answers one request after the other until its socket ends.

import Base
import CImages
import CShims
import Glibc

package enum ImageWorkerMain {
    package static let command = "image-worker"

    /// A descriptor of a file, the socket, three standard ones, and some room.
    private static let descriptorsMax: UInt32 = 16
    private static let socket = Int32(PLEXI_WORKER_SOCKET)

    /// `words` are the arguments behind the command: the bounds of memory and of seconds. Returns only when this was
    /// not started by `ImageWorkers`.
    package static func run(_ words: [String]) {
        guard words.count == 2, let memory = UInt64(words[0]), let seconds = UInt32(words[1]), isWorker() else {
            return
        }
        _ = plexi_webp_load()
        Brightness.prepare()
        var sandbox = plexi_sandbox()
        sandbox.memory_bytes = memory
        sandbox.cpu_seconds = seconds
        sandbox.descriptors = descriptorsMax
        guard plexi_sandbox_enter(&sandbox) == 0 else {
            var reply = WorkerReply(.noSandbox)
            reply.detail = Int(errno)
            send(reply.bytes)
            exit(1)
        }
        send(WorkerReply(.ready).bytes)
        while let (request, descriptor) = receive() { answer(request, descriptor) }
        exit(0)
    }

    private static func isWorker() -> Bool {
        var type: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == Int32(SOCK_STREAM.rawValue)
    }

    private static func receive() -> (WorkerRequest, Int32)? {
        var bytes = Bytes(repeating: 0, count: WorkerRequest.count)
        var descriptor: Int32 = -1
        // The server sends a request in one piece, and the next one after its answer only.
        let count = bytes.withUnsafeMutableBytes {
            plexi_receive_with_descriptor(socket, $0.baseAddress, UInt($0.count), &descriptor, 1)
        }
        guard count == bytes.count, descriptor >= 0, let request = WorkerRequest(bytes) else { return nil }
        return (request, descriptor)
    }

    private static func answer(_ request: WorkerRequest, _ descriptor: Int32) {
        guard let input = map(descriptor, request.byteCount) else {
            var reply = WorkerReply(.damaged)
            reply.detail = Int(errno)
            return send(reply.bytes)
        }
        do throws(ImageFailure) {
            var (reply, payload) = try ImageWork.perform(request, input)
            guard payload.count <= request.outputMax else { throw .tooLarge }
            reply.payloadCount = payload.count
            send(reply.bytes)
            send(payload)
        } catch {
            send(WorkerReply(error.outcome).bytes)
        }
    }

    /// The file's bytes. The copy is what the walkers read with checked indices; a file that shrinks meanwhile ends
    /// this process and nothing else.
    private static func map(_ descriptor: Int32, _ count: Int) -> Bytes? {
        defer { close(descriptor) }
        guard count > 0 else { return [] }
        guard let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            return nil
        }
        defer { munmap(start, count) }
        return Bytes(UnsafeRawBufferPointer(start: start, count: count))
    }

    private static func send(_ bytes: Bytes) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { room in
                plexi_send_with_descriptor(socket, room.baseAddress.map { $0 + sent }, UInt(room.count - sent), -1)
            }
            // The server is gone.
            guard count > 0 else { exit(0) }
            sent += count
        }
    }
}
