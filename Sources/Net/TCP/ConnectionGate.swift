// How many connections there may be, in total and from one address.

import Base
import Synchronization
import Wire

/// Shared by all shards; asked once per connection at each end of its life.
final class ConnectionGate: Sendable {
    /// An IPv6 host has a whole network of this size to come from.
    private static let networkOfOne = 64

    private struct Counts {
        var total = 0
        var byAddress: [IPAddress: Int] = [:]
    }

    private let limit: Int
    private let limitPerAddress: Int
    private let exempt: [IPNetwork]
    private let counts = Mutex(Counts())

    init(limit: Int, limitPerAddress: Int, exempt: [IPNetwork]) {
        self.limit = limit
        self.limitPerAddress = limitPerAddress
        self.exempt = exempt
    }

    /// `nil` for a local socket. Every admitted connection leaves once.
    func admit(_ address: IPAddress?) -> Bool {
        let key = key(address)
        return counts.withLock { counts in
            guard counts.total < limit else { return false }
            if let key {
                // Without room for one there would be an entry of none.
                guard limitPerAddress > 0, Self.count(one: &counts.byAddress[key, default: 0], limit: limitPerAddress)
                else { return false }
            }
            counts.total += 1
            return true
        }
    }

    /// In place: an address is looked up once.
    private static func count(one count: inout Int, limit: Int) -> Bool {
        guard count < limit else { return false }
        count += 1
        return true
    }

    func leave(_ address: IPAddress?) {
        let key = key(address)
        counts.withLock { counts in
            counts.total -= 1
            guard let key, let place = counts.byAddress.index(forKey: key) else { return }
            counts.byAddress.values[place] -= 1
            if counts.byAddress.values[place] == 0 { counts.byAddress.remove(at: place) }
        }
    }

    var total: Int { counts.withLock { $0.total } }

    private func key(_ address: IPAddress?) -> IPAddress? {
        guard let address, !exempt.contains(where: { $0.contains(address) }) else { return nil }
        return address.isV6 ? IPNetwork(address, prefixLength: Self.networkOfOne)?.address : address
    }
}
