// One connection to clamd, on the loop's thread: sending and receiving that wait, and give up.

import Base
import CShims
import Glibc

/// `@unchecked`: used on the loop's thread only, by the one task that opened it.
final class ClamdStream: @unchecked Sendable {
    private let descriptor: Int32
    private let loop: any EventLoop
    private let silence: Duration
    private let end: Instant
    private var received: Bytes = []
    private var isClosedByPeer = false

    private init(_ descriptor: Int32, _ loop: any EventLoop, _ options: ClamdScanner.Options) {
        self.descriptor = descriptor
        self.loop = loop
        silence = options.silence
        end = Instant.now() + options.total
    }

    static func open(
        _ address: ClamdAddress, _ loop: any EventLoop, _ options: ClamdScanner.Options
    ) async throws -> ClamdStream {
        let descriptor =
            switch address {
            case .local(let path): plexi_local_connect(path)
            case .network(let ip, let port):
                ClamdAddress.kernelForm(ip, port).map { withUnsafePointer(to: $0) { plexi_stream_connect($0) } } ?? -1
            }
        guard descriptor >= 0 else { throw unreachable(address, errno) }
        let stream = ClamdStream(descriptor, loop, options)
        guard await stream.wait(for: .writable, within: options.connect) else {
            stream.close()
            throw ClamdFailure(words: "clamd at \(address) takes no connection")
        }
        let code = plexi_socket_error(descriptor)
        guard code == 0 else {
            stream.close()
            throw unreachable(address, code)
        }
        return stream
    }

    private static func unreachable(_ address: ClamdAddress, _ code: Int32) -> ClamdFailure {
        let reason = SystemError("clamd at \(address) cannot be reached", code: code)
        return ClamdFailure(words: "\(reason); is clamav-daemon running, and may this user open its socket?")
    }

    func close() { Glibc.close(descriptor) }

    /// False when clamd has answered or closed meanwhile: then nothing more is to be sent.
    @discardableResult
    func send(_ bytes: Bytes) async throws -> Bool {
        var sent = 0
        while sent < bytes.count {
            receive()
            if !received.isEmpty || isClosedByPeer { return false }
            let count = bytes.withUnsafeBytes { room in
                plexi_stream_write(descriptor, room.baseAddress.map { $0 + sent }, UInt(room.count - sent))
            }
            // A broken connection may still hold the answer that says why.
            if count < 0 { return false }
            sent += count
            if count == 0 { try await pause(for: [.writable, .readable]) }
        }
        return true
    }

    /// Everything up to the zero byte, or up to the end of the connection.
    func answer() async throws -> Bytes {
        while true {
            receive()
            if let end = received.firstIndex(of: 0) { return Bytes(received[..<end]) }
            guard received.count <= ClamdFormat.answerBytesMax else {
                throw ClamdFailure(words: "what answers in clamd's place sends too much")
            }
            if isClosedByPeer { return received }
            try await pause(for: .readable)
        }
    }

    private func receive() {
        withUnsafeTemporaryAllocation(byteCount: ClamdFormat.answerBytesMax, alignment: 1) { room in
            while received.count <= ClamdFormat.answerBytesMax {
                let count = plexi_stream_read(descriptor, room.baseAddress, UInt(room.count))
                if count < 0 { isClosedByPeer = true }
                guard count > 0 else { return }
                received += UnsafeRawBufferPointer(rebasing: room[..<count])
            }
        }
    }

    private func pause(for interest: Readiness) async throws {
        let left = end - Instant.now()
        guard left > .zero else { throw ClamdFailure(words: "clamd took too long for this file") }
        guard await wait(for: interest, within: min(silence, left)) else {
            throw ClamdFailure(words: "clamd does not answer")
        }
    }

    /// False when the time was over.
    private func wait(for interest: Readiness, within limit: Duration) async -> Bool {
        await withCheckedContinuation { continuation in
            let pause = Pause(continuation)
            do throws(SystemError) {
                pause.watch = try loop.watch(descriptor, for: interest) { _ in pause.end(isReady: true) }
            } catch {
                return pause.end(isReady: false)
            }
            pause.timer = loop.schedule(after: limit) { pause.end(isReady: false) }
        }
    }

    /// Whichever comes first, the descriptor or the timer; the other is called off.
    private final class Pause {
        private var continuation: CheckedContinuation<Bool, Never>?
        var watch: (any DescriptorWatch)?
        var timer: (any ScheduledTimer)?

        init(_ continuation: CheckedContinuation<Bool, Never>) { self.continuation = continuation }

        func end(isReady: Bool) {
            watch?.cancel()
            timer?.cancel()
            (watch, timer) = (nil, nil)
            continuation.take()?.resume(returning: isReady)
        }
    }
}
