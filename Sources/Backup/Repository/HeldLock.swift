// One writer at a time: docs/formats/backup.md, "Locks".

import Base
import Glibc
import Synchronization
import Wire

/// A local file that is locked as long as a holder lives. The kernel lets go of it however the holder ends.
final class GuardFile: Sendable {
    let name: String
    private let path: String
    private let file: OpenFile

    init(in folder: String) throws(BackupError) {
        try Files.makeFolder(folder)
        name = UUID.random().description
        path = "\(folder)/\(name)"
        file = try Files.create(path)
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else { throw Files.failure("lock \(path)") }
    }

    deinit { unlink(path) }

    /// The file is here, and nobody holds it.
    static func isOrphaned(_ name: String, in folder: String) -> Bool {
        guard UUID(name)?.description == name else { return false }
        let path = "\(folder)/\(name)"
        guard let file = try? Files.open(path), flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else { return false }
        unlink(path)
        return true
    }
}

package final class HeldLock: Sendable {
    private let repository: Repository
    private let lock: Mutex<RepositoryLock>
    private let guardFile: GuardFile?
    private let id: UUID

    fileprivate init(_ repository: Repository, _ lock: RepositoryLock, _ guardFile: GuardFile?) {
        self.repository = repository
        self.lock = Mutex(lock)
        self.guardFile = guardFile
        id = lock.id
    }

    /// Says that the holder lives, when it is time to.
    func refresh(at now: Timestamp) async throws(BackupError) {
        let lock = lock.withLock { $0 }
        if lock.isStale(at: now) { throw .lockLost }
        guard now - lock.refreshed >= RepositoryLock.refreshEvery else { return }
        try await confirm(at: now)
        var refreshed = lock
        refreshed.refreshed = now
        try await repository.putLock(refreshed)
        self.lock.withLock { [refreshed] in $0 = refreshed }
    }

    /// Throws unless the lock is where it was put, and fresh: nobody else can have been let in.
    func confirm(at now: Timestamp) async throws(BackupError) {
        if lock.withLock({ $0.isStale(at: now) }) { throw .lockLost }
        var (there, asked) = (0, 0)
        for place in repository.places.places {
            do throws(BackupError) {
                let file = try await place.get(RepositoryFile.lock(id).name)
                asked += 1
                if file != nil { there += 1 }
            } catch { continue }
        }
        guard there * 2 > asked else { throw .lockLost }
    }

    /// A lock that cannot be taken away now becomes stale by itself.
    func release() async {
        try? await repository.places.deleteEverywhere(.lock(id))
    }
}

extension Repository {
    /// Throws `locked`, with who is at work.
    func lock(
        _ holder: LockHolder, guardFolder: String?, at now: Timestamp
    ) async throws(BackupError) -> HeldLock {
        try await refuseOthers(except: nil, guardFolder, now)
        let guardFile: GuardFile? = if let guardFolder { try GuardFile(in: guardFolder) } else { nil }
        let named = LockHolder(name: holder.name, purpose: holder.purpose, guardFile: guardFile?.name ?? "")
        let lock = RepositoryLock(
            id: .random(), taken: FormTime.clamped(now), refreshed: FormTime.clamped(now), holder: named)
        let held = HeldLock(self, lock, guardFile)
        do throws(BackupError) {
            try await putLock(lock)
            try await refuseOthers(except: lock.id, guardFolder, now)
        } catch {
            await held.release()
            throw error
        }
        return held
    }

    fileprivate func putLock(_ lock: RepositoryLock) async throws(BackupError) {
        let object = SignedObject(.lock, of: id, body: lock.body)
        let sealed = try SealedObject.seal([object.signed(by: keys)], for: keys)
        try await places.putEverywhere(.lock(lock.id), sealed)
    }

    private func refuseOthers(
        except own: UUID?, _ guardFolder: String?, _ now: Timestamp
    ) async throws(BackupError) {
        for (id, lock) in try await locks() where id != own {
            let isOrphan = guardFolder.map { GuardFile.isOrphaned(lock.holder.guardFile, in: $0) } ?? false
            guard lock.isStale(at: now) || isOrphan else {
                throw .locked(holder: lock.holder.name, purpose: lock.holder.purpose, since: lock.taken)
            }
            try await places.deleteEverywhere(.lock(id))
        }
    }

    /// Those that verify: what anybody else put there is no lock.
    private func locks() async throws(BackupError) -> [UUID: RepositoryLock] {
        var locks: [UUID: RepositoryLock] = [:]
        for place in places.places {
            guard let files = try? await place.list("locks") else { continue }
            guard files.count <= BackupLimits.locks else {
                throw .malformed("\(place.name) has more than \(BackupLimits.locks) locks")
            }
            for case .lock(let id)? in files.map({ RepositoryFile($0.name) }) where locks[id] == nil {
                let file = RepositoryFile.lock(id)
                guard let sealed = try? await place.get(file.name), let lock = try? readLock(sealed, file),
                    lock.id == id
                else { continue }
                locks[id] = lock
            }
        }
        return locks
    }

    private func readLock(_ sealed: Bytes, _ file: RepositoryFile) throws(BackupError) -> RepositoryLock {
        let (body, _) = try open(sealed, file, .lock)
        do throws(WireError) { return try RepositoryLock(parsing: body) } catch { throw error.inForm(file.name) }
    }
}
