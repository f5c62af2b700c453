// libcurl on one of our loops: one multi handle, told by the loop which sockets are ready and what time it is
// (libcurl's multi_socket interface). It opens the sockets, we only watch them.

import Base
import CCurl
import Synchronization

/// `@unchecked Sendable`: everything but `loop` and `nextTicket` is touched on the loop's thread only.
final class CurlLoop: @unchecked Sendable {
    /// Names a transfer from other threads. May be cancelled before its transfer has reached the loop.
    final class Ticket: Sendable {
        fileprivate let isCancelled = Atomic<Bool>(false)
    }

    struct Bounds: Sendable {
        /// Transfers at once, waiting ones included. More are refused: a service that does not answer must not fill
        /// our memory with what we want of it.
        var transfers = 1_024
        /// Open connections, in all and to one host; transfers over it wait for one.
        var connections = 64
        var connectionsPerHost = 16
        /// Connections kept for reuse when nobody needs them.
        var idleConnections = 16
    }

    let loop: any EventLoop
    private let bounds: Bounds
    private var multi: UnsafeMutableRawPointer?
    private var watches: [curl_socket_t: any DescriptorWatch] = [:]
    private var timer: (any ScheduledTimer)?
    private var transfers: [UnsafeMutableRawPointer: CurlTransfer] = [:]

    init(_ loop: any EventLoop, _ bounds: Bounds) {
        self.loop = loop
        self.bounds = bounds
    }

    /// Runs what `make` sets up. On the loop: makes the transfer, hands it to libcurl, and calls `finished` once.
    func run(
        _ ticket: Ticket, _ make: @escaping @Sendable () throws(CurlFailure) -> CurlTransfer,
        _ finished: @escaping @Sendable (CurlTransfer?, CurlFailure?) -> Void
    ) {
        loop.submit { [self] in
            do throws(CurlFailure) {
                guard !ticket.isCancelled.load(ordering: .acquiring) else { throw .cancelled }
                guard transfers.count < bounds.transfers else {
                    throw .failed("\(bounds.transfers) requests are already under way")
                }
                let transfer = try make()
                try start(transfer, ticket, finished)
            } catch { finished(nil, error) }
        }
    }

    func cancel(_ ticket: Ticket) {
        ticket.isCancelled.store(true, ordering: .releasing)
        loop.submit { [self] in
            guard let transfer = transfers.values.first(where: { $0.ticket === ticket }) else { return }
            end(transfer, .cancelled)
        }
    }

    /// Closes all connections. After it, nothing may be run; transfers that are under way are cancelled.
    func close() {
        loop.submit { [self] in
            for transfer in transfers.values { end(transfer, .cancelled) }
            timer?.cancel()
            timer = nil
            if let multi { curl_multi_cleanup(multi) }
            multi = nil
            for watch in watches.values { watch.cancel() }
            watches = [:]
        }
    }

    // MARK: - On the loop

    private func start(
        _ transfer: CurlTransfer, _ ticket: Ticket,
        _ finished: @escaping @Sendable (CurlTransfer?, CurlFailure?) -> Void
    ) throws(CurlFailure) {
        let multi = try openMulti()
        transfer.ticket = ticket
        transfer.finished = finished
        guard curl_multi_add_handle(multi, transfer.handle) == CURLM_OK else {
            throw .failed("libcurl did not take the request")
        }
        transfers[transfer.handle] = transfer
    }

    private func openMulti() throws(CurlFailure) -> UnsafeMutableRawPointer {
        if let multi { return multi }
        guard Self.isReady, let multi = curl_multi_init() else { throw .failed("libcurl did not start") }
        // Unretained: `close` frees the multi handle on this loop, and holds this object until then.
        let this = Unmanaged.passUnretained(self).toOpaque()
        plexi_curl_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, this)
        plexi_curl_multi_set_pointer(multi, CURLMOPT_TIMERDATA, this)
        plexi_curl_multi_set_socket_function(multi) { _, socket, wanted, this, _ in
            CurlLoop.recover(this).watch(socket, wanted)
            return 0
        }
        plexi_curl_multi_set_timer_function(multi) { _, milliseconds, this in
            CurlLoop.recover(this).setTimer(milliseconds)
            return 0
        }
        plexi_curl_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, bounds.connections)
        plexi_curl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, bounds.connectionsPerHost)
        plexi_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, bounds.idleConnections)
        self.multi = multi
        return multi
    }

    /// Once per process, before any other call.
    private static let isReady = plexi_curl_start() == CURLE_OK

    private static func recover(_ this: UnsafeMutableRawPointer?) -> CurlLoop {
        guard let this else { preconditionFailure("libcurl calls back with what it was given") }
        return Unmanaged<CurlLoop>.fromOpaque(this).takeUnretainedValue()
    }

    private func watch(_ socket: curl_socket_t, _ wanted: Int32) {
        guard wanted != CURL_POLL_REMOVE else {
            watches.removeValue(forKey: socket)?.cancel()
            return
        }
        var interest: Readiness = []
        if wanted & CURL_POLL_IN != 0 { interest.insert(.readable) }
        if wanted & CURL_POLL_OUT != 0 { interest.insert(.writable) }
        if let watch = watches[socket] {
            watch.interest = interest
            return
        }
        // A socket that cannot be watched makes its transfer time out, which is what its caller can deal with.
        watches[socket] = try? loop.watch(socket, for: interest) { [unowned self] ready in
            var flags: Int32 = 0
            if ready.contains(.readable) { flags |= CURL_CSELECT_IN }
            if ready.contains(.writable) { flags |= CURL_CSELECT_OUT }
            act(socket, flags)
        }
    }

    /// Called from within libcurl, which must not be called back: even a timer for "now" waits for the next turn.
    private func setTimer(_ milliseconds: Int) {
        timer?.cancel()
        timer = nil
        guard milliseconds >= 0 else { return }
        timer = loop.schedule(after: .milliseconds(milliseconds)) { [unowned self] in
            timer = nil
            act(CURL_SOCKET_BAD, 0)
            restoreTimer()
        }
    }

    /// libcurl tells a deadline once. Ours may ring before it by libcurl's clock: it tells whole milliseconds of what
    /// it counts in microseconds, and our loop counts from the beginning of its turn. Then nothing was due, and nobody
    /// would call again: the transfer would never time out, or never begin.
    private func restoreTimer() {
        guard timer == nil, let multi else { return }
        var milliseconds = -1
        guard curl_multi_timeout(multi, &milliseconds) == CURLM_OK, milliseconds >= 0 else { return }
        setTimer(max(1, milliseconds))
    }

    private func act(_ socket: curl_socket_t, _ flags: Int32) {
        guard let multi else { return }
        var running: Int32 = 0
        // CURL_SOCKET_TIMEOUT is CURL_SOCKET_BAD by definition.
        curl_multi_socket_action(multi, socket, flags, &running)
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let transfer = transfers[message.pointee.easy_handle] else {
                continue
            }
            let code = plexi_curl_result(message)
            end(transfer, code == CURLE_OK ? nil : transfer.failure(code))
        }
    }

    private func end(_ transfer: CurlTransfer, _ failure: CurlFailure?) {
        transfers[transfer.handle] = nil
        if let multi { curl_multi_remove_handle(multi, transfer.handle) }
        transfer.finished?(transfer, failure)
        transfer.finished = nil
    }
}
