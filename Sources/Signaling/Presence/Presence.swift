// Whether somebody is there, as all dialects show it.

package import Accounts
package import Base
package import Chat

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

extension Presence {
    /// As chat sockets tell it.
    package var inChat: ChatPresence {
        let word: ChatPresence.Status =
            switch status {
            case .offline: .offline
            case .away: .away
            case .online: .online
            case .busy, .inCall: .busy
            }
        return ChatPresence(word, lastSeen: lastSeen)
    }
}

/// Who has a chat socket is there, as who has one of calls is.
extension PresenceBook: PresenceGate {
    package func opened(by principal: Principal) { opened(by: principal.user, device: DeviceID(principal)) }
    package func closed(by principal: Principal) { closed(by: principal.user, device: DeviceID(principal)) }
}
