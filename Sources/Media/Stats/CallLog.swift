// What happened in a call lately, for who looks into a complaint: a ring of fixed size, in which frequent events are
// sampled.

package import Base

package struct CallLogEntry: Sendable, Equatable {
    package enum Kind: UInt8, Sendable, CaseIterable {
        case joined, left
        case dominantSpeaker
        /// The value has the subscription's number, and for `paused` the reason in its low byte.
        case paused, resumed
        /// Spatial layer times 256, and the temporal one.
        case layerChanged
        /// Bits by simulcast index.
        case unwatchedLayers
        /// The value is the SSRC.
        case keyframeRequested
    }

    package let at: Instant
    package let kind: Kind
    /// Events of this kind that the sampling left out before this one.
    package let skipped: UInt32
    package let participant: ParticipantID
    package let value: Int64
}

package struct CallLog: Sendable {
    /// Entries; a call costs at most 10 KiB. More reaches further back.
    package static let capacity = 256
    /// Of one kind, this many are kept at once …
    package static let burst = 8
    /// … and one more in this time (nanoseconds). Less lets one restless participant drive the others' events out.
    package static let interval: UInt64 = 1_000_000_000

    /// Grows with the call, to the capacity.
    private var entries: [CallLogEntry] = []
    private var next = 0
    private var credit = InlineArray<8, Int>(repeating: CallLog.burst)
    private var refilled = InlineArray<8, UInt64>(repeating: 0)
    private var skipped = InlineArray<8, UInt32>(repeating: 0)

    package init() {}

    package mutating func note(
        _ kind: CallLogEntry.Kind, _ participant: ParticipantID, value: Int64 = 0, now: Instant
    ) {
        let index = Int(kind.rawValue)
        let passed = (now.nanoseconds &- min(refilled[index], now.nanoseconds)) / Self.interval
        if passed > 0 {
            credit[index] = min(Self.burst, credit[index] &+ Int(min(passed, UInt64(Self.burst))))
            refilled[index] = now.nanoseconds
        }
        guard credit[index] > 0 else {
            skipped[index] &+= 1
            return
        }
        credit[index] &-= 1
        let entry = CallLogEntry(
            at: now, kind: kind, skipped: skipped[index], participant: participant, value: value)
        skipped[index] = 0
        if entries.count < Self.capacity {
            entries.append(entry)
        } else {
            entries[next] = entry
            next = (next + 1) % Self.capacity
        }
    }

    /// The oldest first.
    package var all: [CallLogEntry] { Array(entries[next...] + entries[..<next]) }
}
