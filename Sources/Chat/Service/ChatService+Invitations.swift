// Invitations: a code that lets people in, so many times and so long.

package import Accounts
import Base
import Crypto
import Store

extension ChatService {
    /// `maxUses` `nil`: any number; `lifetime` `nil`: the server's.
    package func invite(
        to id: ConversationID, maxUses: Int? = 1, lifetime: Duration? = nil, by principal: Principal
    ) async throws(ChatError) -> NewInvitation {
        let range = 1...options.invitationUses
        if let maxUses, !range.contains(maxUses) {
            throw .invalid(.maxUses, .value, "from \(range.lowerBound) to \(range.upperBound)")
        }
        let lifetime = lifetime ?? options.invitationLifetime
        guard lifetime > .zero, lifetime <= options.longestInvitation else {
            let hours = options.longestInvitation.components.seconds / 3_600
            throw .invalid(.expiresInHours, .value, "from 1 to \(hours) hours")
        }
        let now = clock.now()
        let limit = options.invitationsPerConversation
        let code = InvitationCode.new()
        let invitation = Invitation(
            id: .timeOrdered(at: now), conversation: id, createdBy: principal.user, maxUses: maxUses, uses: 0,
            expiresAt: now + lifetime, revokedAt: nil, createdAt: now)
        return try await database.transaction { (transaction) async throws(ChatError) in
            let access = try await transaction.reader.access(id, principal.user)
            guard access.conversation.type != .direct else { throw .forbidden(.direct) }
            _ = try access.require(.invite)
            let good = try await transaction.reader.rows(InvitationTable.good(id, at: now)).count
            guard good < limit else { throw .limitReached(.invitations, limit) }
            try await transaction.change(InvitationTable.insert(invitation, InvitationCode.hash(code)))
            return NewInvitation(invitation: invitation, code: Secret(text: code))
        }
    }

    /// Those that are still good.
    package func invitations(
        to id: ConversationID, for principal: Principal
    ) async throws(ChatError) -> [Invitation] {
        _ = try await reader.access(id, principal.user).require(.invite, evenArchived: true)
        return try await reader.all(InvitationTable.good(id, at: clock.now()), InvitationTable.invitation(from:))
    }

    /// By who made it, or who manages members.
    package func revoke(_ id: InvitationID, by principal: Principal) async throws(ChatError) {
        let now = clock.now()
        try await database.transaction { (transaction) async throws(ChatError) in
            let reader = transaction.reader
            let invitation = try await reader.first(InvitationTable.byID(id), InvitationTable.invitation(from:))
            guard let invitation else { throw .notFound(.invitation) }
            // To a stranger it is the invitation that is not there, not the conversation.
            let access = try await reader.first(
                ConversationTable.access(invitation.conversation, principal.user), ConversationTable.access(from:))
            guard let access, access.member != nil else { throw .notFound(.invitation) }
            if invitation.createdBy != principal.user { _ = try access.require(.manageMembers, evenArchived: true) }
            try await transaction.change(InvitationTable.revoke(id, at: now))
        }
    }

    /// Who is in already gets the conversation, and the invitation is not used.
    package func accept(_ code: String, by principal: Principal) async throws(ChatError) -> ConversationView {
        guard let hash = InvitationCode.hash(parsing: code) else { throw .invitationInvalid }
        let now = clock.now()
        let invitation = try await reader.first(InvitationTable.byHash(hash), InvitationTable.invitation(from:))
        guard let invitation else { throw .invitationInvalid }
        let view = try await commit(in: invitation.conversation) { (transaction) async throws(ChatError) in
            let access = try await transaction.reader.first(
                ConversationTable.access(invitation.conversation, principal.user), ConversationTable.access(from:))
            guard let access else { throw .invitationInvalid }
            if access.member != nil { return Outcome(access.view) }
            // Checked and counted in one statement: of two who come at once for the last place, one gets it.
            guard try await transaction.change(InvitationTable.use(invitation.id, at: now)) == 1 else {
                throw .invitationInvalid
            }
            return try await Self.comeIn(access, principal.user, at: now, in: transaction)
        }
        return try await furnished([view], for: principal.user)[0]
    }
}

/// Eighteen random bytes as 24 letters. Only their hash is kept: who reads the database enters nothing.
enum InvitationCode {
    private static let bytes = 18

    static func new() -> String { Base64.encode(SecureRandom.bytes(bytes), .urlSafe) }

    static func hash(_ code: String) -> Bytes { SHA256.hash(Bytes("plexichat invitation v1 ".utf8) + code.utf8) }

    /// `nil` for what is no code: it would only be looked for in vain.
    static func hash(parsing code: String) -> Bytes? {
        guard Base64.decode(code, .urlSafe)?.count == bytes else { return nil }
        return hash(code)
    }
}

enum InvitationTable {
    private static let columns: Statement =
        "id, conversation_id, created_by, max_uses, uses, expires_at, revoked_at, created_at"

    static func insert(_ invitation: Invitation, _ hash: Bytes) -> Statement {
        """
        INSERT INTO invitations (id, conversation_id, code_hash, created_by, max_uses, uses, expires_at, created_at) \
        VALUES (\(invitation.id), \(invitation.conversation), \(hash), \(invitation.createdBy), \
        \(invitation.maxUses), 0, \(invitation.expiresAt), \(invitation.createdAt))
        """
    }

    static func good(_ id: ConversationID, at now: Timestamp) -> Statement {
        """
        SELECT \(part: columns) FROM invitations WHERE conversation_id = \(id) AND \(part: isGood(now)) \
        ORDER BY created_at DESC, id DESC
        """
    }

    private static func isGood(_ now: Timestamp) -> Statement {
        """
        revoked_at IS NULL AND (expires_at IS NULL OR expires_at > \(now)) AND (max_uses IS NULL OR uses < max_uses)
        """
    }

    static func byID(_ id: InvitationID) -> Statement { "SELECT \(part: columns) FROM invitations WHERE id = \(id)" }

    static func byHash(_ hash: Bytes) -> Statement {
        "SELECT \(part: columns) FROM invitations WHERE code_hash = \(hash)"
    }

    static func use(_ id: InvitationID, at now: Timestamp) -> Statement {
        "UPDATE invitations SET uses = uses + 1 WHERE id = \(id) AND \(part: isGood(now))"
    }

    static func revoke(_ id: InvitationID, at now: Timestamp) -> Statement {
        "UPDATE invitations SET revoked_at = \(now) WHERE id = \(id) AND revoked_at IS NULL"
    }

    static func sweep(before now: Timestamp) -> Statement { "DELETE FROM invitations WHERE expires_at <= \(now)" }

    static func invitation(from row: Row) throws(StoreError) -> Invitation {
        Invitation(
            id: try row.identifier(0), conversation: try row.identifier(1), createdBy: try row.identifier(2),
            maxUses: try row.optional(3, row.integer).map { Int(clamping: $0) },
            uses: Int(clamping: try row.integer(4)),
            expiresAt: try row.optional(5, row.timestamp), revokedAt: try row.optional(6, row.timestamp),
            createdAt: try row.timestamp(7))
    }
}
