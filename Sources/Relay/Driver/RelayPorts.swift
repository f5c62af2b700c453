// Relayed UDP sockets: which port each gets.

import Base
import CShims
import Glibc
import Wire

/// Ports of relayed addresses. Random, so that nobody guesses the next one (RFC 8656 §7.2 and §21).
struct RelayPorts {
    /// Ports that are tried before the range counts as used up. More finds the last free ones of a full range, at a
    /// system call or three each; with half of the range in use, one in 2^32 requests is refused for bad luck.
    private static let attempts = 32
    /// What a relayed socket may hold: the kernel's own size. Media comes in bursts of a frame, 30 packets.
    private static let bufferBytes: Int32 = 212 << 10

    /// Peers that call and wait to be taken.
    private static let backlog: Int32 = 16

    let range: ClosedRange<UInt16>

    /// A pair begins with an even port, so that there must be one, with its successor, in the range.
    init?(_ range: ClosedRange<UInt16>) {
        guard range.lowerBound >= 1_024, range.count >= 4 else { return nil }
        self.range = range
    }

    struct Bound {
        let descriptor: Int32
        let port: UInt16
    }

    func open(_ ip: IPAddress, _ port: RelayOrder.Port) throws(SystemError) -> (first: Bound, next: Bound?) {
        var last = SystemError("find a free port for a relayed address", code: EADDRINUSE)
        for _ in 0..<Self.attempts {
            do throws(SystemError) {
                return try attempt(ip, port)
            } catch {
                guard error.code == EADDRINUSE || error.code == EACCES else { throw error }
                last = error
            }
        }
        throw last
    }

    /// For TCP of peers (RFC 6062): listens, and shares the port with connections that are made from it.
    func listen(_ ip: IPAddress) throws(SystemError) -> Bound {
        var last = SystemError("find a free port for a relayed address", code: EADDRINUSE)
        for _ in 0..<Self.attempts {
            var address = plexi_address(TransportAddress(ip, .random(in: range)))
            let descriptor = plexi_relay_listener(&address, Self.backlog)
            if descriptor >= 0 { return Bound(descriptor: descriptor, port: address.port) }
            last = SystemError("listen on a relayed address")
            guard last.code == EADDRINUSE || last.code == EACCES else { throw last }
        }
        throw last
    }

    private func attempt(
        _ ip: IPAddress, _ wanted: RelayOrder.Port
    ) throws(SystemError) -> (first: Bound, next: Bound?) {
        switch wanted {
        case .any: return (try bind(ip, .random(in: range)), nil)
        case .even: return (try bind(ip, even()), nil)
        case .evenAndNext:
            let first = try bind(ip, even())
            do throws(SystemError) {
                return (first, try bind(ip, first.port + 1))
            } catch {
                close(first.descriptor)
                throw error
            }
        }
    }

    /// With a successor in the range.
    private func even() -> UInt16 {
        let lowest = (range.lowerBound + 1) & ~1
        return .random(in: lowest...(range.upperBound - 1)) & ~1
    }

    private func bind(_ ip: IPAddress, _ port: UInt16) throws(SystemError) -> Bound {
        var address = plexi_address(TransportAddress(ip, port))
        let descriptor = plexi_datagram_socket(&address, Self.bufferBytes)
        guard descriptor >= 0 else { throw SystemError("bind a relayed address") }
        _ = plexi_datagram_join(descriptor)
        return Bound(descriptor: descriptor, port: address.port)
    }
}
