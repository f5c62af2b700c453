// An upload that comes in pieces, over several requests, and its rows.

import Accounts
package import Base
import Store

package struct ResumableUpload: Sendable, Equatable {
    package enum Outcome: Sendable, Equatable {
        case underWay
        case file(FileID)
        /// By its user, by its age, or because the file was refused.
        case ended
    }

    package let id: FileUploadID
    package let user: UserID
    package let length: Int64
    package internal(set) var received: Int64
    package internal(set) var expiresAt: Timestamp
    package internal(set) var outcome: Outcome
    let parts: Int
    let reservation: UUID
    /// Pays, beside the user.
    let organization: UUID?
    let conversation: ConversationID?
    let name: String?
    let declaredType: String?
    let summary: String?
    let isSealed: Bool

    var isComplete: Bool { received == length }
    var payer: BlobPayer { BlobPayer(user: user, organization: organization, pot: .files) }
    var file: NewFile {
        NewFile(
            name: name, declaredType: declaredType, summary: summary, conversation: conversation, isSealed: isSealed)
    }
}

enum FileUploadTable {
    private static let columns: Statement = """
        id, user_id, length, received, expires_at, outcome, parts, reservation, organization_id, conversation_id, name, \
        declared_type, summary, is_sealed
        """

    static func insert(_ upload: ResumableUpload, at now: Timestamp) -> Statement {
        """
        INSERT INTO file_uploads (\(part: columns), created_at) VALUES (\(upload.id), \(upload.user), \
        \(upload.length), 0, \(upload.expiresAt), NULL, 0, \(upload.reservation), \(upload.organization), \
        \(upload.conversation), \(upload.name), \(upload.declaredType), \(upload.summary), \(upload.isSealed), \(now))
        """
    }

    static func underWay(of user: UserID) -> Statement {
        "SELECT COUNT(*) FROM file_uploads WHERE user_id = \(user) AND outcome IS NULL"
    }

    static func select(_ id: FileUploadID, of user: UserID) -> Statement {
        "SELECT \(part: columns) FROM file_uploads WHERE id = \(id) AND user_id = \(user)"
    }

    static func over(before now: Timestamp, limit: Int) -> Statement {
        "SELECT \(part: columns) FROM file_uploads WHERE expires_at < \(now) ORDER BY expires_at LIMIT \(limit)"
    }

    static func upload(from row: Row) throws(StoreError) -> ResumableUpload {
        var outcome = ResumableUpload.Outcome.underWay
        if let bytes = try row.optional(5, row.blob) { outcome = UUID(bytes).map { .file(FileID($0)) } ?? .ended }
        return ResumableUpload(
            id: try row.identifier(0), user: try row.identifier(1), length: try row.integer(2),
            received: try row.integer(3), expiresAt: try row.timestamp(4), outcome: outcome,
            parts: Int(clamping: try row.integer(6)), reservation: try row.uuid(7),
            organization: try row.optional(8, row.uuid), conversation: try row.optionalIdentifier(9),
            name: try row.optional(10, row.text), declaredType: try row.optional(11, row.text),
            summary: try row.optional(12, row.text), isSealed: try row.flag(13))
    }

    // MARK: Writing to it

    /// Changes nothing while another request has it, or when it is not where the caller thinks.
    static func lease(_ id: FileUploadID, at offset: Int64, _ lease: UUID, now: Timestamp, until: Timestamp)
        -> Statement
    {
        """
        UPDATE file_uploads SET lease = \(lease), leased_until = \(until) WHERE id = \(id) AND received = \(offset) \
        AND outcome IS NULL AND (lease IS NULL OR leased_until < \(now))
        """
    }

    static func renew(_ id: FileUploadID, _ lease: UUID, until: Timestamp) -> Statement {
        "UPDATE file_uploads SET leased_until = \(until) WHERE id = \(id) AND lease = \(lease)"
    }

    static func giveBack(_ id: FileUploadID, _ lease: UUID) -> Statement {
        "UPDATE file_uploads SET lease = NULL, leased_until = NULL WHERE id = \(id) AND lease = \(lease)"
    }

    static func received(_ id: FileUploadID, _ lease: UUID, _ bytes: Int64, until end: Timestamp) -> Statement {
        """
        UPDATE file_uploads SET received = received + \(bytes), parts = parts + 1, expires_at = \(end) \
        WHERE id = \(id) AND lease = \(lease) AND outcome IS NULL
        """
    }

    static func insertPart(_ id: FileUploadID, place: Int, holder: UUID, _ blob: BlobInfo) -> Statement {
        """
        INSERT INTO file_upload_parts (upload_id, place, holder, hash, size) \
        VALUES (\(id), \(place), \(holder), \(blob.key.hash), \(blob.length))
        """
    }

    static func parts(of id: FileUploadID) -> Statement {
        "SELECT holder, hash, size FROM file_upload_parts WHERE upload_id = \(id) ORDER BY place"
    }

    struct Part: Sendable {
        let holder: UUID
        let blob: BlobInfo
    }

    static func part(from row: Row) throws(StoreError) -> Part {
        guard let key = BlobKey(hash: try row.blob(1)) else { throw .corrupt("file_upload_parts: no hash") }
        return Part(holder: try row.uuid(0), blob: BlobInfo(key: key, length: try row.integer(2)))
    }

    // MARK: Its end

    static func end(_ id: FileUploadID, as outcome: Bytes, until: Timestamp) -> Statement {
        """
        UPDATE file_uploads SET outcome = \(outcome), expires_at = \(until), lease = NULL, leased_until = NULL \
        WHERE id = \(id) AND outcome IS NULL
        """
    }

    /// The next sweep ends them.
    static func letGo(of user: UserID) -> Statement {
        "UPDATE file_uploads SET expires_at = 0 WHERE user_id = \(user)"
    }

    static func removeParts(of id: FileUploadID) -> Statement {
        "DELETE FROM file_upload_parts WHERE upload_id = \(id)"
    }

    static func remove(_ id: FileUploadID) -> Statement { "DELETE FROM file_uploads WHERE id = \(id)" }
}
