import Base
import Glibc
import Testing

/// usrsctp, loaded at run time as an independent peer: nothing of ours links to it. `PLEXI_LIBUSRSCTP` names the file;
/// without it the system's is tried, and where there is none the tests are skipped.
///
/// It runs without threads of its own: its timers are driven by the test's virtual time.
struct UsrsctpLibrary: @unchecked Sendable {
    typealias Socket = UnsafeMutableRawPointer
    typealias Output =
        @convention(c) (
            UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int, UInt8, UInt8
        ) -> Int32

    private typealias Initialise = @convention(c) (UInt16, Output, UnsafeRawPointer?) -> Void
    private typealias MakeSocket =
        @convention(c) (
            Int32, Int32, Int32, UnsafeRawPointer?, UnsafeRawPointer?, UInt32, UnsafeMutableRawPointer?
        ) -> Socket?
    private typealias Address = @convention(c) (Socket, UnsafeRawPointer, UInt32) -> Int32
    private typealias Number = @convention(c) (Socket, Int32) -> Int32
    private typealias Accept = @convention(c) (Socket, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Socket?
    private typealias Option = @convention(c) (Socket, Int32, Int32, UnsafeRawPointer, UInt32) -> Int32
    private typealias Send =
        @convention(c) (
            Socket, UnsafeRawPointer, Int, UnsafeRawPointer?, Int32, UnsafeRawPointer?, UInt32, UInt32, Int32
        ) -> Int
    private typealias Receive =
        @convention(c) (
            Socket, UnsafeMutableRawPointer, Int, UnsafeMutableRawPointer, UnsafeMutablePointer<UInt32>,
            UnsafeMutableRawPointer, UnsafeMutablePointer<UInt32>, UnsafeMutablePointer<UInt32>,
            UnsafeMutablePointer<Int32>
        ) -> Int
    private typealias Input = @convention(c) (UnsafeRawPointer, UnsafeRawPointer, Int, UInt8) -> Void
    private typealias Register = @convention(c) (UnsafeRawPointer) -> Void
    private typealias Timers = @convention(c) (UInt32) -> Void
    private typealias Close = @convention(c) (Socket) -> Void

    private static let family: UInt16 = 123
    private static let sctp: Int32 = 132

    private let handle: UnsafeMutableRawPointer

    static let shared: UsrsctpLibrary? = {
        let named = getenv("PLEXI_LIBUSRSCTP").map { String(cString: $0) }
        for path in [named, "libusrsctp.so.2"].compactMap({ $0 }) {
            guard let handle = dlopen(path, RTLD_NOW) else { continue }
            let library = UsrsctpLibrary(handle: handle)
            let initialise = library.function("usrsctp_init_nothreads", as: Initialise.self)
            initialise(0, { _, bytes, count, _, _ in UsrsctpLibrary.take(bytes, count) }, nil)
            return library
        }
        return nil
    }()

    /// What usrsctp has sent since it was last asked. Only the suite's one test at a time touches it.
    nonisolated(unsafe) static var sent: [Bytes] = []

    private static func take(_ bytes: UnsafeMutableRawPointer?, _ count: Int) -> Int32 {
        sent.append(Bytes(UnsafeRawBufferPointer(start: bytes, count: count)))
        return 0
    }

    private func function<Function>(_ name: String, as type: Function.Type) -> Function {
        guard let symbol = dlsym(handle, name) else { fatalError("usrsctp has no \(name)") }
        return unsafeBitCast(symbol, to: type)
    }

    /// `struct sockaddr_conn`: family, port, and the number that stands for the other side.
    private func address(_ peer: UInt, port: UInt16) -> Bytes {
        withUnsafeBytes(of: Self.family) { Bytes($0) } + withUnsafeBytes(of: port.bigEndian) { Bytes($0) }
            + [0, 0, 0, 0] + withUnsafeBytes(of: peer) { Bytes($0) }
    }

    func makeSocket(peer: UInt, port: UInt16) throws -> Socket {
        function("usrsctp_register_address", as: Register.self)(UnsafeRawPointer(bitPattern: peer)!)
        let socket = try #require(
            function("usrsctp_socket", as: MakeSocket.self)(
                Int32(Self.family), streamSocket, Self.sctp, nil, nil, 0, nil))
        _ = function("usrsctp_set_non_blocking", as: Number.self)(socket, 1)
        set(socket, 4, [UInt32(1)])
        set(socket, 0x1F, [UInt32(1)])
        // Streams out and in, then the defaults.
        set(socket, 3, [UInt16(1_024), 1_024, 0, 0])
        // Every kind of reset, for future associations.
        set(socket, 0x900, [UInt32(0), 7])
        let local = address(peer, port: port)
        let result = function("usrsctp_bind", as: Address.self)(socket, local, UInt32(local.count))
        #expect(result == 0)
        return socket
    }

    private func set<Value>(_ socket: Socket, _ option: Int32, _ values: [Value]) {
        let bytes = values.withUnsafeBytes { Bytes($0) }
        let result = function("usrsctp_setsockopt", as: Option.self)(
            socket, Self.sctp, option, bytes, UInt32(bytes.count))
        #expect(result == 0)
    }

    func connect(_ socket: Socket, peer: UInt, port: UInt16) {
        let remote = address(peer, port: port)
        let result = function("usrsctp_connect", as: Address.self)(socket, remote, UInt32(remote.count))
        #expect(result == 0 || errno == EINPROGRESS)
    }

    func listen(_ socket: Socket) {
        let result = function("usrsctp_listen", as: Number.self)(socket, 1)
        #expect(result == 0)
    }
    func accept(_ socket: Socket) -> Socket? { function("usrsctp_accept", as: Accept.self)(socket, nil, nil) }
    func close(_ socket: Socket) { function("usrsctp_close", as: Close.self)(socket) }

    func forget(peer: UInt) {
        function("usrsctp_deregister_address", as: Register.self)(UnsafeRawPointer(bitPattern: peer)!)
    }

    func input(_ packet: Bytes, peer: UInt) {
        function("usrsctp_conninput", as: Input.self)(UnsafeRawPointer(bitPattern: peer)!, packet, packet.count, 0)
    }

    func elapse(milliseconds: Int) {
        function("usrsctp_handle_timers", as: Timers.self)(UInt32(milliseconds))
    }

    /// False when its buffer is full.
    func send(
        _ payload: Bytes, on socket: Socket, stream: UInt16, protocolID: UInt32, isUnordered: Bool
    ) -> Bool {
        // struct sctp_sndinfo
        var info = withUnsafeBytes(of: stream) { Bytes($0) }
        info += withUnsafeBytes(of: isUnordered ? UInt16(0x400) : 0) { Bytes($0) }
        info += withUnsafeBytes(of: protocolID.bigEndian) { Bytes($0) } + Bytes(repeating: 0, count: 8)
        let sent = function("usrsctp_sendv", as: Send.self)(
            socket, payload, payload.count, nil, 0, info, UInt32(info.count), 1, 0)
        return sent == payload.count
    }

    struct Part {
        var bytes: Bytes
        var stream: UInt16
        var protocolID: UInt32
        var isLast: Bool
    }

    func receive(_ socket: Socket) -> Part? {
        var buffer = Bytes(repeating: 0, count: 65_536)
        var from = Bytes(repeating: 0, count: 128)
        var fromCount = UInt32(from.count)
        // struct sctp_rcvinfo
        var info = Bytes(repeating: 0, count: 64)
        var infoCount = UInt32(info.count)
        var kind: UInt32 = 0
        var flags: Int32 = 0
        let count = function("usrsctp_recvv", as: Receive.self)(
            socket, &buffer, buffer.count, &from, &fromCount, &info, &infoCount, &kind, &flags)
        guard count > 0 else { return nil }
        let stream = UInt16(info[0]) | UInt16(info[1]) << 8
        let protocolID = info[8..<12].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return Part(
            bytes: Bytes(buffer.prefix(count)), stream: stream, protocolID: protocolID, isLast: flags & 0x80 != 0)
    }

    func reset(_ socket: Socket, stream: UInt16) {
        // struct sctp_reset_streams: association, flags (outgoing), count, the stream
        let request: [UInt16] = [0, 0, 2, 1, stream, 0]
        let result = function("usrsctp_setsockopt", as: Option.self)(socket, Self.sctp, 0x901, request, 10)
        #expect(result == 0)
    }
}

private let streamSocket = Int32(SOCK_STREAM.rawValue)
