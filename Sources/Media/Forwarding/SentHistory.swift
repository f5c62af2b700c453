// What was sent to one subscriber under which number, so that a packet that is asked for again is found in the publisher's
// ring and rewritten to the very same bytes.

import CShims

/// A ring over memory that the caller owns: `SentHistory.byteCount(capacity:)` bytes for each subscription, 24 KiB at the
/// default. The memory must outlive it; copies of the struct share it.
package struct SentHistory {
    /// Twice the 512 packets that receivers have been seen to ask for at most; a power of two. Higher answers requests
    /// that come later, at 24 bytes each; older ones are not answered.
    package static let defaultCapacity = 1_024

    private struct Entry: BitwiseCopyable {
        /// 48 bits of incoming sequence number, 8 of layer, 8 of flags. 0: nothing here.
        var source: UInt64 = 0
        var timestamp: UInt32 = 0
        /// The outgoing number without the bits that say where in the ring it is.
        var tag: UInt32 = 0
        var pictureID: UInt16 = 0
        var frameNumber: UInt16 = 0
        var tl0: UInt8 = 0
        /// Four bits each.
        var offsets: UInt8 = 0
        /// Four bits each.
        var layers: UInt8 = 0
        var spare: UInt8 = 0
    }

    private enum Flag {
        static let present: UInt8 = 1
        static let marker: UInt8 = 2
        static let pictureID: UInt8 = 4
        static let longPictureID: UInt8 = 8
        static let tl0: UInt8 = 16
        static let descriptor: UInt8 = 32
        static let decodeTargets: UInt8 = 64
        static let empty: UInt8 = 128
    }

    private let entries: UnsafeMutablePointer<Entry>
    private let mask: UInt64

    package static func byteCount(capacity: Int = defaultCapacity) -> Int { capacity * MemoryLayout<Entry>.stride }

    /// `memory` is `byteCount(capacity:)` bytes, aligned to 8, and belongs to this history from now on.
    package init(over memory: UnsafeMutableRawPointer, capacity: Int = defaultCapacity) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "a capacity is a power of two")
        entries = memory.bindMemory(to: Entry.self, capacity: capacity)
        entries.initialize(repeating: Entry(), count: capacity)
        mask = UInt64(capacity - 1)
    }

    /// Asks for the place of a number that will be recorded soon.
    @inline(__always)
    func prefetch(_ outgoing: UInt64) {
        plexi_prefetch(entries + Int(outgoing & mask), UInt(MemoryLayout<Entry>.stride))
    }

    /// `incoming` is the extended sequence number of the publisher's packet. `isEmpty`: it filled a gap, without its
    /// payload.
    package func record(_ rewrite: Rewrite, incoming: UInt64, isEmpty: Bool = false) {
        var flags = Flag.present
        if rewrite.marker { flags |= Flag.marker }
        if rewrite.pictureIDBits > 0 { flags |= Flag.pictureID }
        if rewrite.pictureIDBits == 15 { flags |= Flag.longPictureID }
        if rewrite.hasTL0 { flags |= Flag.tl0 }
        if rewrite.hasDescriptor { flags |= Flag.descriptor }
        if rewrite.writesDecodeTargets { flags |= Flag.decodeTargets }
        if isEmpty { flags |= Flag.empty }
        entries[Int(rewrite.sequence & mask)] = Entry(
            source: (incoming & 0xFFFF_FFFF_FFFF) | UInt64(rewrite.layer) << 48 | UInt64(flags) << 56,
            timestamp: rewrite.timestamp, tag: tag(rewrite.sequence), pictureID: rewrite.pictureID,
            frameNumber: rewrite.frameNumber, tl0: rewrite.tl0,
            offsets: rewrite.pictureIDOffset << 4 | (rewrite.tl0Offset & 15),
            layers: rewrite.spatial << 4 | (rewrite.temporal & 15))
    }

    package struct Sent: Sendable, BitwiseCopyable {
        package var incoming: UInt64
        package var isEmpty: Bool
        package var rewrite: Rewrite
    }

    /// `nil` when it was never sent or is too long ago.
    package func mapBack(_ outgoing: UInt64) -> Sent? {
        let entry = entries[Int(outgoing & mask)]
        let flags = UInt8(truncatingIfNeeded: entry.source >> 56)
        guard flags & Flag.present != 0, entry.tag == tag(outgoing) else { return nil }
        var rewrite = Rewrite()
        rewrite.layer = UInt8(truncatingIfNeeded: entry.source >> 48)
        rewrite.sequence = outgoing
        rewrite.timestamp = entry.timestamp
        rewrite.marker = flags & Flag.marker != 0
        if flags & Flag.pictureID != 0 { rewrite.pictureIDBits = flags & Flag.longPictureID != 0 ? 15 : 7 }
        rewrite.pictureID = entry.pictureID
        rewrite.pictureIDOffset = entry.offsets >> 4
        rewrite.hasTL0 = flags & Flag.tl0 != 0
        rewrite.tl0 = entry.tl0
        rewrite.tl0Offset = entry.offsets & 15
        rewrite.hasDescriptor = flags & Flag.descriptor != 0
        rewrite.frameNumber = entry.frameNumber
        rewrite.writesDecodeTargets = flags & Flag.decodeTargets != 0
        rewrite.spatial = entry.layers >> 4
        rewrite.temporal = entry.layers & 15
        return Sent(incoming: entry.source & 0xFFFF_FFFF_FFFF, isEmpty: flags & Flag.empty != 0, rewrite: rewrite)
    }

    private func tag(_ outgoing: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: outgoing >> UInt64(mask.nonzeroBitCount))
    }
}
