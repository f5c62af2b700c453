// The body of a lock: docs/formats/backup.md, "Locks".

import Base
import Wire

/// Who holds a repository.
package struct LockHolder: Sendable, Equatable {
    package let name: String
    package let purpose: String
    /// The name of a local file that is locked as long as the holder lives; empty for none.
    package let guardFile: String

    package init(name: String, purpose: String, guardFile: String = "") {
        self.name = Self.short(name)
        self.purpose = Self.short(purpose)
        self.guardFile = Self.short(guardFile)
    }

    /// The form has room for 255 bytes.
    private static func short(_ text: String) -> String {
        var short = text
        while short.utf8.count > 255 { short.removeLast() }
        return short
    }
}

struct RepositoryLock: Sendable, Equatable {
    static let refreshEvery = Duration.minutes(5)
    /// Six refreshes missed: a holder whose place was away for that long stops by itself.
    static let staleAfter = Duration.minutes(30)

    let id: UUID
    let taken: Timestamp
    var refreshed: Timestamp
    let holder: LockHolder

    func isStale(at now: Timestamp) -> Bool { now - refreshed > Self.staleAfter }

    var body: Bytes {
        var body = Bytes()
        body.append(id: id)
        body.append(time: taken)
        body.append(time: refreshed)
        for text in [holder.name, holder.purpose, holder.guardFile] {
            body.append(UInt8(text.utf8.count))
            body += Bytes(text.utf8)
        }
        return body
    }

    init(id: UUID, taken: Timestamp, refreshed: Timestamp, holder: LockHolder) {
        self.id = id
        self.taken = taken
        self.refreshed = refreshed
        self.holder = holder
    }

    init(parsing body: Bytes) throws(WireError) {
        var reader = ByteReader(body.span.bytes)
        id = try reader.readID()
        taken = try reader.readTime()
        refreshed = try reader.readTime()
        let name = try reader.readText(Int(try reader.readUInt8()))
        let purpose = try reader.readText(Int(try reader.readUInt8()))
        holder = LockHolder(name: name, purpose: purpose, guardFile: try reader.readText(Int(try reader.readUInt8())))
        try reader.requireEnd()
    }
}
