// A repository: who it is, and what of what lies in its places is believed.
//
// `Repository` is what does not change while it is open; `RepositoryState` is one look at its contents, from which a
// writer or a reader goes on. docs/formats/backup.md says what is wrong when.

package import Base
import Wire

package final class Repository: Sendable {
    let places: PlaceSet
    let keys: any BackupKeys
    let configuration: RepositoryConfiguration

    package var id: UUID { configuration.repository }

    private init(_ places: PlaceSet, _ keys: any BackupKeys, _ configuration: RepositoryConfiguration) {
        self.places = places
        self.keys = keys
        self.configuration = configuration
    }

    /// Makes a repository where none is.
    package static func create(
        in places: [any Place], keys: any BackupKeys, at now: Timestamp
    ) async throws(BackupError) -> Repository {
        let set = try PlaceSet(places)
        let listing = try await Listing(set)
        guard listing.configurations.isEmpty else { throw .repositoryExists }
        guard listing.failures.isEmpty else { throw listing.failures[0] }
        let repository = Repository(set, keys, RepositoryConfiguration.make(at: now))
        // First what opens it: never is there a repository that the root key alone does not open.
        try await repository.keepKeys(listing)
        try await set.flush()
        _ = try await repository.putSigned(repository.configuration.object) { .configuration($0) }
        try await set.flush()
        // Two at the same moment: both look again, and both are told.
        guard try await Listing(set).configurations.count == 1 else { throw .repositoryExists }
        return repository
    }

    package static func open(
        in places: [any Place], keys: any BackupKeys
    ) async throws(BackupError) -> Repository {
        let set = try PlaceSet(places)
        let listing = try await Listing(set)
        guard !listing.configurations.isEmpty else { throw .noRepository }
        do throws(BackupError) { return try await open(set, listing, keys) } catch {
            // One that was made before its keys had names.
            guard case .wrongKey = error, let former = keys.former else { throw error }
            return try await open(set, listing, former)
        }
    }

    private static func open(
        _ set: PlaceSet, _ listing: Listing, _ keys: any BackupKeys
    ) async throws(BackupError) -> Repository {
        var found: RepositoryConfiguration?
        var failure: BackupError?
        for id in listing.configurations.keys.sorted() {
            do throws(BackupError) {
                let configuration = try await readConfiguration(id, set, keys)
                guard found.map({ $0.isSame(as: configuration) }) ?? true else {
                    throw .malformed("there are two repositories in one place; take one of them elsewhere")
                }
                found = configuration
            } catch {
                if case .malformed = error { throw error }
                failure = error
            }
        }
        guard let found else { throw failure ?? .noRepository }
        return Repository(set, keys, found)
    }

    static func readConfiguration(
        _ id: Digest, _ places: PlaceSet, _ keys: any BackupKeys
    ) async throws(BackupError) -> RepositoryConfiguration {
        let file = RepositoryFile.configuration(id)
        let plaintext = try SealedObject.open(try await places.copy(of: file, id), file.name, with: keys)
        let object = try SignedObject(opening: plaintext, file.name, with: keys)
        do throws(WireError) { return try RepositoryConfiguration(object) } catch { throw error.inForm(file.name) }
    }

    // MARK: Signed objects

    /// Writes it to every place, under a name with its id. Not yet durable.
    func putSigned(
        _ object: SignedObject, _ file: (Digest) -> RepositoryFile
    ) async throws(BackupError) -> (id: Digest, hash: Digest) {
        let plaintext = object.signed(by: keys)
        let sealed = try SealedObject.seal([plaintext], for: keys)
        guard sealed.count <= BackupLimits.object else { throw .refused("an object would be longer than it may be") }
        let id = Digest.sha256(sealed)
        try await places.putEverywhere(file(id), sealed)
        return (id, .sha256(plaintext))
    }

    /// The body of an object of this repository and of this kind, and its hash.
    func signed(
        _ file: RepositoryFile, _ id: Digest, _ kind: SignedObject.Kind
    ) async throws(BackupError) -> (body: Bytes, hash: Digest) {
        try open(try await places.copy(of: file, id), file, kind)
    }

    func open(
        _ sealed: Bytes, _ file: RepositoryFile, _ kind: SignedObject.Kind
    ) throws(BackupError) -> (body: Bytes, hash: Digest) {
        let plaintext = try SealedObject.open(sealed, file.name, with: keys)
        let object = try SignedObject(opening: plaintext, file.name, with: keys)
        guard object.repository == id else { throw .foreign(file: file.name) }
        guard object.kind == kind else { throw .malformed("\(file.name) is an object of another kind") }
        return (object.body, .sha256(plaintext))
    }

    // MARK: Packs

    func pack(_ id: Digest, _ protection: Protection) async throws(BackupError) -> PackContent {
        try packContent(try await places.pack(id, protection), id)
    }

    func packContent(_ object: Bytes, _ id: Digest) throws(BackupError) -> PackContent {
        let file = RepositoryFile.pack(id).name
        let plaintext = try SealedObject.open(object, file, with: keys)
        do throws(WireError) { return try PackContent(parsing: plaintext) } catch { throw error.inForm(file) }
    }
}
