// The relayed sockets of one shard, by the engine's numbers.

import Base
import CShims
import Glibc
import Wire

/// On the shard's thread.
final class RelayTable {
    private struct Entry {
        let relay: RelayID
        let descriptor: Int32
        let watch: any DescriptorWatch
        /// Listens for TCP of peers, and connects from here.
        let isStream: Bool
    }

    /// Two places for each allocation: one of each family.
    @exclusivity(unchecked) private var entries: [Entry?] = []
    /// The same for who only sends: a number that no relay has where there is none.
    @exclusivity(unchecked) private var senders: [(relay: UInt64, descriptor: Int32)] = []
    private static let nobody = UInt64.max
    private let ports: RelayPorts?
    let peers = RelayPeers()

    init(_ options: RelayDriverOptions) { ports = RelayPorts(options.ports) }

    private static func place(_ relay: RelayID) -> Int { Int(relay.index) << 1 | (relay.isV6 ? 1 : 0) }

    @inline(__always)
    func descriptor(_ relay: RelayID) -> Int32? {
        let place = Self.place(relay)
        guard place < senders.count, senders[place].relay == relay.rawValue else { return nil }
        return senders[place].descriptor
    }

    // MARK: - Opening

    func open(
        _ order: RelayOrder, at ip: IPAddress, on loop: any EventLoop, _ owner: RelayShard
    ) throws(SystemError) -> (port: UInt16, next: UInt16?) {
        guard let ports else { throw SystemError("find ports for relayed addresses", code: EADDRINUSE) }
        guard order.transport == .udp else {
            let bound = try ports.listen(ip)
            try keep(bound, order.relay, isStream: true, on: loop, owner)
            return (bound.port, nil)
        }
        let opened = try ports.open(ip, order.port)
        do throws(SystemError) {
            try keep(opened.first, order.relay, isStream: false, on: loop, owner)
        } catch {
            if let next = opened.next { Glibc.close(next.descriptor) }
            throw error
        }
        guard let next = opened.next, case .evenAndNext(let relay) = order.port else { return (opened.first.port, nil) }
        // Without it the engine says that nothing was reserved.
        let isKept = (try? keep(next, relay, isStream: false, on: loop, owner)) != nil
        return (opened.first.port, isKept ? next.port : nil)
    }

    private func keep(
        _ bound: RelayPorts.Bound, _ relay: RelayID, isStream: Bool, on loop: any EventLoop, _ owner: RelayShard
    ) throws(SystemError) {
        let descriptor = bound.descriptor
        let watch: any DescriptorWatch
        do throws(SystemError) {
            // Unowned: a shard that stops cancels every watch first.
            watch = try loop.watch(descriptor, for: .readable) { [unowned owner] _ in
                if isStream {
                    owner.relays.accept(on: relay, descriptor, owner)
                } else {
                    owner.relayIsReadable(relay, descriptor)
                }
            }
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        let place = Self.place(relay)
        while entries.count <= place {
            entries.append(nil)
            senders.append((Self.nobody, -1))
        }
        if let old = entries[place] { Self.close(old) }
        entries[place] = Entry(relay: relay, descriptor: descriptor, watch: watch, isStream: isStream)
        senders[place] = (relay.rawValue, descriptor)
    }

    // MARK: - Closing

    func close(_ relay: RelayID) {
        guard descriptor(relay) != nil, let entry = entries[Self.place(relay)] else { return }
        Self.close(entry)
        entries[Self.place(relay)] = nil
        senders[Self.place(relay)] = (Self.nobody, -1)
    }

    private static func close(_ entry: Entry) {
        entry.watch.cancel()
        Glibc.close(entry.descriptor)
    }

    func closeAll() {
        for case let entry? in entries { Self.close(entry) }
        entries = []
        senders = []
        peers.closeAll()
    }

    // MARK: - TCP

    /// Connections taken at once from one relayed address.
    private static let acceptedPerTurn = 16

    fileprivate func accept(on relay: RelayID, _ listener: Int32, _ owner: RelayShard) {
        for _ in 0..<Self.acceptedPerTurn {
            var address = plexi_address()
            let descriptor = plexi_stream_accept(listener, &address, RelayPeers.kernelBuffer)
            guard descriptor >= 0 else { return }
            guard let connection = owner.peerCalls(relay, TransportAddress(address)) else {
                Glibc.close(descriptor)
                continue
            }
            peers.keep(connection, descriptor, isConnected: true, owner)
        }
    }

    func connect(
        _ connection: PeerConnectionID, from relay: RelayID, to peer: TransportAddress, on loop: any EventLoop,
        _ owner: RelayShard
    ) throws(SystemError) {
        guard let listener = descriptor(relay) else { throw SystemError("connect from a relayed address", code: EBADF) }
        var (local, remote) = (plexi_address(), plexi_address(peer))
        guard plexi_local_address(listener, &local) == 0 else { throw SystemError("read a relayed address") }
        let descriptor = plexi_relay_connect(&local, &remote, RelayPeers.kernelBuffer)
        guard descriptor >= 0 else { throw SystemError("connect from a relayed address") }
        peers.keep(connection, descriptor, isConnected: false, owner)
    }
}
