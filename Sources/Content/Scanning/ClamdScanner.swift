// clamd behind the seam: one connection for each scan, on one loop, content streamed through it piece by piece.

package import Base
import CShims
import Glibc
import Synchronization

/// Where clamd listens.
package enum ClamdAddress: Hashable, Sendable, CustomStringConvertible {
    /// A path: `unix:/run/clamav/clamd.ctl`.
    case local(String)
    /// An address, never a name, for names are looked up by blocking: `tcp:127.0.0.1:3310`, `tcp:[::1]:3310`.
    case network(ip: String, port: UInt16)

    /// `nil` for anything else than the two forms.
    package init?(_ text: String) {
        if text.hasPrefix("unix:/") {
            self = .local(String(text.dropFirst("unix:".count)))
            return
        }
        guard text.hasPrefix("tcp:"), let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...]), port > 0
        else { return nil }
        var host = text.dropFirst("tcp:".count)
        guard colon > host.startIndex else { return nil }
        host = host[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard Self.kernelForm(String(host), port) != nil else { return nil }
        self = .network(ip: String(host), port: port)
    }

    package var description: String {
        switch self {
        case .local(let path): "unix:\(path)"
        case .network(let ip, let port): ip.contains(":") ? "tcp:[\(ip)]:\(port)" : "tcp:\(ip):\(port)"
        }
    }

    static func kernelForm(_ ip: String, _ port: UInt16) -> plexi_address? {
        var address = plexi_address()
        address.port = port
        let isKnown = withUnsafeMutableBytes(of: &address.ip) { room in
            if inet_pton(AF_INET, ip, room.baseAddress) == 1 { return true }
            address.is_v6 = 1
            return inet_pton(AF_INET6, ip, room.baseAddress) == 1
        }
        return isKnown ? address : nil
    }
}

package final class ClamdScanner: VirusScanner {
    package struct Options: Sendable {
        /// From a file's first byte to its verdict; larger files need longer.
        package var total = Duration.seconds(120)
        /// Without any byte going either way. Clamd says nothing while it looks, so this bounds its looking.
        package var silence = Duration.seconds(60)
        package var connect = Duration.seconds(5)
        /// Scans at once: clamd's MaxThreads is 10, and each holds a connection and a chunk. More of them wait.
        package var scansMax = 8
        /// Scans that wait; more are `unavailable` at once, and their files stay to be scanned later.
        package var waitingMax = 256

        package init() {}
    }

    private let address: ClamdAddress
    private let loop: any EventLoop
    private let options: Options
    private let gate: Gate

    package init(_ address: ClamdAddress, on loop: any EventLoop, _ options: Options = Options()) {
        self.address = address
        self.loop = loop
        self.options = options
        gate = Gate(open: options.scansMax, waiting: options.waitingMax)
    }

    package func scan(_ source: @escaping @Sendable () async throws -> Bytes?) async -> ScanVerdict {
        guard await gate.enter() else { return .unavailable("too many files wait for clamd; try later") }
        defer { gate.leave() }
        return await withTaskExecutorPreference(loop) {
            await converse { stream in
                try await Self.send(source, on: stream)
                return ClamdFormat.verdict(try await stream.answer())
            }
        }
    }

    package func problem() async -> String? {
        let verdict = await withTaskExecutorPreference(loop) {
            await converse { stream in
                try await stream.send(ClamdFormat.ping)
                let isPong = ClamdFormat.isPong(try await stream.answer())
                return isPong ? .clean : .unavailable("what listens at \(self.address) is not clamd")
            }
        }
        guard case .unavailable(let words) = verdict else { return nil }
        return words
    }

    private func converse(_ body: (ClamdStream) async throws -> ScanVerdict) async -> ScanVerdict {
        do {
            let stream = try await ClamdStream.open(address, loop, options)
            defer { stream.close() }
            return try await body(stream)
        } catch let failure as ClamdFailure {
            return .unavailable(failure.words)
        } catch {
            return .unavailable("the file could not be read for scanning: \(error)")
        }
    }

    /// Clamd answers early when it has seen enough: then the rest is not sent.
    private static func send(_ source: @Sendable () async throws -> Bytes?, on stream: ClamdStream) async throws {
        guard try await stream.send(ClamdFormat.stream) else { return }
        while let piece = try await source() {
            guard !piece.isEmpty else { continue }
            guard try await stream.send(ClamdFormat.chunks(piece)) else { return }
        }
        _ = try await stream.send(ClamdFormat.end)
    }
}

struct ClamdFailure: Error {
    let words: String
}
