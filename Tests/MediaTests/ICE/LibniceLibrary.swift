import Base
import Glibc
import Testing
import Wire

/// libnice, a full ICE agent that is not ours, loaded at run time: nothing of ours links to it. `PLEXI_LIBNICE` names
/// the file; without it the system's is tried, and where there is none the tests are skipped.
///
/// It brings GLib along, whose main loop a test turns on its own thread, in real time: libnice has no other.
struct LibniceLibrary: @unchecked Sendable {
    typealias Pointer = UnsafeMutableRawPointer

    private let handle: Pointer

    static let shared: LibniceLibrary? = {
        let named = getenv("PLEXI_LIBNICE").map { String(cString: $0) }
        for path in [named, "libnice.so.10"].compactMap({ $0 }) {
            if let handle = dlopen(path, RTLD_NOW) { return LibniceLibrary(handle: handle) }
        }
        return nil
    }()

    /// Of libnice, or of GLib, which it has loaded.
    func function<Function>(_ name: String, as type: Function.Type) -> Function {
        guard let symbol = dlsym(handle, name) else { fatalError("libnice has no \(name)") }
        return unsafeBitCast(symbol, to: type)
    }
}

/// An agent of libnice with one stream of one component on the loopback.
final class LibniceAgent {
    private typealias Pointer = LibniceLibrary.Pointer
    private typealias Text = UnsafePointer<CChar>
    private typealias Received =
        @convention(c) (Pointer?, UInt32, UInt32, UInt32, UnsafeMutablePointer<CChar>?, Pointer?) -> Void

    /// `NiceAgentOption`.
    struct Options: OptionSet, Sendable {
        let rawValue: UInt32
        static let regularNomination = Options(rawValue: 1 << 0)
        static let consentFreshness = Options(rawValue: 1 << 5)
    }

    /// `NiceComponentState`.
    enum State: UInt32 { case disconnected, gathering, connecting, connected, ready, failed }

    private static let component: UInt32 = 1
    /// `NICE_COMPATIBILITY_RFC5245`, which is that of RFC 8445 too.
    private static let compatibility: UInt32 = 0
    /// `G_TYPE_BOOLEAN`.
    private static let booleanType = 5 << 2

    private let library: LibniceLibrary
    private let context: LibniceLibrary.Pointer
    private let agent: LibniceLibrary.Pointer
    private let stream: UInt32

    /// What came for the application. Only the suite's one test at a time touches it.
    nonisolated(unsafe) static var received: [Bytes] = []

    init(_ library: LibniceLibrary, _ options: Options = []) throws {
        self.library = library
        Self.received = []
        let make = library.function("g_main_context_new", as: (@convention(c) () -> Pointer?).self)
        context = try #require(make())
        let makeAgent = library.function(
            "nice_agent_new_full", as: (@convention(c) (Pointer, UInt32, UInt32) -> Pointer?).self)
        agent = try #require(makeAgent(context, Self.compatibility, options.rawValue))
        let addStream = library.function("nice_agent_add_stream", as: (@convention(c) (Pointer, UInt32) -> UInt32).self)
        stream = addStream(agent, 1)
        setControlling()
        stayOnLoopback()
        let attach = library.function(
            "nice_agent_attach_recv",
            as: (@convention(c) (Pointer, UInt32, UInt32, Pointer, Received, Pointer?) -> Int32).self)
        let take: Received = { _, _, _, count, bytes, _ in
            LibniceAgent.received.append(Bytes(UnsafeRawBufferPointer(start: bytes, count: Int(count))))
        }
        try #require(attach(agent, stream, Self.component, context, take, nil) != 0)
        let gather = library.function(
            "nice_agent_gather_candidates", as: (@convention(c) (Pointer, UInt32) -> Int32).self)
        try #require(gather(agent, stream) != 0)
    }

    deinit {
        library.function("g_object_unref", as: (@convention(c) (Pointer) -> Void).self)(agent)
        library.function("g_main_context_unref", as: (@convention(c) (Pointer) -> Void).self)(context)
    }

    /// By a `GValue`: the shorter way takes a variable number of arguments.
    private func setControlling() {
        var value: (Int, UInt64, UInt64) = (0, 0, 0)
        withUnsafeMutableBytes(of: &value) { bytes in
            guard let base = bytes.baseAddress else { return }
            _ = library.function("g_value_init", as: (@convention(c) (Pointer, Int) -> Pointer?).self)(
                base, Self.booleanType)
            library.function("g_value_set_boolean", as: (@convention(c) (Pointer, Int32) -> Void).self)(base, 1)
            library.function("g_object_set_property", as: (@convention(c) (Pointer, Text, Pointer) -> Void).self)(
                agent, "controlling-mode", base)
        }
    }

    private func stayOnLoopback() {
        guard let address = library.function("nice_address_new", as: (@convention(c) () -> Pointer?).self)() else {
            return
        }
        _ = library.function("nice_address_set_from_string", as: (@convention(c) (Pointer, Text) -> Int32).self)(
            address, "127.0.0.1")
        _ = library.function("nice_agent_add_local_address", as: (@convention(c) (Pointer, Pointer) -> Int32).self)(
            agent, address)
        library.function("nice_address_free", as: (@convention(c) (Pointer) -> Void).self)(address)
    }

    /// Its credentials for the current generation.
    func localCredentials() throws -> ICECredentials {
        typealias Texts = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
        let get = library.function(
            "nice_agent_get_local_credentials", as: (@convention(c) (Pointer, UInt32, Texts, Texts) -> Int32).self)
        let free = library.function("g_free", as: (@convention(c) (Pointer?) -> Void).self)
        var ufrag: UnsafeMutablePointer<CChar>?
        var password: UnsafeMutablePointer<CChar>?
        try #require(get(agent, stream, &ufrag, &password) != 0)
        defer {
            free(ufrag)
            free(password)
        }
        return try ICECredentials(
            ufrag: String(cString: try #require(ufrag)), password: String(cString: try #require(password)))
    }

    /// Begins to check a lite agent on a port of the loopback.
    func connect(to remote: ICECredentials, port: UInt16) throws {
        let setCredentials = library.function(
            "nice_agent_set_remote_credentials", as: (@convention(c) (Pointer, UInt32, Text, Text) -> Int32).self)
        let password = remote.password.withExposedBytes { String(decoding: $0, as: UTF8.self) }
        try #require(setCredentials(agent, stream, remote.ufrag, password) != 0)
        let parse = library.function(
            "nice_agent_parse_remote_candidate_sdp", as: (@convention(c) (Pointer, UInt32, Text) -> Pointer?).self)
        let candidate = try #require(
            parse(agent, stream, "a=candidate:1 1 UDP 2130706431 127.0.0.1 \(port) typ host"))
        let append = library.function("g_slist_append", as: (@convention(c) (Pointer?, Pointer) -> Pointer?).self)
        let list = append(nil, candidate)
        let setCandidates = library.function(
            "nice_agent_set_remote_candidates",
            as: (@convention(c) (Pointer, UInt32, UInt32, Pointer?) -> Int32).self)
        try #require(setCandidates(agent, stream, Self.component, list) == 1)
        library.function("g_slist_free", as: (@convention(c) (Pointer?) -> Void).self)(list)
        library.function("nice_candidate_free", as: (@convention(c) (Pointer) -> Void).self)(candidate)
    }

    /// New credentials of its own; it goes on with those of ours that `connect` gives it next.
    func restart() throws {
        try #require(library.function("nice_agent_restart", as: (@convention(c) (Pointer) -> Int32).self)(agent) != 0)
    }

    var state: State? {
        let get = library.function(
            "nice_agent_get_component_state", as: (@convention(c) (Pointer, UInt32, UInt32) -> UInt32).self)
        return State(rawValue: get(agent, stream, Self.component))
    }

    func send(_ bytes: Bytes) -> Int {
        let send = library.function(
            "nice_agent_send", as: (@convention(c) (Pointer, UInt32, UInt32, UInt32, UnsafeRawPointer) -> Int32).self)
        return Int(send(agent, stream, Self.component, UInt32(bytes.count), bytes))
    }

    /// Does what is due, and waits for nothing.
    func turn() {
        let iterate = library.function(
            "g_main_context_iteration", as: (@convention(c) (Pointer, Int32) -> Int32).self)
        for _ in 0..<64 where iterate(context, 0) != 0 {}
    }
}
