// Links: whoever has one reads the file, while it is good.

package import Accounts
import Base
import Store

extension FileService {
    package func share(
        _ id: FileID, lifetime: Duration?, maxDownloads: Int?, by principal: Principal
    ) async throws(FileError) -> NewFileShare {
        if let lifetime, lifetime <= .zero || lifetime > options.longestShare {
            let hours = options.longestShare.components.seconds / 3_600
            throw .invalid(.expiresInHours, "must be from 1 to \(hours)")
        }
        if let maxDownloads, !options.shareDownloads.contains(maxDownloads) {
            let range = options.shareDownloads
            throw .invalid(.maxDownloads, "must be from \(range.lowerBound) to \(range.upperBound)")
        }
        _ = try await owned(id, by: principal)
        let (now, token, limit) = (clock.now(), FileShareToken.new(), options.sharesPerFile)
        let share = FileShare(
            id: .timeOrdered(at: now), file: id, createdBy: principal.user, expiresAt: lifetime.map { now + $0 },
            maxDownloads: maxDownloads, downloads: 0, createdAt: now)
        return try await transaction { (transaction) async throws(FileError) in
            let good = try await Self.read(transaction.reader, FileShareTable.good(of: id, at: now))
            guard good.count < limit else { throw .limitReached(.link, limit) }
            try await transaction.alter(FileShareTable.insert(share, FileShareToken.hash(token)))
            return NewFileShare(share: share, token: Secret(text: token))
        }
    }

    /// Those that are good, the newest first.
    package func shares(of id: FileID, by principal: Principal) async throws(FileError) -> [FileShare] {
        _ = try await owned(id, by: principal)
        return try await Self.read(reader, FileShareTable.good(of: id, at: clock.now()))
    }

    package func revoke(_ share: FileShareID, of id: FileID, by principal: Principal) async throws(FileError) {
        _ = try await owned(id, by: principal)
        guard try await change(FileShareTable.revoke(share, of: id)) == 1 else { throw .notFound(.link) }
    }

    /// The file of a link. `counts`: this is a download, and the link's last one may be it.
    package func shared(_ token: String, counts: Bool) async throws(FileError) -> StoredFile {
        guard let hash = FileShareToken.hash(parsing: token) else { throw .notFound(.link) }
        let now = clock.now()
        guard let share = try await Self.read(reader, FileShareTable.byHash(hash, at: now)).first else {
            throw .notFound(.link)
        }
        let file: StoredFile
        do throws(FileError) {
            file = try await find(share.file, where: "1 = 1")
        } catch {
            if case .notFound = error { throw .notFound(.link) }
            throw error
        }
        try Self.checkScan(file, isUploader: false)
        if counts, try await change(FileShareTable.use(share.id, at: now)) == 0 { throw .notFound(.link) }
        return file
    }

    private static func read(_ reader: ChatReader, _ statement: Statement) async throws(FileError) -> [FileShare] {
        try await reader.found(statement, FileShareTable.share(from:))
    }
}
