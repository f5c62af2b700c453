// What every place promises, run over a folder, S3 and memory.

package import Backup
import Base

package enum PlaceConformance {
    package struct Check: Sendable, CustomStringConvertible {
        package let description: String
        let body: @Sendable (any Place) async throws -> Void
        package func run(_ place: any Place) async throws { try await body(place) }
    }

    private static let names = ["config", "records", "indexes"].map { "\($0)/\(String(repeating: "0a", count: 32))" }

    private static func require(_ holds: Bool, _ text: String) throws {
        if !holds { throw ConformanceFailure(description: text) }
    }

    package static let checks = [
        Check(description: "what was put is there, whole") { place in
            let bytes = Bytes((0..<300_000).map { UInt8(truncatingIfNeeded: $0 * 7) })
            try await place.put(names[0], bytes)
            try require(try await place.get(names[0]) == bytes, "other bytes came back")
            try await place.flush()
            try require(try await place.get(names[0]) == bytes, "other bytes came back after a flush")
        },
        Check(description: "what was not put is not there, and can be deleted") { place in
            try require(try await place.get(names[1]) == nil, "something is there")
            try await place.delete(names[1])
        },
        Check(description: "putting again replaces") { place in
            try await place.put(names[0], [1, 2, 3])
            try await place.put(names[0], [4])
            try require(try await place.get(names[0]) == [4], "the old bytes are there")
        },
        Check(description: "what was deleted is gone") { place in
            try await place.put(names[0], [1])
            try await place.delete(names[0])
            try await place.flush()
            try require(try await place.get(names[0]) == nil, "it is still there")
            try require(try await place.list(nil).isEmpty, "it is still listed")
        },
        Check(description: "the list has every name and length, of all folders or of one") { place in
            let pack = "packs/ab/ab\(String(repeating: "0", count: 62))"
            let lock = "locks/00000000-0000-4000-8000-000000000001"
            for (count, name) in (names + [pack, lock]).enumerated() {
                try await place.put(name, Bytes(repeating: 1, count: count))
            }
            let all = try await place.list(nil)
            try require(all.count == names.count + 2, "\(all.count) files are listed")
            for (count, name) in (names + [pack, lock]).enumerated() {
                try require(all.contains(PlaceFile(name: name, length: Int64(count))), "\(name) is not listed")
            }
            try require(try await place.list("locks").map(\.name) == [lock], "other files than locks are listed")
        },
        Check(description: "many at once") { place in
            let names = (10..<60).map { "packs/\($0)/\($0)\(String(repeating: "0", count: 62))" }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for name in names { group.addTask { try await place.put(name, Bytes(name.utf8)) } }
                try await group.waitForAll()
            }
            try await place.flush()
            for name in names { try require(try await place.get(name) == Bytes(name.utf8), "\(name) has other bytes") }
        },
    ]
}
