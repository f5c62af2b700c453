// The way of a client to its server: datagrams, or a stream, in plain or under (D)TLS. On the thread of its loop.

package import Base
import CShims
package import Crypto
import Glibc
package import Wire

/// Why the way is not there, and which part of it fails.
package enum RelayLinkFailure: Error, Sendable, Equatable {
    /// No socket, no route, nobody listens.
    case transport(String)
    case tls(String)
    case certificate(String)
}

/// Told on the loop's thread.
package protocol RelayLinkOwner: AnyObject {
    func linkIsReady()
    /// One whole message; valid during the call.
    func linkReceived(_ message: RawSpan)
    /// The last call.
    func linkFailed(_ failure: RelayLinkFailure)
}

package final class RelayClientLink {
    /// What is read at once; no datagram is longer.
    private static let bufferBytes = 64 << 10
    /// Bytes of a stream that the server has not taken yet. A client that fills it asks more than the way carries.
    private static let unsentMax = 1 << 20

    private let loop: any EventLoop
    private let url: RelayURL
    let remote: TransportAddress
    private let trust: TLSContext.Trust
    private weak var owner: (any RelayLinkOwner)?
    private var descriptor: Int32 = -1
    private var watch: (any DescriptorWatch)?
    private var timer: (any ScheduledTimer)?
    private var isConnected = false
    private var isReady = false
    private var tls: TLSSession?
    private var dtls: DTLSSession?
    private var deframer = TURNDeframer()
    private var unsent = Bytes()
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferBytes, alignment: 16)

    /// `remote` is an address of the URL's host.
    package init(
        _ url: RelayURL, at remote: TransportAddress, trusting trust: TLSContext.Trust, on loop: any EventLoop,
        owner: any RelayLinkOwner
    ) {
        self.url = url
        self.remote = remote
        self.trust = trust
        self.loop = loop
        self.owner = owner
    }

    deinit {
        buffer.deallocate()
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    /// The version and the suite, once ready; `nil` without TLS.
    package private(set) var security: String?

    package var local: TransportAddress? {
        var address = plexi_address()
        return plexi_local_address(descriptor, &address) == 0 ? TransportAddress(address) : nil
    }

    // MARK: - The beginning and the end

    /// The owner may be called before this returns.
    package func open() {
        var address = plexi_address(remote)
        descriptor = url.isStream ? plexi_stream_connect(&address) : plexi_datagram_connect(&address)
        guard descriptor >= 0 else { return fail(.transport(SystemError("connect").description)) }
        do throws(SystemError) {
            watch = try loop.watch(descriptor, for: url.isStream ? [.readable, .writable] : .readable) {
                [weak self] readiness in self?.ready(readiness)
            }
        } catch {
            return fail(.transport(error.description))
        }
        if !url.isStream { connected() }
    }

    package func close() {
        tls?.close()
        dtls?.close()
        if isReady { flush() }
        end()
    }

    private func end() {
        owner = nil
        timer?.cancel()
        timer = nil
        watch?.cancel()
        watch = nil
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    private func fail(_ failure: RelayLinkFailure) {
        let owner = owner
        end()
        owner?.linkFailed(failure)
    }

    private func connected() {
        isConnected = true
        do throws(CryptoError) {
            switch url.transport {
            case .udp, .tcp: becomeReady()
            case .tls:
                tls = try TLSSession(
                    client: try TLSContext.client(trusting: trust, applicationProtocols: [RelayURL.alpn]),
                    host: url.host)
            case .dtls:
                let session = try DTLSSession(.client, try DTLSIdentity.make(offersSRTP: false))
                dtls = session
                timer = loop.timer { [weak self] in self?.handshakeTimerRang() }
                session.start(now: .now())
            }
        } catch {
            return fail(.tls("\(error)"))
        }
        flush()
    }

    private func becomeReady() {
        guard !isReady else { return }
        isReady = true
        if let tls { security = "\(tls.version), \(tls.suite)" }
        if let dtls { security = "DTLS 1.2, \(dtls.suite)" }
        owner?.linkIsReady()
    }

    // MARK: - Out

    /// A whole message. Before the link is ready, and beyond what may wait, it is lost, as a datagram would be.
    package func send(_ message: Bytes) {
        guard isReady, descriptor >= 0 else { return }
        switch url.transport {
        case .udp: sendDatagram(message)
        case .dtls: _ = dtls?.send(message)
        case .tcp: if unsent.count <= Self.unsentMax { unsent += message }
        case .tls: if unsent.count <= Self.unsentMax { _ = try? tls?.write(message) }
        }
        flush()
    }

    /// Messages of `length` bytes each, one behind the other. As datagrams they leave in one call of the kernel's
    /// (sendmmsg), so that the server finds them together, as it does what an interface took in at one time. One that the
    /// socket does not take is lost.
    package func send(burst: Bytes, of length: Int) {
        guard url.transport == .udp else {
            var rest = burst[...]
            while rest.count >= length {
                send(Bytes(rest.prefix(length)))
                rest = rest.dropFirst(length)
            }
            return
        }
        guard isReady, descriptor >= 0, length > 0 else { return }
        let address = plexi_address(remote)
        burst.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            let pieces = (0..<bytes.count / length).map { plexi_piece(bytes: start + $0 * length, count: UInt(length)) }
            let each = pieces.indices.map {
                plexi_gathering(first: UInt32($0), count: 1, segment: UInt32(length), address: address)
            }
            var first = 0
            while first < each.count {
                let taken = each.withUnsafeBufferPointer {
                    plexi_send_gathered(descriptor, pieces, $0.baseAddress.map { $0 + first }, UInt32($0.count - first))
                }
                first += max(1, Int(taken))
            }
        }
    }

    private func sendDatagram(_ bytes: Bytes) { _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    private func flush() {
        guard descriptor >= 0, isConnected else { return }
        while let datagram = dtls?.takeDatagram() { sendDatagram(datagram) }
        armHandshakeTimer()
        guard url.isStream else { return }
        if let tls { unsent += tls.takeCiphertext() }
        while !unsent.isEmpty {
            let taken = plexi_stream_write(descriptor, unsent, UInt(unsent.count))
            guard taken >= 0 else { return fail(.transport("the connection was closed")) }
            guard taken > 0 else { break }
            unsent.removeFirst(taken)
        }
        watch?.interest = unsent.isEmpty ? .readable : [.readable, .writable]
    }

    private func armHandshakeTimer() {
        guard let deadline = dtls?.deadline else { return }
        timer?.arm(at: deadline)
    }

    private func handshakeTimerRang() {
        dtls?.handleTimeout(now: .now())
        flush()
    }

    // MARK: - In

    private func ready(_ readiness: Readiness) {
        if url.isStream, !isConnected {
            let code = plexi_socket_error(descriptor)
            guard code == 0 else { return fail(.transport(SystemError("connect", code: code).description)) }
            guard readiness.contains(.writable) else { return }
            return connected()
        }
        if readiness.contains(.readable) { read() }
        if descriptor >= 0, readiness.contains(.writable) { flush() }
    }

    private func read() {
        while descriptor >= 0 {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
            if count < 0 {
                if errno == EAGAIN || errno == EINTR { return }
                return fail(.transport(SystemError("receive").description))
            }
            if count == 0, url.isStream { return streamEnded() }
            take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            if count < buffer.count, url.isStream { return }
        }
    }

    private func streamEnded() {
        let isEarly = url.transport == .tls && !isReady
        fail(
            isEarly
                ? .tls("the server closed the connection during the handshake")
                : .transport("the server closed the connection"))
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        switch url.transport {
        case .udp: owner?.linkReceived(bytes.bytes)
        case .tcp: cut(bytes)
        case .dtls: takeDTLS(bytes)
        case .tls: takeTLS(bytes)
        }
    }

    private func takeDTLS(_ bytes: UnsafeRawBufferPointer) {
        guard let dtls else { return }
        dtls.receive(bytes, now: .now())
        switch dtls.phase {
        case .failed(let error): return fail(.tls("\(error)"))
        case .closed: return fail(.transport("the server closed the association"))
        case .established: becomeReady()
        case .handshaking: break
        }
        while let message = dtls.takeApplicationData() { message.withUnsafeBytes { owner?.linkReceived($0.bytes) } }
        flush()
    }

    private func takeTLS(_ bytes: UnsafeRawBufferPointer) {
        guard let tls else { return }
        do throws(TLSError) {
            try tls.receive(bytes)
            if tls.isEstablished { becomeReady() }
            while descriptor >= 0 {
                // What was received is in the session: its buffer is free for what it decrypts.
                guard case .plaintext(let count) = try tls.read(into: buffer) else { break }
                cut(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        } catch {
            flush()
            switch error {
            case .certificateRejected(let reason): return fail(.certificate(reason))
            case .handshakeFailed(let reason), .broken(let reason): return fail(.tls(reason))
            case .truncated, .unreadLimitExceeded: return fail(.tls("\(error)"))
            }
        }
        flush()
    }

    private func giveAssembled() {
        let deframer = deframer
        owner?.linkReceived(deframer.assembled)
    }

    private func cut(_ chunk: UnsafeRawBufferPointer) {
        var offset = 0
        do throws(WireError) {
            while descriptor >= 0 {
                switch try deframer.next(in: chunk.bytes, from: &offset) {
                case .message(let range): owner?.linkReceived(UnsafeRawBufferPointer(rebasing: chunk[range]).bytes)
                case .assembled: giveAssembled()
                case .needsMore: return
                }
            }
        } catch {
            fail(.transport("what came is no TURN: \(error.reason)"))
        }
    }
}

extension RelayURL {
    /// RFC 7443.
    package static let alpn = "stun.turn"
}
