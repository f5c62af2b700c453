// What files there are, and where: one look at every place.

import Base

/// What is there of a pack.
struct PackPresence: Sendable {
    /// `nil` for copies, of which the places tell the number.
    var protection: Protection?
    /// Bit i: piece i, or the copy in place i.
    var pieces: UInt32 = 0
    var shortest = Int64.max
    var longest: Int64 = 0

    var count: Int { pieces.nonzeroBitCount }

    /// Of an object that is so long, at least as many pieces as are enough.
    func isEnough(for protection: Protection) -> Bool {
        protection.isReplicated == (self.protection == nil) && count >= protection.data
    }

    /// What a file of the object must have.
    static func fileLength(_ object: Int, _ protection: Protection) -> Int64 {
        protection.isReplicated
            ? Int64(object) : Int64(Piece.headCount + ErasureCode(protection).shareCount(of: object))
    }
}

struct Listing: Sendable {
    struct RecordName: Hashable, Sendable {
        let sequence: UInt64
        let id: Digest
    }

    /// With the number of places that have a copy.
    private(set) var configurations: [Digest: Int] = [:]
    private(set) var records: [RecordName: Int] = [:]
    private(set) var indexes: [Digest: Int] = [:]
    private(set) var packs: [Digest: PackPresence] = [:]
    private(set) var locks: [UUID: Int] = [:]
    private(set) var keyCopies: [Digest: Int] = [:]
    /// Files that are none of a repository's; only some of them are kept.
    private(set) var strangers: [String] = []
    /// Places that cannot be asked.
    private(set) var failures: [BackupError] = []

    private static let strangersMax = 100

    /// Fails when more than half of the places cannot be asked: what is there would not be known.
    init(_ places: PlaceSet) async throws(BackupError) {
        for (number, place) in places.places.enumerated() {
            do throws(BackupError) {
                for file in try await place.list(nil) { add(file, number, place.name) }
            } catch {
                if case .malformed = error { throw error }
                failures.append(error)
            }
        }
        if let failure = failures.first, failures.count * 2 > places.places.count { throw failure }
    }

    private mutating func add(_ file: PlaceFile, _ place: Int, _ placeName: String) {
        switch RepositoryFile(file.name) {
        case .configuration(let id)?: configurations[id, default: 0] += 1
        case .record(let sequence, let id)?: records[RecordName(sequence: sequence, id: id), default: 0] += 1
        case .index(let id)?: indexes[id, default: 0] += 1
        case .keys(let id)?: keyCopies[id, default: 0] += 1
        case .lock(let id)?: locks[id, default: 0] += 1
        case .pack(let id)?: add(id, nil, bit: place, file.length)
        case .piece(let name)?: add(name.object, name.protection, bit: name.index, file.length)
        case nil:
            if strangers.count < Self.strangersMax { strangers.append("\(file.name) in \(placeName)") }
        }
    }

    private mutating func add(_ id: Digest, _ protection: Protection?, bit: Int, _ length: Int64) {
        var presence = packs[id] ?? PackPresence(protection: protection)
        presence.protection = protection
        presence.pieces |= 1 << UInt32(bit)
        presence.shortest = min(presence.shortest, length)
        presence.longest = max(presence.longest, length)
        packs[id] = presence
    }
}
