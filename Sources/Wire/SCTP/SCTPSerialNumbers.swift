// Serial number arithmetic (RFC 1982) of TSNs, stream sequence numbers and request numbers: they wrap, and "after" means
// less than half a turn ahead.

extension UInt32 {
    @inlinable public func isSerially(after other: UInt32) -> Bool { Int32(truncatingIfNeeded: self &- other) > 0 }
}

extension UInt16 {
    @inlinable public func isSerially(after other: UInt16) -> Bool { Int16(truncatingIfNeeded: self &- other) > 0 }
}
