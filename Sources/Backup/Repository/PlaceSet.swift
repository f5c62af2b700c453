// Objects over places: copies, pieces, and what of them is still good. docs/formats/backup.md, "Names in a place".

import Base

/// What became of the pieces of an object that was written.
struct PieceReport: Sendable {
    /// Bytes that each place took, by the place's number; `nil` where it failed.
    var written: [Int: Int] = [:]
    var failures: [(place: Int, error: BackupError)] = []
}

struct PlaceSet: Sendable {
    let places: [any Place]

    init(_ places: [any Place]) throws(BackupError) {
        guard (1...BackupLimits.places).contains(places.count) else {
            throw .refused("a repository has 1 to \(BackupLimits.places) places, not \(places.count)")
        }
        guard Set(places.map(\.name)).count == places.count else {
            throw .refused("a place is named twice: pieces that lie together are lost together")
        }
        self.places = places
    }

    // MARK: Copies everywhere

    /// To every place; at least to more than half of them.
    func putEverywhere(_ file: RepositoryFile, _ bytes: Bytes) async throws(BackupError) {
        var failure: BackupError?
        var count = 0
        for place in places {
            do throws(BackupError) {
                try await place.put(file.name, bytes)
                count += 1
            } catch { failure = error }
        }
        if let failure, count <= places.count / 2 { throw failure }
    }

    func deleteEverywhere(_ file: RepositoryFile) async throws(BackupError) {
        var failure: BackupError?
        for place in places {
            do throws(BackupError) { try await place.delete(file.name) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// A place that cannot say that its files are durable counts as one that failed.
    func flush() async throws(BackupError) {
        var failure: BackupError?
        var count = 0
        for place in places {
            do throws(BackupError) {
                try await place.flush()
                count += 1
            } catch { failure = error }
        }
        if let failure, count <= places.count / 2 { throw failure }
    }

    /// The first copy that is what its name says.
    func copy(of file: RepositoryFile, _ id: Digest, startingAt first: Int = 0) async throws(BackupError) -> Bytes {
        var missed: [String] = []
        for offset in places.indices {
            let place = places[(first + offset) % places.count]
            do throws(BackupError) {
                guard let bytes = try await place.get(file.name) else {
                    missed.append("not in \(place.name)")
                    continue
                }
                if Digest.sha256(bytes) == id { return bytes }
                missed.append("in \(place.name) it is not what its name says")
            } catch { missed.append("\(error)") }
        }
        throw .lost(object: file.name, found: 0, needed: 1, missed: missed)
    }

    // MARK: Packs

    private func firstPlace(of object: Digest) -> Int { Int(object.first >> 32) % places.count }

    func homes(of object: Digest, _ protection: Protection) -> [Int] {
        (0..<protection.pieces).map { (firstPlace(of: object) + $0) % places.count }
    }

    /// The files that an object becomes, in the order of their numbers.
    static func files(of object: Bytes, _ id: Digest, _ protection: Protection) -> [(RepositoryFile, Bytes)] {
        if protection.isReplicated { return (0..<protection.pieces).map { _ in (.pack(id), object) } }
        return ErasureCode(protection).shares(of: object).enumerated().map { index, share in
            let name = RepositoryFile.PieceName(object: id, index: index, protection: protection)
            return (.piece(name), Piece(name, length: object.count, share: share).bytes)
        }
    }

    /// Each piece to its place, all at once. Fails when fewer pieces were taken than the protection is worth.
    func putPack(_ object: Bytes, _ id: Digest, _ protection: Protection) async throws(BackupError) -> PieceReport {
        let files = Self.files(of: object, id, protection)
        let homes = homes(of: id, protection)
        let report = await withTaskGroup(of: (Int, Int, BackupError?).self) { group in
            for ((file, bytes), home) in zip(files, homes) {
                group.addTask { [place = places[home]] in
                    do throws(BackupError) {
                        try await place.put(file.name, bytes)
                        return (home, bytes.count, nil)
                    } catch { return (home, 0, error) }
                }
            }
            var report = PieceReport()
            for await (home, count, error) in group {
                if let error { report.failures.append((home, error)) } else { report.written[home] = count }
            }
            return report
        }
        if let failure = report.failures.first?.error, report.written.count < protection.piecesWrittenMin {
            throw failure
        }
        return report
    }

    func pack(_ id: Digest, _ protection: Protection) async throws(BackupError) -> Bytes {
        let first = firstPlace(of: id)
        if protection.isReplicated { return try await copy(of: .pack(id), id, startingAt: first) }
        var shares: [Int: Bytes] = [:]
        var length = 0
        var missed: [String] = []
        for index in 0..<protection.pieces where shares.count < protection.data {
            let name = RepositoryFile.PieceName(object: id, index: index, protection: protection)
            if let piece = await piece(name, startingAt: first + index, &missed) {
                shares[index] = piece.share
                length = piece.length
            }
        }
        // Pieces vouch for themselves only; that they belong together shows in the object's own hash.
        guard shares.count == protection.data,
            let object = ErasureCode(protection).object(of: length, from: shares), Digest.sha256(object) == id
        else {
            throw .lost(
                object: RepositoryFile.pack(id).name, found: shares.count, needed: protection.data, missed: missed)
        }
        return object
    }

    /// In its own place, or wherever else it lies.
    private func piece(
        _ name: RepositoryFile.PieceName, startingAt first: Int, _ missed: inout [String]
    ) async -> Piece? {
        let file = RepositoryFile.piece(name).name
        for offset in places.indices {
            let place = places[(first + offset) % places.count]
            do {
                guard let bytes = try await place.get(file) else { continue }
                return try Piece(parsing: bytes, as: name)
            } catch {
                missed.append("piece \(name.index) in \(place.name): \((error as? PieceDamage)?.reason ?? "\(error)")")
            }
        }
        if !missed.contains(where: { $0.hasPrefix("piece \(name.index) ") }) {
            missed.append("piece \(name.index) is in no place")
        }
        return nil
    }
}
