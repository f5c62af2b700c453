// Which addresses lead to the Internet, and which to what an operator keeps behind a wall: for the relay's peers and for
// the servers that users have us call.
//
// One destination, several ways to write it: addresses that carry an IPv4 address, which a translator or tunnel on the
// way would take out and use. An address is judged by all of its forms, so that none of them leads where another may not.
//
//     ::ffff:a.b.c.d             IPv4-mapped (RFC 4291); `IPAddress` makes it IPv4 before anybody asks
//     ::a.b.c.d                  IPv4-compatible (RFC 4291, deprecated)
//     ::ffff:0:a.b.c.d           IPv4-translated (RFC 2765)
//     64:ff9b::a.b.c.d           NAT64 (RFC 6052)
//     64:ff9b:1:…                NAT64 of a network (RFC 8215): with a /48, /56, /64 or /96 prefix
//     2002:aabb:ccdd::           6to4 (RFC 3056)
//     2001:0:server::~client     Teredo (RFC 4380)
//     …:0:5efe:a.b.c.d           ISATAP (RFC 5214), also with the universal bit

package struct AddressForms {
    /// The address, and what it may carry: four of the local NAT64 prefix are the most.
    private var forms: InlineArray<5, IPAddress>
    private(set) var count = 1

    package init(_ address: IPAddress) {
        forms = InlineArray(repeating: address)
        guard address.isV6 else { return }
        let (high, low) = address.words
        let last = UInt32(truncatingIfNeeded: low)
        if high == 0, low >> 32 == 0, last > 1 { add(last) }
        if high == 0, low >> 32 == 0xFFFF_0000 { add(last) }
        if high == 0x0064_FF9B_0000_0000, low >> 32 == 0 { add(last) }
        if high >> 16 == 0x0064_FF9B_0001 { addLocalTranslations(high, low) }
        if high >> 48 == 0x2002 { add(UInt32(truncatingIfNeeded: high >> 16)) }
        if high >> 32 == 0x2001_0000 {
            add(UInt32(truncatingIfNeeded: high))
            add(~last)
        }
        if low >> 32 & ~0x0200_0000 == 0x0000_5EFE { add(last) }
    }

    /// RFC 6052 §2.2: bits 64 to 71 are skipped.
    private mutating func addLocalTranslations(_ high: UInt64, _ low: UInt64) {
        let around = UInt64(high & 0xFFFF) << 48 | ((low << 8) >> 16)
        add(UInt32(truncatingIfNeeded: around >> 32))
        add(UInt32(truncatingIfNeeded: around >> 24))
        add(UInt32(truncatingIfNeeded: around >> 16))
        add(UInt32(truncatingIfNeeded: low))
    }

    private mutating func add(_ v4: UInt32) {
        guard count < forms.count else { return }
        forms[count] = IPAddress(v4: v4)
        count += 1
    }

    package func all(_ holds: (IPAddress) -> Bool) -> Bool {
        for index in 0..<count where !holds(forms[index]) { return false }
        return true
    }

    package func isAny(in network: IPNetwork) -> Bool { !all { !network.contains($0) } }
}

/// The IANA special-purpose address registries (RFC 6890, as of 2025), with multicast and what was reserved before. All
/// of it, the few entries too that are reachable from everywhere: no browser has such an address.
package enum SpecialPurpose {
    private static let v4 = networks([
        "0.0.0.0/8",  // this network
        "10.0.0.0/8",  // private
        "100.64.0.0/10",  // shared, carrier NAT
        "127.0.0.0/8",  // loopback
        "169.254.0.0/16",  // link-local, and the metadata of clouds
        "172.16.0.0/12",  // private
        "192.0.0.0/24",  // protocol assignments
        "192.0.2.0/24",  // documentation
        "192.31.196.0/24",  // AS112
        "192.52.193.0/24",  // AMT
        "192.88.99.0/24",  // 6to4 relays, deprecated
        "192.168.0.0/16",  // private
        "192.175.48.0/24",  // AS112
        "198.18.0.0/15",  // benchmarks
        "198.51.100.0/24",  // documentation
        "203.0.113.0/24",  // documentation
        "224.0.0.0/4",  // multicast
        "240.0.0.0/4",  // reserved, and broadcast
    ])

    private static let v6 = networks([
        "::/96",  // unspecified, loopback, IPv4-compatible
        "::ffff:0:0:0/96",  // IPv4-translated
        "64:ff9b::/96",  // NAT64
        "64:ff9b:1::/48",  // NAT64 of a network
        "100::/64",  // discard
        "100:0:0:1::/64",  // dummy prefix
        "2001::/23",  // protocol assignments: Teredo, benchmarks, ORCHID, drones
        "2001:db8::/32",  // documentation
        "2002::/16",  // 6to4
        "2620:4f:8000::/48",  // AS112
        "3fff::/20",  // documentation
        "5f00::/16",  // segment routing
        "fc00::/7",  // unique local
        "fe80::/10",  // link-local
        "fec0::/10",  // site-local, deprecated
        "ff00::/8",  // multicast
    ])

    package static func contains(_ address: IPAddress) -> Bool {
        (address.isV6 ? v6 : v4).contains { $0.contains(address) }
    }

    private static func networks(_ texts: [String]) -> [IPNetwork] {
        texts.map { text in
            guard let network = IPNetwork(text) else { preconditionFailure("a network of the registry is mistyped") }
            return network
        }
    }
}

/// Whom we may call when somebody else has said where: the Internet, and what the operator adds to it.
package struct PublicAddresses: Sendable, Equatable {
    /// Reached although the registries have them (a laboratory, a service in the operator's own network).
    package let allowed: [IPNetwork]

    package init(allowed: [IPNetwork] = []) { self.allowed = allowed }

    package func contains(_ address: IPAddress) -> Bool {
        AddressForms(address).all { form in
            !SpecialPurpose.contains(form) || allowed.contains { $0.contains(form) }
        }
    }
}
