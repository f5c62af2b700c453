// Whether people are there, as chat sockets tell it. Who is, others know (`PresenceGate`); here stands only what those
// who look have not been told yet.

package import Accounts
package import Base

/// Who is there, as far as chat has part in it: somebody with an open chat socket is. Supplied by `plexichat`; tells of
/// changes by `ChatHub.presenceChanged`.
package protocol PresenceGate: Sendable {
    /// The login has one more socket. Neither this nor `closed` may wait.
    func opened(by principal: Principal)
    func closed(by principal: Principal)
}

package struct ChatPresence: Sendable, Equatable {
    /// The documents' four. Who is in a call is busy.
    package enum Status: String, Sendable { case offline, away, online, busy }

    package let status: Status
    /// `nil` for somebody who was never seen.
    package let lastSeen: Timestamp?

    package init(_ status: Status, lastSeen: Timestamp?) {
        self.status = status
        self.lastSeen = lastSeen
    }
}

package struct PresenceNews: Sendable, Equatable {
    package let user: UserID
    package let presence: ChatPresence
    /// What was told last.
    package let before: ChatPresence.Status

    package init(_ user: UserID, _ presence: ChatPresence, before: ChatPresence.Status) {
        self.user = user
        self.presence = presence
        self.before = before
    }

    /// They come or go, and do not only say something else of themselves.
    package var isComingOrGoing: Bool { (presence.status == .offline) != (before == .offline) }
}

/// Changes that wait to be told. Of several of one person the last is told; one that was taken back meanwhile is not.
struct PresenceBoard: Sendable {
    private var waiting: [UserID: ChatPresence] = [:]
    /// Who is not in it is offline, so that it is as large as there are people here.
    private var told: [UserID: ChatPresence.Status] = [:]

    mutating func note(_ user: UserID, _ presence: ChatPresence) { waiting[user] = presence }

    /// At most so many; the others come with the next turn, as they are then.
    mutating func take(_ limit: Int) -> [PresenceNews] {
        var news: [PresenceNews] = []
        while news.count < limit, let (user, presence) = waiting.first {
            waiting[user] = nil
            let before = told[user] ?? .offline
            guard presence.status != before else { continue }
            told[user] = presence.status == .offline ? nil : presence.status
            news.append(PresenceNews(user, presence, before: before))
        }
        return news
    }

    /// It could not be told.
    mutating func giveBack(_ news: PresenceNews) {
        told[news.user] = news.before == .offline ? nil : news.before
        if waiting[news.user] == nil { waiting[news.user] = news.presence }
    }
}
