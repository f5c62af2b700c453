// What happened, who did it, from where, and how it ended.

package import Base
package import Wire

package enum AuditAction: String, Sendable, CaseIterable {
    case accountCreated = "account.created"
    case accountChanged = "account.changed"
    case accountDeleted = "account.deleted"
    case accountActivated = "account.activated"
    case accountDeactivated = "account.deactivated"
    case rolesChanged = "account.roles_changed"
    case scopesGranted = "account.scopes_granted"
    case loginSucceeded = "login.succeeded"
    case loginFailed = "login.failed"
    case logout = "session.ended"
    case logoutEverywhere = "session.all_ended"
    case refreshReused = "session.refresh_reused"
    case passwordChanged = "password.changed"
    case passwordReset = "password.reset"
    case passwordResetRequested = "password.reset_requested"
    case passwordSet = "password.set"
    case factorAdded = "mfa.factor_added"
    case factorRemoved = "mfa.factor_removed"
    case recoveryCodesMade = "mfa.recovery_codes_made"
    case factorFailed = "mfa.failed"
    case tokenIssued = "token.issued"
    case tokenRevoked = "token.revoked"
    case apiKeyCreated = "api_key.created"
    case apiKeyRevoked = "api_key.revoked"
    case settingsChanged = "settings.changed"
    case clientSettingCreated = "client_setting.created"
    case clientSettingUpdated = "client_setting.updated"
    case clientSettingDeleted = "client_setting.deleted"
}

package enum AuditSeverity: Int64, Sendable, CaseIterable {
    case info = 0, warning = 1, critical = 2
    package var name: String { "\(self)" }
    package init?(name: String) {
        guard let severity = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = severity
    }
}

package enum AuditOutcome: String, Sendable { case success, failure }

package struct AuditEvent: Sendable {
    package let id: UUID
    package let time: Timestamp
    /// `nil`: nobody who is known, or the console.
    package let actor: UserID?
    /// An `AuditAction`, or what a component above calls its own (`plugin.approved`).
    package let action: String
    package let severity: AuditSeverity
    package let outcome: AuditOutcome
    /// What it was done to, as an identifier.
    package let target: String?
    package let origin: RequestOrigin
    package let details: JSONObject
    /// The place in the chain; `nil` for the moment until it is given.
    package internal(set) var sequence: Int64?
    package internal(set) var hash: Bytes?

    /// An event that another component wants kept; for changes of accounts the service writes its own.
    package init(
        time: Timestamp, actor: UserID?, action: String, severity: AuditSeverity = .info,
        outcome: AuditOutcome = .success, target: String? = nil, origin: RequestOrigin,
        details: JSONObject = JSONObject()
    ) {
        id = .timeOrdered(at: time)
        self.time = time
        self.actor = actor
        self.action = action
        self.severity = severity
        self.outcome = outcome
        self.target = target
        self.origin = origin
        self.details = details
        sequence = nil
        hash = nil
    }

    init(
        stored id: UUID, time: Timestamp, actor: UserID?, action: String, severity: AuditSeverity,
        outcome: AuditOutcome, target: String?, origin: RequestOrigin, details: JSONObject, sequence: Int64?,
        hash: Bytes?
    ) {
        self.id = id
        self.time = time
        self.actor = actor
        self.action = action
        self.severity = severity
        self.outcome = outcome
        self.target = target
        self.origin = origin
        self.details = details
        self.sequence = sequence
        self.hash = hash
    }

    /// What is hashed: every field behind its length, so that no two events have one form.
    func canonical(sequence: Int64) -> Bytes {
        var bytes = Bytes("plexichat audit v1".utf8)
        func bigEndian(_ word: UInt64) -> Bytes {
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
        }
        func append(_ field: Bytes) {
            bytes += bigEndian(UInt64(field.count))
            bytes += field
        }
        func append(_ number: Int64) {
            append(bigEndian(UInt64(bitPattern: number)))
        }
        append(sequence)
        append(id.bytes)
        append(time.microsecondsSinceEpoch)
        append(actor?.bytes ?? [])
        append(Bytes(action.utf8))
        append(severity.rawValue)
        append(Bytes(outcome.rawValue.utf8))
        for text in [target, origin.address.exposed, origin.userAgent?.exposed, origin.requestID] {
            append(text == nil ? 0 : 1)
            append(Bytes((text ?? "").utf8))
        }
        append(JSONValue.object(details).encoded)
        return bytes
    }
}

package struct AuditFilter: Sendable {
    package var start: Timestamp?
    package var end: Timestamp?
    package var severity: AuditSeverity?
    /// An action, or its first word: `login` finds `login.failed`.
    package var type: String?
    package var actor: UserID?
    package var offset: Int
    package var limit: Int

    package static let limitMaximum = 200

    package init(
        start: Timestamp? = nil, end: Timestamp? = nil, severity: AuditSeverity? = nil, type: String? = nil,
        actor: UserID? = nil, offset: Int = 0, limit: Int = 50
    ) {
        self.start = start
        self.end = end
        self.severity = severity
        self.type = type
        self.actor = actor
        self.offset = max(0, offset)
        self.limit = min(max(1, limit), Self.limitMaximum)
    }
}

/// What a check of the chain found.
package enum AuditVerdict: Sendable, Equatable {
    case intact(events: Int64)
    /// The first place that does not follow from the one before: changed, removed, put in, or hashed by another key.
    case broken(at: Int64)
}
