// The copies of the vault's book that lie in the places, read before anything can be known of who put them there.

import Base
package import Vault

struct KeyCopies: Sendable {
    /// Whose form is right, those in most places first. Not yet authentic.
    let all: [KeyBookCopy]

    /// Copies that are looked at. A repository has one or two; more are somebody else's, and must not take the time.
    private static let countMax = 16
    /// Salts that a passphrase is tried with: each try takes up to a GiB and ten seconds.
    private static let passphrasesMax = 4

    /// What cannot be read is passed over: others may be enough, and without any the error comes from what they open.
    init(_ places: [any Place]) async {
        var counts: [Digest: (count: Int, places: [any Place])] = [:]
        for place in places {
            for file in (try? await place.list("keys")) ?? [] {
                guard case .keys(let id)? = RepositoryFile(file.name), file.length <= Int64(BackupLimits.keyCopy) else {
                    continue
                }
                counts[id, default: (0, [])].count += 1
                counts[id]?.places.append(place)
            }
        }
        let ranked = counts.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
        var all: [KeyBookCopy] = []
        for (id, found) in ranked.prefix(Self.countMax) {
            if let copy = await Self.read(id, found.places) { all.append(copy) }
        }
        self.all = all
    }

    private static func read(_ id: Digest, _ places: [any Place]) async -> KeyBookCopy? {
        for place in places {
            guard let bytes = try? await place.get(RepositoryFile.keys(id).name), Digest.sha256(bytes) == id else {
                continue
            }
            return try? KeyBookCopy(parsing: bytes)
        }
        return nil
    }

    /// Those that this vault's root key has sealed, newest first.
    func opened(by vault: Vault) -> [OpenedKeyCopy] { newestFirst { _ in vault } }

    /// The same, with the root key from where it is, which may have to be computed for each salt.
    func opened(from source: Vault.RootKeySource) -> [OpenedKeyCopy] {
        var tried: Set<String> = []
        return newestFirst { copy in
            if case .passphrase = source, let salt = copy.book.root.passphrase {
                guard tried.contains(salt) || tried.count < Self.passphrasesMax else { return nil }
                tried.insert(salt)
            }
            return try? Vault.open(source, record: copy.book.root)
        }
    }

    private func newestFirst(_ vault: (KeyBookCopy) -> Vault?) -> [OpenedKeyCopy] {
        var opened: [OpenedKeyCopy] = []
        for copy in all {
            guard let vault = vault(copy), copy.isAuthentic(for: vault),
                let snapshot = try? KeySnapshot(opening: copy.book, with: vault)
            else { continue }
            opened.append(OpenedKeyCopy(copy: copy, snapshot: snapshot))
        }
        return opened.sorted { $1.copy.age < $0.copy.age }
    }
}

struct OpenedKeyCopy: Sendable {
    let copy: KeyBookCopy
    let snapshot: KeySnapshot
}

/// The root key from its shares, where only backups are left to compare it with.
package enum RootRecovery {
    package static func recover(
        _ shares: [RecoveryShare], places: [any Place], to path: String
    ) async throws(BackupError) {
        let copies = await KeyCopies(places).all
        guard !copies.isEmpty else {
            throw .refused("there is no copy of the keys in these places that a root key could be compared with")
        }
        var failure = VaultError.authenticationFailed
        for copy in copies {
            do throws(VaultError) {
                _ = try Vault.recover(shares, record: copy.book.root, to: path)
                return
            } catch { failure = error }
        }
        throw .refused("\(failure)")
    }
}

/// What a repository is to hold of its keys.
package struct KeptKeys: Sendable {
    let copy: KeyBookCopy
    /// Older copies under the same root key that know no version which this one does not.
    var superseded: Set<Digest> = []
    /// Copies that say of themselves that they are under an earlier root key. They keep later keys within its reach.
    var underEarlierRoots: Set<Digest> = []

    init(_ own: KeySnapshot, _ copies: KeyCopies, _ opened: [OpenedKeyCopy]) {
        let made = KeyBookCopy(own)
        copy = opened.first { $0.copy.isSame(as: made) }?.copy ?? made
        let known = BackupKeyNames.all.reduce(into: Set<String>()) { $0.formUnion(own.fingerprints(of: $1)) }
        for other in opened where other.copy.id != copy.id {
            let knows = BackupKeyNames.all.reduce(into: Set<String>()) {
                $0.formUnion(other.snapshot.fingerprints(of: $1))
            }
            if knows.isSubset(of: known) { superseded.insert(other.copy.id) }
        }
        for other in copies.all where other.age.epoch < copy.age.epoch { underEarlierRoots.insert(other.id) }
    }
}

extension Repository {
    /// Puts the copy of the keys that write now into every place that lacks it, and the configuration for these keys, so
    /// that the ones before can be disabled and destroyed. Durable with the next flush.
    func keepKeys(_ listing: Listing) async throws(BackupError) {
        guard let copy = keys.kept?.copy else { return }
        if listing.keyCopies[copy.id] ?? 0 < places.places.count {
            try await places.putEverywhere(.keys(copy.id), copy.bytes)
        }
        guard let newest = keys.newest, !listing.configurations.isEmpty else { return }
        for id in listing.configurations.keys.sorted() {
            if (try? await Self.readConfiguration(id, places, newest)) != nil { return }
        }
        _ = try await putSigned(configuration.object) { .configuration($0) }
    }

    /// Blocks that lie in packs which nobody can open any more would be taken for stored.
    func refuseLostKeys() throws(BackupError) {
        guard let version = keys.lostVersion(since: configuration.made) else { return }
        throw .refused(
            "version \(version) of the key `backup`, for which this repository was written, opens nothing any more; enable "
                + "it, or begin a new repository in other places")
    }

    /// Once the newer copy is durable. What is left is deleted the next time.
    func forgetOldKeys(_ listing: Listing, underEarlierRoots: Bool) async {
        guard let kept = keys.kept else { return }
        let old = underEarlierRoots ? kept.superseded.union(kept.underEarlierRoots) : kept.superseded
        for id in old where listing.keyCopies[id] != nil { try? await places.deleteEverywhere(.keys(id)) }
    }
}
