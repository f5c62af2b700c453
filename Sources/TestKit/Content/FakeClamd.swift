// A small clamd on a UNIX socket: zPING and zINSTREAM as clamd(8) documents them, and one virus that it knows. It is
// strict where clamd is: a chunk has the length that stands before it, and a stream ends with a chunk of none.

package import Base
import Glibc
import Synchronization

package final class FakeClamd: Sendable {
    package enum Manner: Sendable {
        case honest
        /// Never says anything.
        case silent
        /// Closes the connection when a stream begins.
        case hangsUp
        case says(String)
    }

    /// The test file of EICAR, in two pieces, so that no scanner takes offence at this source.
    package static let virus = Bytes(
        ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!$H+H*").utf8)

    package struct Seen: Sendable {
        package var connections = 0
        package var streams = 0
        package var atOnce = 0
        package var mostAtOnce = 0
        package var longestChunk = 0
    }

    private let listener: Int32
    private let manner: Manner
    private let streamMax: Int
    private let delay: Duration
    private let state = Mutex(Seen())

    package var seen: Seen { state.withLock { $0 } }

    /// `delay` is how long a verdict takes.
    package init(
        path: String, _ manner: Manner = .honest, streamMax: Int = 25 << 20, delay: Duration = .zero
    ) throws(SystemError) {
        self.manner = manner
        self.streamMax = streamMax
        self.delay = delay
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0, listen(listener, 64) == 0 else { throw SystemError("listen at \(path)") }
        start { [self] in accept() }
    }

    /// No connection is taken from here on; those that are open go on.
    package func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    private func start(_ body: @escaping @Sendable () -> Void) {
        let box = Unmanaged.passRetained(Body(body))
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { argument in
                // The reference that was made for this thread.
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, box.toOpaque())
        pthread_detach(thread)
    }

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private func accept() {
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            guard connection >= 0 else { break }
            state.withLock { $0.connections += 1 }
            start { [self] in serve(connection) }
        }
        close(listener)
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        guard let command = line(connection) else { return }
        switch (manner, command) {
        case (.silent, _): while read(connection, 1) != nil {}
        case (.hangsUp, _): return
        case (.says(let words), _): say(words, connection)
        case (.honest, "zPING"): say("PONG", connection)
        case (.honest, "zINSTREAM"): stream(connection)
        case (.honest, _): say("UNKNOWN COMMAND", connection)
        }
    }

    private func stream(_ connection: Int32) {
        state.withLock { state in
            state.streams += 1
            state.atOnce += 1
            state.mostAtOnce = max(state.mostAtOnce, state.atOnce)
        }
        defer { state.withLock { $0.atOnce -= 1 } }
        var content: Bytes = []
        while let head = read(connection, 4) {
            let count = head.reduce(0) { $0 << 8 | Int($1) }
            guard count > 0 else {
                usleep(UInt32(delay.microseconds))
                return say(hasVirus(content) ? "stream: Eicar-Test-Signature FOUND" : "stream: OK", connection)
            }
            state.withLock { $0.longestChunk = max($0.longestChunk, count) }
            guard content.count + count <= streamMax else {
                return say("INSTREAM size limit exceeded. ERROR", connection)
            }
            guard let chunk = read(connection, count) else { return }
            content += chunk
        }
    }

    private func hasVirus(_ content: Bytes) -> Bool {
        let virus = Self.virus
        guard content.count >= virus.count else { return false }
        return (0...(content.count - virus.count)).contains {
            content[$0] == virus[0] && content[$0...].starts(with: virus)
        }
    }

    private func line(_ connection: Int32) -> String? {
        var line: Bytes = []
        while let byte = read(connection, 1)?.first {
            if byte == 0 { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
        return nil
    }

    private func read(_ connection: Int32, _ count: Int) -> Bytes? {
        var bytes = Bytes(repeating: 0, count: count)
        var done = 0
        while done < count {
            let more = bytes.withUnsafeMutableBytes { recv(connection, $0.baseAddress! + done, count - done, 0) }
            guard more > 0 else { return nil }
            done += more
        }
        return bytes
    }

    private func say(_ words: String, _ connection: Int32) {
        let bytes = Bytes(words.utf8) + [0]
        _ = bytes.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }
}
