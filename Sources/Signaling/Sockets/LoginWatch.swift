// Sockets and calls of logins that count no more: closed and left in the step that ends the login.
//
// What this process does to a login it hears of at once (`AccountEvents`). What it cannot hear is looked for now and
// then: a session or key whose time is over, and what another process did on the same database (`plexichat admin`).

package import Accounts
package import Base
import Synchronization

package final class LoginWatch: AccountEvents {
    /// Between two looks at the logins of open sockets. A query costs 200 of them a fraction of a millisecond; nothing
    /// that this server itself does waits for it.
    private static let interval = Duration.seconds(30)
    /// Logins in one question.
    private static let batch = 200
    private static let log = Logger("calls")

    private let sockets: [any LoginSockets]
    private let calls: CallService
    private let presence: PresenceBook
    private let accounts: AccountService
    private let lastLook = Mutex<Instant?>(nil)

    package init(sockets: [any LoginSockets], calls: CallService, presence: PresenceBook, accounts: AccountService) {
        self.sockets = sockets
        self.calls = calls
        self.presence = presence
        self.accounts = accounts
    }

    /// Sockets first: whoever hears of the call's end there need not ask why.
    package func happened(_ event: AccountEvent) async {
        switch event {
        case .sessionEnded(let id): release(close { $0.session == id })
        case .keyRevoked(let id): release(close { $0.apiKey == id })
        case .sessionsEnded(let user, let kept):
            release(close(of: user) { $0.session != nil && $0.session != kept })
        case .sessionsMayHaveEnded(let user): return await look(at: sockets.flatMap { $0.principals(of: user) })
        case .rightsChanged(let user): _ = close(of: user) { _ in true }
        case .accountEnded(let user):
            _ = close(of: user) { _ in true }
            presence.forget(user)
        case .credentialsDiscarded: _ = close { _ in true }
        }
        await calls.happened(event)
    }

    /// Every second.
    package func advance(now: Instant = .now()) async {
        let isDue = lastLook.withLock { last -> Bool in
            if let time = last, now - time < Self.interval { return false }
            last = now
            return true
        }
        guard isDue else { return }
        await look(at: sockets.flatMap(\.principals))
    }

    private func look(at principals: [Principal]) async {
        var rest = principals[...]
        while !rest.isEmpty {
            let batch = Array(rest.prefix(Self.batch))
            rest = rest.dropFirst(batch.count)
            do throws(AccountError) {
                for principal in try await accounts.ended(among: batch) {
                    release(close(of: principal.user) { DeviceID($0) == DeviceID(principal) })
                    await calls.loginEnded(DeviceID(principal))
                }
            } catch {
                Self.log.warning("the logins of sockets could not be looked at", [.error(error)])
                return
            }
        }
    }

    private func close(of user: UserID? = nil, where isMeant: (Principal) -> Bool) -> [Principal] {
        sockets.flatMap { $0.close(of: user, where: isMeant) }
    }

    /// Who has logged out is not there any more, other than who has lost a connection.
    private func release(_ principals: [Principal]) {
        for principal in principals { presence.release(principal.user, device: DeviceID(principal)) }
    }
}
