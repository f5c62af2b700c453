// Addresses in the form that the system calls take.

import CShims
import Wire

extension plexi_address {
    /// Allocates nothing: it is done for each datagram.
    init(_ address: TransportAddress) {
        self.init()
        let (high, low) = address.ip.words
        let isV6 = address.ip.isV6
        withUnsafeMutableBytes(of: &ip) { bytes in
            bytes.storeBytes(of: (isV6 ? high : low << 32).bigEndian, as: UInt64.self)
            bytes.storeBytes(of: (isV6 ? low : 0).bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        port = address.port
        is_v6 = isV6 ? 1 : 0
    }
}

extension TransportAddress {
    /// Allocates nothing: it is done for each datagram.
    init(_ raw: plexi_address) {
        let (high, low) = withUnsafeBytes(of: raw.ip) { bytes in
            (
                UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        let ip = raw.is_v6 != 0 ? IPAddress(v6: high, low) : IPAddress(v4: UInt32(truncatingIfNeeded: high >> 32))
        self.init(ip, raw.port)
    }
}
