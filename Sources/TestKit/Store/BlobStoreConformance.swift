// What every `BlobStore` must do alike.

import Base
import Crypto
package import Store
import Synchronization

package enum BlobStoreConformance {
    package typealias Check = ConformanceCheck<any BlobStore>

    package static let checks: [Check] = [
        Check("what was put is read, by the hash of its content") { store in
            let bytes = Bytes("some content".utf8)
            let info = try await store.put(bytes)
            try requireEqual(info.length, 12)
            try requireEqual(info.key.hash, SHA256.hash(bytes))
            try requireEqual(try await store.bytes(info.key, limit: 100), bytes)
            try requireEqual(try await store.info(info.key), info)
        },
        Check("the empty blob is a blob") { store in
            let info = try await store.put([])
            try requireEqual(info.length, 0)
            try requireEqual(try await store.bytes(info.key, limit: 0), [])
            try requireEqual(try await store.read(info.key, range: 0..<10).length, 0)
        },
        Check("content in many pieces, over several parts, comes back whole") { store in
            let (info, hash) = try await putPieces(store, count: 53, size: 131_071)
            try requireEqual(info.length, 53 * 131_071)
            var stream = SHA256Stream()
            let content = try await store.read(info.key, range: nil)
            var pieces = 0
            while let chunk = try await content.next() {
                stream.update(chunk)
                pieces += 1
            }
            try requireEqual(stream.finish(), hash)
            try require(pieces > 1, "it came in one piece")
        },
        Check("putting the same again changes nothing") { store in
            let bytes = Bytes("again".utf8)
            let first = try await store.put(bytes)
            try requireEqual(try await store.put(bytes), first)
            try requireEqual(try await store.bytes(first.key, limit: 10), bytes)
        },
        Check("ranges are read exactly, and clamped at the end") { store in
            let bytes = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
            let key = try await store.put(bytes).key
            for range in [0..<1, 4_999_999..<5_000_000, 1_000_000..<4_200_000, 10..<10, 4_999_990..<9_000_000] {
                let content = try await store.read(key, range: Int64(range.lowerBound)..<Int64(range.upperBound))
                var found = Bytes()
                while let chunk = try await content.next() { found += chunk }
                try require(found == Array(bytes[range.clamped(to: 0..<bytes.count)]), "\(range) differs")
                try requireEqual(content.length, Int64(found.count))
                try requireEqual(content.totalLength, 5_000_000)
            }
            try await requireError(BlobError.self) {
                _ = try await store.read(key, range: 5_000_000..<5_000_001)
            } matches: {
                $0 == .outOfRange(length: 5_000_000)
            }
        },
        Check("what is not there is not found, and deleting it is no error") { store in
            let key = try absent()
            try requireEqual(try await store.info(key), nil)
            try await requireError(BlobError.self) {
                _ = try await store.read(key, range: nil)
            } matches: {
                $0 == .notFound
            }
            try await store.delete(key)
        },
        Check("what is not admitted is not kept, and what is admitted is not there before") { store in
            let source = Pieces(count: 3, size: 1_000)
            try await requireError(ConformanceFailure.self) {
                _ = try await store.put(limit: 3_000, from: { source.next() }) { _ in
                    throw ConformanceFailure(description: "not admitted")
                }
            } matches: {
                $0.description == "not admitted"
            }
            try requireEqual(try await store.list(after: nil, limit: 1_000).filter { $0.length == 3_000 }, [])
            let once = Pieces(count: 1, size: 50)
            let info = try await store.put(limit: 100, from: { once.next() }) { info in
                try requireEqual(info.length, 50)
                try requireEqual(try await store.info(info.key), nil)
            }
            try requireEqual(try await store.info(info.key), info)
        },
        Check("what was deleted is gone") { store in
            let key = try await store.put(Bytes("to be deleted".utf8)).key
            try await store.delete(key)
            try requireEqual(try await store.info(key), nil)
        },
        Check("more than the limit is refused and nothing is kept") { store in
            let source = Pieces(count: 9, size: 1_000)
            try await requireError(BlobError.self) {
                _ = try await store.put(limit: 8_999) { source.next() }
            } matches: {
                $0 == .tooLarge(limit: 8_999)
            }
            try requireEqual(try await store.list(after: nil, limit: 10), [])
            let exact = Pieces(count: 9, size: 1_000)
            try requireEqual(try await store.put(limit: 9_000) { exact.next() }.length, 9_000)
        },
        Check("an error of the source comes out as it was and nothing is kept") { store in
            let source = Pieces(count: 3, size: 700_000)
            try await requireError(SourceFailure.self) {
                _ = try await store.put(limit: .max) {
                    guard let piece = source.next() else { throw SourceFailure() }
                    return piece
                }
            } matches: { _ in
                true
            }
            try requireEqual(try await store.list(after: nil, limit: 10), [])
        },
        Check("pages list every blob once, in order") { store in
            var keys: [BlobKey] = []
            for number in 0..<25 { keys.append(try await store.put(Bytes("blob \(number)".utf8)).key) }
            var listed: [BlobInfo] = []
            while true {
                let page = try await store.list(after: listed.last?.key, limit: 7)
                try require(page.count <= 7, "the page is too long")
                if page.isEmpty { break }
                listed += page
            }
            try requireEqual(listed.map(\.key), keys.sorted())
            try requireEqual(listed.map(\.length).reduce(0, +), Int64(10 * 6 + 15 * 7))
        },
        Check("many puts at once, of the same and of different content") { store in
            try await withThrowingTaskGroup(of: BlobInfo.self) { group in
                for number in 0..<40 { group.addTask { try await store.put(Bytes("content \(number % 10)".utf8)) } }
                for try await info in group { _ = try await store.bytes(info.key, limit: 100) }
            }
            try requireEqual(try await store.list(after: nil, limit: 100).count, 10)
        },
        Check("the source is not asked ahead of what was taken") { store in
            // A store that buffered without end would have asked for all pieces at once.
            let asked = Mutex(0)
            let gate = Mutex(false)
            _ = try await store.put(limit: .max) {
                try require(gate.withLock { !$0 }, "asked again before the last answer was given")
                gate.withLock { $0 = true }
                defer { gate.withLock { $0 = false } }
                await Task.yield()
                return asked.withLock { count in
                    count += 1
                    return count <= 50 ? Bytes(repeating: 1, count: 1_000) : nil
                }
            }
            try requireEqual(asked.withLock { $0 }, 51)
        },
        Check("a healthy store has no problem") { store in
            try requireEqual(await store.health().problem, nil)
        },
    ]

    private static func absent() throws -> BlobKey {
        guard let key = BlobKey(hash: SHA256.hash(Bytes("never put".utf8))) else {
            throw ConformanceFailure(description: "a hash is no key")
        }
        return key
    }

    private static func putPieces(_ store: any BlobStore, count: Int, size: Int) async throws -> (BlobInfo, Bytes) {
        let source = Pieces(count: count, size: size)
        var stream = SHA256Stream()
        let copy = Pieces(count: count, size: size)
        while let piece = copy.next() { stream.update(piece) }
        return (try await store.put(limit: .max) { source.next() }, stream.finish())
    }
}

private struct SourceFailure: Error {}

/// So many pieces, each different.
private final class Pieces: Sendable {
    private let count: Int
    private let size: Int
    private let given = Mutex(0)

    init(count: Int, size: Int) {
        self.count = count
        self.size = size
    }

    func next() -> Bytes? {
        given.withLock { given in
            guard given < count else { return nil }
            given += 1
            return Bytes(repeating: UInt8(truncatingIfNeeded: given), count: size)
        }
    }
}
