// Sequence numbers without their wrap.

package import Wire

/// Extends 16 bits to 64 by the nearest number to the highest so far (RFC 3550 A.1). Starts one turn up, so what comes
/// reordered before the first packet has a number too; the answer never goes below zero.
package struct SequenceUnwrapper: Sendable {
    /// Meaningful once a number has come.
    package private(set) var highest: ExtendedSequence = 0

    package init() {}

    package var isStarted: Bool { highest != 0 }

    /// Without effect on the highest.
    package func peek(_ sequence: SequenceNumber) -> ExtendedSequence {
        guard isStarted else { return 0x1_0000 | ExtendedSequence(sequence) }
        let distance = Int16(bitPattern: sequence &- SequenceNumber(truncatingIfNeeded: highest))
        return ExtendedSequence(truncatingIfNeeded: Int64(truncatingIfNeeded: highest) &+ Int64(distance))
    }

    package mutating func unwrap(_ sequence: SequenceNumber) -> ExtendedSequence {
        let extended = peek(sequence)
        if extended > highest { highest = extended }
        return extended
    }
}
