// One transfer of libcurl: an easy handle, what it sends, and what became of it.

import Base
import CCurl
import Glibc
package import Wire

enum CurlFailure: Error, Equatable {
    /// In words for an operator.
    case failed(String)
    case timedOut
    case tooLarge(limit: Int)
    /// Every address of the name is one that `ConnectionOptions.reachable` has not.
    case refusedAddress
    case cancelled
}

/// Belongs to one `CurlLoop`, and is used on its thread only.
final class CurlTransfer {
    /// Where the bytes of an upload come from.
    enum Source {
        case none
        case bytes(Bytes)
        case file(OpenDescriptor, offset: Int64, length: Int64)
    }

    /// Header lines of one answer, together. Enough for any real one; less than would hurt.
    private static let headerLimit = 256 << 10

    let handle: UnsafeMutableRawPointer
    var ticket: CurlLoop.Ticket?
    var finished: (@Sendable (CurlTransfer?, CurlFailure?) -> Void)?

    private(set) var headers: [(name: String, value: String)] = []
    private(set) var body = Bytes()

    private let responseLimit: Int
    private let receive: (@Sendable (Bytes) throws -> Void)?
    private var received = 0
    private var headerBytes = 0
    private var stopped: CurlFailure?
    private var reachable: PublicAddresses?
    private var wasRefused = false
    private var source = Source.none
    private var sent: Int64 = 0
    private var lists: [UnsafeMutablePointer<curl_slist>] = []
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    /// `receive` takes the body in pieces; without it, the body is kept, up to `responseLimit`.
    init(
        url: String, timeout: Duration, responseLimit: Int, receive: (@Sendable (Bytes) throws -> Void)?
    ) throws(CurlFailure) {
        guard let handle = curl_easy_init() else { throw .failed("libcurl has no memory") }
        self.handle = handle
        self.responseLimit = responseLimit
        self.receive = receive
        errorText.pointee = 0
        try set(CURLOPT_URL, url)
        try set(CURLOPT_TIMEOUT_MS, max(1, Int(timeout.milliseconds)))
        // Signals belong to the process, not to a resolver; environments and home folders do not configure us.
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_NETRC, 0)
        try set(CURLOPT_FOLLOWLOCATION, 0)
        plexi_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText)
        connectCallbacks()
    }

    deinit {
        curl_easy_cleanup(handle)
        for list in lists { curl_slist_free_all(list) }
        errorText.deallocate()
    }

    // MARK: - Setting up

    func set(_ option: CURLoption, _ value: Int) throws(CurlFailure) {
        try require(plexi_curl_set_long(handle, option, value), option)
    }

    func set(_ option: CURLoption, _ value: String) throws(CurlFailure) {
        // What follows a zero byte would be left out without a word.
        guard !value.utf8.contains(0) else { throw .failed("a zero byte in the request") }
        try require(plexi_curl_set_text(handle, option, value), option)
    }

    func set(_ option: CURLoption, _ lines: [String]) throws(CurlFailure) {
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines {
            guard let longer = curl_slist_append(list, line) else {
                curl_slist_free_all(list)
                throw .failed("libcurl has no memory")
            }
            list = longer
        }
        guard let list else { return }
        lists.append(list)
        try require(plexi_curl_set_list(handle, option, list), option)
    }

    func require(_ code: CURLcode, _ option: CURLoption) throws(CurlFailure) {
        guard code != CURLE_OK else { return }
        throw .failed("libcurl, option \(option.rawValue): \(String(cString: curl_easy_strerror(code)))")
    }

    /// Whom to believe, and through whom to go.
    func connect(_ options: ConnectionOptions) throws(CurlFailure) {
        try set(CURLOPT_CONNECTTIMEOUT_MS, max(1, Int(options.connectTimeout.milliseconds)))
        // An empty name turns off what the environment says.
        try set(CURLOPT_PROXY, options.proxy ?? "")
        if let file = options.trustedCertificates { try set(CURLOPT_CAINFO, file) }
        try set(CURLOPT_SSL_VERIFYPEER, 1)
        try set(CURLOPT_SSL_VERIFYHOST, 2)
        try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        // Through a proxy, what is reached is the proxy's decision.
        if let reachable = options.reachable, options.proxy == nil { try reach(only: reachable) }
    }

    /// Asked with the address itself, after the name was looked up and just before the connection: no name, and no
    /// second look at one, leads anywhere else.
    private func reach(only addresses: PublicAddresses) throws(CurlFailure) {
        reachable = addresses
        // Unretained, as the others below.
        plexi_curl_set_pointer(handle, CURLOPT_OPENSOCKETDATA, Unmanaged.passUnretained(self).toOpaque())
        let code = plexi_curl_set_open_socket_function(handle) { this, _, address in
            guard let address else { return CURL_SOCKET_BAD }
            return CurlTransfer.recover(this).openSocket(address)
        }
        try require(code, CURLOPT_OPENSOCKETFUNCTION)
    }

    private func openSocket(_ address: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
        guard let ip = Self.ip(of: address), reachable?.contains(ip) == true else {
            wasRefused = true
            return CURL_SOCKET_BAD
        }
        return PlainSocket.make(
            family: address.pointee.family, type: address.pointee.socktype, protocol: address.pointee.protocol)
    }

    /// `nil` for what is neither IPv4 nor IPv6.
    private static func ip(of address: UnsafeMutablePointer<curl_sockaddr>) -> IPAddress? {
        guard let offset = MemoryLayout<curl_sockaddr>.offset(of: \.addr) else { return nil }
        // libcurl keeps room for the longest kind behind the short one that the struct names.
        let raw = UnsafeRawPointer(address).advanced(by: offset)
        switch address.pointee.family {
        case AF_INET where address.pointee.addrlen >= MemoryLayout<sockaddr_in>.size:
            return IPAddress(v4: UInt32(bigEndian: raw.loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr))
        case AF_INET6 where address.pointee.addrlen >= MemoryLayout<sockaddr_in6>.size:
            let bytes = raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr
            return IPAddress(bytes: withUnsafeBytes(of: bytes) { Bytes($0) })
        default: return nil
        }
    }

    /// To be sent as libcurl asks for it; `length` bytes in all.
    func upload(_ source: Source) throws(CurlFailure) {
        self.source = source
        try set(CURLOPT_UPLOAD, 1)
        try require(
            plexi_curl_set_size(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(uploadLength)), CURLOPT_INFILESIZE_LARGE)
    }

    private var uploadLength: Int64 {
        switch source {
        case .none: 0
        case .bytes(let bytes): Int64(bytes.count)
        case .file(_, _, let length): length
        }
    }

    private func connectCallbacks() {
        // Unretained: the handle is freed in our `deinit`, and libcurl calls only while `CurlLoop` holds us.
        let this = Unmanaged.passUnretained(self).toOpaque()
        for option in [CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_READDATA, CURLOPT_SEEKDATA] {
            plexi_curl_set_pointer(handle, option, this)
        }
        plexi_curl_set_bytes_function(handle, CURLOPT_WRITEFUNCTION) { bytes, _, count, this in
            CurlTransfer.recover(this).take(UnsafeRawBufferPointer(start: bytes, count: count))
        }
        plexi_curl_set_bytes_function(handle, CURLOPT_HEADERFUNCTION) { bytes, _, count, this in
            CurlTransfer.recover(this).takeHeader(UnsafeRawBufferPointer(start: bytes, count: count))
        }
        plexi_curl_set_bytes_function(handle, CURLOPT_READFUNCTION) { buffer, size, count, this in
            CurlTransfer.recover(this).give(UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
        }
        plexi_curl_set_seek_function(handle) { this, offset, origin in
            CurlTransfer.recover(this).seek(Int64(offset), origin)
        }
    }

    private static func recover(_ this: UnsafeMutableRawPointer?) -> CurlTransfer {
        guard let this else { preconditionFailure("libcurl calls back with what it was given") }
        return Unmanaged<CurlTransfer>.fromOpaque(this).takeUnretainedValue()
    }

    // MARK: - Called by libcurl. Another number than that of the bytes given stops the transfer.

    private func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard bytes.count <= responseLimit - received else { return stop(.tooLarge(limit: responseLimit)) }
        received += bytes.count
        guard let receive else {
            body.append(contentsOf: bytes)
            return bytes.count
        }
        do {
            try receive(Bytes(bytes))
            return bytes.count
        } catch { return stop(.cancelled) }
    }

    private func stop(_ failure: CurlFailure) -> Int {
        stopped = failure
        return 0
    }

    private func takeHeader(_ line: UnsafeRawBufferPointer) -> Int {
        headerBytes += line.count
        guard headerBytes <= Self.headerLimit else { return stop(.tooLarge(limit: Self.headerLimit)) }
        // A status line begins an answer; interim ones (100) are forgotten.
        if line.starts(with: "HTTP/".utf8) {
            headers = []
        } else if let colon = line.firstIndex(of: UInt8(ascii: ":")) {
            let name = line[..<colon].map { (65...90).contains($0) ? $0 | 0x20 : $0 }
            let value = line[(colon + 1)...].trimmed
            headers.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
        }
        return line.count
    }

    private func give(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        switch source {
        case .none: return 0
        case .bytes(let bytes):
            let count = min(buffer.count, bytes.count - Int(sent))
            bytes.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(sent)..<Int(sent) + count]))
            }
            sent += Int64(count)
            return count
        case .file(let file, let offset, let length):
            let wanted = min(buffer.count, Int(length - sent))
            guard wanted > 0 else { return 0 }
            let count = pread(file.number, buffer.baseAddress, wanted, off_t(offset + sent))
            guard count > 0 else {
                let problem = SystemError("reading the file to send")
                stopped = .failed(count == 0 ? "the file to send became shorter" : "\(problem)")
                return Int(CURL_READFUNC_ABORT)
            }
            sent += Int64(count)
            return count
        }
    }

    /// libcurl begins again when a connection that it wanted to reuse was gone.
    private func seek(_ offset: Int64, _ origin: Int32) -> Int32 {
        guard origin == SEEK_SET, (0...uploadLength).contains(offset) else { return CURL_SEEKFUNC_CANTSEEK }
        sent = offset
        return CURL_SEEKFUNC_OK
    }

    // MARK: - Outcome

    var status: Int {
        var status = 0
        plexi_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        return status
    }

    func failure(_ code: CURLcode) -> CurlFailure {
        if let stopped { return stopped }
        if wasRefused, code == CURLE_COULDNT_CONNECT { return .refusedAddress }
        if code == CURLE_OPERATION_TIMEDOUT { return .timedOut }
        let words = errorText.pointee == 0 ? String(cString: curl_easy_strerror(code)) : String(cString: errorText)
        return .failed(words)
    }
}

/// A descriptor that is closed with its last owner.
final class OpenDescriptor {
    let number: Int32
    init(_ number: Int32) { self.number = number }
    deinit { Glibc.close(number) }
}

/// How the transfers of one client connect.
package struct ConnectionOptions: Sendable {
    /// Of `OutgoingRequest.timeout`, at most this for name, connection and TLS.
    package var connectTimeout = Duration.seconds(10)
    /// `http://host:port`; none, unless the operator says so: the environment is not asked.
    package var proxy: String?
    /// A PEM file of authorities to trust instead of the system's.
    package var trustedCertificates: String?
    /// Where the other side is somebody else's choice: connections go nowhere else. `nil`: anywhere.
    package var reachable: PublicAddresses?

    package init() {}
}

extension Slice<UnsafeRawBufferPointer> {
    fileprivate var trimmed: Self {
        func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 13 || byte == 10 }
        guard let end = lastIndex(where: { !isSpace($0) }) else { return self[endIndex...] }
        return self[startIndex...end].drop(while: isSpace)
    }
}
