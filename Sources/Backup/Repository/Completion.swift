// Copies that a place lacks: because it is new, or was away when they were written. docs/formats/backup.md, "Names in a
// place".

import Base

extension Repository {
    /// Puts what lies as a copy in every place (keys, configuration, records, indexes) into the places that lack it. Returns how
    /// many copies were made. What is damaged everywhere is left as it is, for `verify` to name.
    @discardableResult
    package func completeCopies() async throws(BackupError) -> Int {
        var count = 0
        for folder in ["keys", "config", "records", "indexes"] {
            var files: Set<String> = []
            var present: [Set<String>] = []
            for place in places.places {
                let names = Set(try await place.list(folder).map(\.name))
                files.formUnion(names)
                present.append(names)
            }
            for name in files.sorted() {
                guard let file = RepositoryFile(name), let id = file.copyID else { continue }
                let lacking = places.places.indices.filter { !present[$0].contains(name) }
                guard !lacking.isEmpty, let bytes = try? await places.copy(of: file, id) else { continue }
                for place in lacking {
                    try await places.places[place].put(name, bytes)
                    count += 1
                }
            }
        }
        for place in places.places { try await place.flush() }
        return count
    }
}

extension RepositoryFile {
    /// The id of an object that every place has a copy of.
    fileprivate var copyID: Digest? {
        switch self {
        case .configuration(let id), .record(_, let id), .index(let id), .keys(let id): id
        case .pack, .piece, .lock: nil
        }
    }
}
