// k data shares, m parity shares, any k of them are enough: Reed-Solomon with a Cauchy matrix.
// docs/decisions/0008-erasure-coding-of-our-own.md says why it is ours.

package import Base

package struct ErasureCode: Sendable, Equatable {
    let dataCount: Int
    let parityCount: Int

    package init(_ protection: Protection) {
        dataCount = protection.data
        parityCount = protection.parity
    }

    /// So much of every share is worked on at a time that sources and targets stay in the second-level cache.
    private static let stripe = 16 << 10

    func shareCount(of length: Int) -> Int { (length + dataCount - 1) / dataCount }

    /// The factor of a data share in a parity share.
    private func coefficient(parity: Int, data: Int) -> UInt8 {
        GaloisField.inverse(UInt8(truncatingIfNeeded: (dataCount + parity) ^ data))
    }

    /// The row of a share: how it is made of the data shares.
    private func row(_ share: Int) -> [UInt8] {
        (0..<dataCount).map { data in
            share < dataCount ? (share == data ? 1 : 0) : coefficient(parity: share - dataCount, data: data)
        }
    }

    /// All k + m shares, of equal length.
    package func shares(of object: Bytes) -> [Bytes] {
        let count = shareCount(of: object.count)
        var shares = (0..<dataCount).map { index -> Bytes in
            let start = min(object.count, index * count)
            let end = min(object.count, start + count)
            return Bytes(object[start..<end]) + Bytes(repeating: 0, count: count - (end - start))
        }
        let rows = (0..<parityCount).map { row(dataCount + $0) }
        shares += Self.combine(shares, rows)
        return shares
    }

    /// The object, from any k different shares of equal length; `nil` when they are not that.
    package func object(of length: Int, from shares: [Int: Bytes]) -> Bytes? {
        let count = shareCount(of: length)
        let usable = shares.filter { $0.key >= 0 && $0.key < dataCount + parityCount && $0.value.count == count }
        // Data shares first: they need no arithmetic.
        let chosen = usable.keys.sorted().prefix(dataCount)
        guard chosen.count == dataCount else { return nil }
        let missing = (0..<dataCount).filter { usable[$0] == nil }
        var found = usable
        if !missing.isEmpty {
            guard let inverse = Self.inverted(chosen.map(row)) else { return nil }
            let made = Self.combine(chosen.map { usable[$0] ?? [] }, missing.map { inverse[$0] })
            for (share, bytes) in zip(missing, made) { found[share] = bytes }
        }
        var object = Bytes()
        object.reserveCapacity(count * dataCount)
        for index in 0..<dataCount { object += found[index] ?? [] }
        object.removeSubrange(length...)
        return object
    }

    /// Sums of the sources, one for each row of factors.
    private static func combine(_ sources: [Bytes], _ rows: [[UInt8]]) -> [Bytes] {
        let count = sources.first?.count ?? 0
        var targets = rows.map { _ in Bytes(repeating: 0, count: count) }
        for start in stride(from: 0, to: count, by: stripe) {
            let end = min(count, start + stripe)
            for (target, row) in rows.enumerated() {
                targets[target].withUnsafeMutableBytes { output in
                    let room = UnsafeMutableRawBufferPointer(rebasing: output[start..<end])
                    for (source, factor) in row.enumerated() {
                        sources[source].withUnsafeBytes { input in
                            GaloisField.multiplyAdd(
                                factor, UnsafeRawBufferPointer(rebasing: input[start..<end]), into: room)
                        }
                    }
                }
            }
        }
        return targets
    }

    /// Gauss and Jordan; `nil` for rows that depend on each other, which different rows of this matrix never do.
    static func inverted(_ matrix: [[UInt8]]) -> [[UInt8]]? {
        let size = matrix.count
        var rows = matrix.enumerated().map { index, row in row + (0..<size).map { $0 == index ? 1 : 0 } }
        for column in 0..<size {
            guard let pivot = (column..<size).first(where: { rows[$0][column] != 0 }) else { return nil }
            rows.swapAt(column, pivot)
            let factor = GaloisField.inverse(rows[column][column])
            rows[column] = rows[column].map { GaloisField.multiply($0, factor) }
            for other in 0..<size where other != column && rows[other][column] != 0 {
                let factor = rows[other][column]
                for place in rows[other].indices {
                    rows[other][place] ^= GaloisField.multiply(factor, rows[column][place])
                }
            }
        }
        return rows.map { Array($0.dropFirst(size)) }
    }
}

/// How many pieces of an object there are, and how many of them are enough.
package struct Protection: Hashable, Sendable, CustomStringConvertible {
    /// k: 1 for copies.
    package let data: Int
    /// m: so many pieces may be lost.
    package let parity: Int

    /// `nil` for what the format does not know: k from 1, m from 0, at most 32 together.
    package init?(data: Int, parity: Int) {
        guard data >= 1, parity >= 0, data <= BackupLimits.pieces, parity <= BackupLimits.pieces - data else {
            return nil
        }
        self.data = data
        self.parity = parity
    }

    private init(copies: Int) {
        data = 1
        parity = copies - 1
    }

    package static let single = Protection(copies: 1)
    package static func copies(_ count: Int) -> Protection? { Protection(data: 1, parity: count - 1) }

    package var pieces: Int { data + parity }
    package var isReplicated: Bool { data == 1 }
    /// With fewer pieces written a backup fails rather than to say that it is protected.
    var piecesWrittenMin: Int { data + (parity + 1) / 2 }

    package var description: String { isReplicated ? "\(pieces) copies" : "\(data)+\(parity)" }
}
