// Who pays for a blob, how much they may have, and what is wrong when they may not.

package import Base
package import Store

/// What a quota is for; each has a sum of its own. Stored by number.
package enum BlobPot: Int64, Sendable, CaseIterable {
    case files = 0
    case settingsImages = 1
    case avatars = 2
}

/// Whom bytes are charged to: a user, and the organisation in whose place they lie.
package struct BlobPayer: Sendable, Hashable {
    package let user: UserID
    package let organization: UUID?
    package let pot: BlobPot

    package init(user: UserID, organization: UUID? = nil, pot: BlobPot) {
        self.user = user
        self.organization = organization
        self.pot = pot
    }
}

/// Bytes that each of them may have; `nil`: as many as they like.
package struct BlobQuota: Sendable, Hashable {
    package var user: Int64?
    package var organization: Int64?

    package init(user: Int64? = nil, organization: Int64? = nil) {
        self.user = user
        self.organization = organization
    }
}

/// How much of a quota is taken, by what is kept and by uploads under way.
package struct BlobUsage: Sendable, Hashable {
    package enum Owner: String, Sendable { case user, organization }

    package let owner: Owner
    package let used: Int64
    package let reserved: Int64
    package let limit: Int64?

    package init(owner: Owner, used: Int64, reserved: Int64, limit: Int64?) {
        self.owner = owner
        self.used = used
        self.reserved = reserved
        self.limit = limit
    }

    package var free: Int64 { limit.map { max(0, $0 - used - reserved) } ?? .max }
}

/// Space that is kept for an upload until it is claimed, given back, or over.
package struct BlobReservation: Sendable {
    package let id: UUID
    package let payer: BlobPayer
    /// What may be put; more is refused.
    package let bytes: Int64
    /// The quota that kept it from being as large as was wanted; `nil` when it is.
    package let shortage: BlobUsage?
    /// How long it lasts without a sign of life.
    let lifetime: Duration
}

package enum BlobLedgerError: Error, Equatable {
    /// There is not enough of a quota left.
    case quotaExceeded(BlobUsage)
    /// The source gave more than was reserved, and no quota is to blame.
    case tooLarge(limit: Int64)
    /// It took too long, or was given back: the upload has to be begun again.
    case reservationOver
    /// The disk is full, S3 is away, or the same content is being deleted at this moment; try later.
    case blob(BlobError)
    case store(StoreError)
}

extension BlobLedgerError: StoreFailureConvertible {
    package init(_ failure: StoreError) { self = .store(failure) }
}
