// Pictures of users: made small and clean, kept as blobs, named by numbers that nobody can guess.
//
// A picture is replaced in an order that leaves no user without one when the server dies in between: the new one is
// kept, the profile names it, the old one goes. What is left over is removed by the next change, or by `sweep` when its
// user is gone. docs/chat/content.md, "Avatars".

package import Base
package import Store
import Synchronization

/// A picture as it is kept. Its id is all that somebody needs to see it.
package struct Avatar: Sendable, Hashable {
    package let id: UUID
    package let user: UserID
    package let key: BlobKey
    package let size: Int64
    package let type: String
    package let createdAt: Timestamp
}

/// What makes a picture of what a user sent. Supplied by `WorkerAvatars`, and by tests.
package protocol AvatarImages: Sendable {
    func make(from bytes: Bytes) async throws(AvatarError) -> (bytes: Bytes, type: String)
}

package enum AvatarError: Error, Equatable {
    case notFound
    case tooLarge(limit: Int)
    case empty
    /// Its bytes are of this type, whatever it was called.
    case notAnImage(type: String)
    /// An image that cannot be read; why.
    case unreadable(String)
    case infected
    /// Another picture of the same user is being made.
    case inProgress
    case unavailable(String)
    case ledger(BlobLedgerError)
    case account(AccountError)
    case store(StoreError)
}

extension AvatarError: StoreFailureConvertible {
    package init(_ failure: StoreError) { self = .store(failure) }
}

package final class AvatarService: Sendable {
    /// rooms.md has 5 MB. A file is held in memory while a picture is made of it.
    package static let bytesMax = 5 << 20
    /// Users whose pictures are removed in one turn of `sweep`.
    private static let batch = 100
    private static let log = Logger("avatars")

    private let database: any Database
    private let ledger: BlobLedger
    private let accounts: AccountService
    private let images: any AvatarImages
    private let publicURL: String
    private let clock: Clock
    /// Two pictures of one user at once would remove each other.
    private let busy = Mutex<Set<UserID>>([])

    /// `publicURL` is where people open the server, without a trailing slash.
    package init(
        database: any Database, ledger: BlobLedger, accounts: AccountService, images: any AvatarImages,
        publicURL: String, clock: Clock = .system
    ) {
        self.database = database
        self.ledger = ledger
        self.accounts = accounts
        self.images = images
        self.publicURL = publicURL
        self.clock = clock
    }

    package func url(of avatar: UUID) -> String { "\(publicURL)/users/avatars/\(avatar)" }

    // MARK: Changing

    /// `file` is what the user sent, at most `bytesMax`. Returns the profile with its new address.
    package func set(
        _ file: Bytes, of principal: Principal, origin: RequestOrigin
    ) async throws(AvatarError) -> User {
        guard file.count <= Self.bytesMax else { throw .tooLarge(limit: Self.bytesMax) }
        guard !file.isEmpty else { throw .empty }
        return try await alone(principal.user) { () async throws(AvatarError) in
            let made = try await images.make(from: file)
            let avatar = try await keep(made.bytes, made.type, of: principal.user)
            do throws(AvatarError) {
                let user = try await name(.set(url(of: avatar)), of: principal, origin)
                try await remove(of: principal.user, but: avatar)
                return user
            } catch {
                // Without the profile nobody finds it; what this leaves behind the next change removes.
                try? await removeAvatars([avatar])
                throw error
            }
        }
    }

    /// The profile names no picture any more, ours or another's.
    package func clear(of principal: Principal, origin: RequestOrigin) async throws(AvatarError) -> User {
        try await alone(principal.user) { () async throws(AvatarError) in
            let user = try await name(.cleared, of: principal, origin)
            try await remove(of: principal.user, but: nil)
            return user
        }
    }

    private func alone(
        _ user: UserID, _ body: () async throws(AvatarError) -> User
    ) async throws(AvatarError) -> User {
        guard busy.withLock({ $0.insert(user).inserted }) else { throw .inProgress }
        defer { _ = busy.withLock { $0.remove(user) } }
        return try await body()
    }

    private func name(
        _ url: FieldChange<String>, of principal: Principal, _ origin: RequestOrigin
    ) async throws(AvatarError) -> User {
        var changes = ProfileChanges()
        changes.avatarURL = url
        do throws(AccountError) {
            return try await accounts.updateProfile(principal, changes, origin: origin)
        } catch {
            throw .account(error)
        }
    }

    private func keep(_ bytes: Bytes, _ type: String, of user: UserID) async throws(AvatarError) -> UUID {
        let reservation = try await reserve(Int64(bytes.count), for: user)
        do throws(AvatarError) {
            let blob = try await put(bytes, reservation)
            let avatar = Avatar(
                id: .random(), user: user, key: blob.key, size: blob.length, type: type, createdAt: clock.now())
            try await database.transaction { (transaction) async throws(AvatarError) in
                try await Self.change(AvatarTable.insert(avatar), in: transaction)
                do throws(BlobLedgerError) {
                    try await BlobLedger.claim(
                        reservation, blob, for: avatar.id, charged: blob.length, in: transaction)
                } catch {
                    throw .ledger(error)
                }
            }
            return avatar.id
        } catch {
            await ledger.giveBack(reservation)
            throw error
        }
    }

    /// No quota: each user has one picture of bounded size.
    private func reserve(_ count: Int64, for user: UserID) async throws(AvatarError) -> BlobReservation {
        do throws(BlobLedgerError) {
            return try await ledger.reserve(
                count...count, for: BlobPayer(user: user, pot: .avatars), within: BlobQuota())
        } catch {
            throw .ledger(error)
        }
    }

    private func put(_ bytes: Bytes, _ reservation: BlobReservation) async throws(AvatarError) -> BlobInfo {
        let rest = Mutex<Bytes?>(bytes)
        do {
            return try await ledger.put(reservation) { rest.withLock { $0.take() } }
        } catch let error as BlobLedgerError {
            throw .ledger(error)
        } catch {
            throw .unavailable("\(error)")
        }
    }

    // MARK: Reading

    package func avatar(_ id: UUID) async throws(AvatarError) -> Avatar {
        do {
            guard let row = try await database.query(AvatarTable.byID(id)).first else { throw AvatarError.notFound }
            return try AvatarTable.avatar(from: row)
        } catch let error as StoreError {
            throw .store(error)
        } catch {
            throw error as? AvatarError ?? .unavailable("\(error)")
        }
    }

    package func content(of avatar: Avatar, _ range: Range<Int64>?) async throws(AvatarError) -> BlobContent {
        do throws(BlobError) {
            return try await ledger.blobs.read(avatar.key, range: range)
        } catch {
            // It was replaced a moment ago.
            if error == .notFound { throw .notFound }
            throw .ledger(.blob(error))
        }
    }

    // MARK: Removing

    /// Removes pictures whose users are gone. Returns whether there may be more.
    @discardableResult
    package func sweep() async throws(AvatarError) -> Bool {
        let gone = try await ids(AvatarTable.withoutUser(limit: Self.batch))
        try await removeAvatars(gone)
        return gone.count == Self.batch
    }

    private func remove(of user: UserID, but kept: UUID?) async throws(AvatarError) {
        try await removeAvatars(try await ids(AvatarTable.of(user)).filter { $0 != kept })
        await ledger.collect()
    }

    private func removeAvatars(_ avatars: [UUID]) async throws(AvatarError) {
        guard !avatars.isEmpty else { return }
        try await database.transaction { (transaction) async throws(AvatarError) in
            try await Self.change(AvatarTable.delete(avatars), in: transaction)
            do throws(BlobLedgerError) {
                try await BlobLedger.release(avatars, in: transaction)
            } catch {
                throw .ledger(error)
            }
        }
    }

    private func ids(_ statement: Statement) async throws(AvatarError) -> [UUID] {
        do throws(StoreError) {
            var ids: [UUID] = []
            for row in try await database.query(statement) { ids.append(try uuid(row, 0)) }
            return ids
        } catch {
            throw .store(error)
        }
    }

    private static func change(_ statement: Statement, in transaction: any Transaction) async throws(AvatarError) {
        do throws(StoreError) { _ = try await transaction.execute(statement) } catch { throw .store(error) }
    }
}
