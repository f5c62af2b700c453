// Whether somebody is there, as all dialects show it.

package import Base

package struct Presence: Sendable, Equatable {
    /// In order of precedence: of several devices the highest counts, and being in a call is above all that one says.
    package enum Status: Int, Sendable, CaseIterable, Comparable {
        case offline, away, online, busy, inCall

        package static func < (left: Status, right: Status) -> Bool { left.rawValue < right.rawValue }
    }

    package let status: Status
    /// `nil` for somebody who was never seen.
    package let lastSeen: Timestamp?

    package init(status: Status, lastSeen: Timestamp?) {
        self.status = status
        self.lastSeen = lastSeen
    }
}
