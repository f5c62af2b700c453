// What ends a login is told, after it is durable and before it is answered.

import Accounts
import Base
import Synchronization

/// Remembers what it was told, and whether the login counted no more by then.
private final class RecordingEvents: AccountEvents {
    struct Told: Sendable {
        let event: AccountEvent
        let ended: Set<Principal>
    }

    private let accounts: AccountService
    private let watched = Mutex<[Principal]>([])
    private let told = Mutex<[Told]>([])

    init(_ accounts: AccountService) { self.accounts = accounts }

    func watch(_ principals: Principal...) { watched.withLock { $0 = principals } }

    func happened(_ event: AccountEvent) async {
        let ended = try? await accounts.ended(among: watched.withLock { $0 })
        told.withLock { $0.append(Told(event: event, ended: ended ?? [])) }
    }

    /// Of what came since the last time; logins are told of in between, and left out.
    func take() -> [Told] {
        told.withLock { told in
            defer { told = [] }
            return told.filter { if case .sessionsMayHaveEnded = $0.event { false } else { true } }
        }
    }
}

extension AccountConformance {
    static let events: [Check] = [
        Check("the end of a login is told when it counts no more") { accounts in
            let events = RecordingEvents(accounts.service)
            accounts.service.setEvents(events)
            let first = try await accounts.principal(try await accounts.register())
            let second = try await accounts.principal(try await accounts.login())
            events.watch(first, second)
            func expect(_ event: AccountEvent, ending ended: Principal...) throws {
                let told = events.take()
                try requireEqual(told.map(\.event), [event])
                try requireEqual(told.first?.ended, Set(ended))
            }
            let service = accounts.service
            let new = Secret(text: "another good password")
            try await service.changePassword(first, current: TestAccounts.password, new: new, origin: origin)
            guard let kept = first.session else { throw ConformanceFailure(description: "no session") }
            try expect(.sessionsEnded(of: first.user, but: kept), ending: second)
            try await service.logout(first, origin: origin)
            try expect(.sessionEnded(kept), ending: first, second)

            let third = try await accounts.principal(try await accounts.login(password: new))
            events.watch(third)
            try await service.logoutEverywhere(third, origin: origin)
            try expect(.sessionsEnded(of: third.user, but: nil), ending: third)

            let fourth = try await accounts.principal(try await accounts.login(password: new))
            events.watch(fourth)
            _ = try await service.setTier(.premium, of: fourth.user, by: .console, origin: origin)
            try expect(.rightsChanged(of: fourth.user))
            _ = try await service.setActive(false, of: fourth.user, by: .console, origin: origin)
            try expect(.accountEnded(fourth.user), ending: fourth)
        },
        Check("a stolen refresh token, a reset and a deleted account are told, too") { accounts in
            let events = RecordingEvents(accounts.service)
            accounts.service.setEvents(events)
            let service = accounts.service
            let alice = try await accounts.register()
            _ = try await service.refresh(alice.tokens.refreshToken, origin: origin)
            accounts.clock.advance(by: .seconds(11))
            try await requireRefusal(.refreshReused) {
                try await service.refresh(alice.tokens.refreshToken, origin: origin)
            }
            try requireEqual(events.take().map(\.event), [.sessionEnded(alice.tokens.session)])
            try await service.forgotPassword(email: "alice@example.org", origin: origin)
            await service.settle()
            guard let sent = accounts.mail.sent.first else { throw ConformanceFailure(description: "no mail") }
            try await service.resetPassword(
                token: Secret(text: sent.code), new: Secret(text: "another good password"), origin: origin)
            try requireEqual(events.take().map(\.event), [.sessionsEnded(of: alice.user.id, but: nil)])
            try await service.deleteUser(alice.user.id, by: .console, origin: origin)
            try requireEqual(events.take().map(\.event), [.accountEnded(alice.user.id)])
        },
        Check("a key that has expired has ended, and one that is only old has not") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            func key(_ end: Timestamp?) async throws -> Principal {
                let key = try await accounts.service.createAPIKey(
                    alice, name: "robot", permissions: ["read"], expiresAt: end, origin: origin)
                return try await accounts.service.authenticator.authenticate(.apiKey(key.token.exposedText))
            }
            let (short, long) = (try await key(accounts.clock.now + .days(1)), try await key(nil))
            try requireEqual(try await accounts.service.ended(among: [short, long, alice]), [])
            accounts.clock.advance(by: .days(1))
            try requireEqual(try await accounts.service.ended(among: [short, long]), [short])
            let events = RecordingEvents(accounts.service)
            accounts.service.setEvents(events)
            guard let id = long.apiKey else { throw ConformanceFailure(description: "no key") }
            let again = try await accounts.principal(try await accounts.login())
            try await accounts.service.revokeAPIKey(id, again, origin: origin)
            try requireEqual(events.take().map(\.event), [.keyRevoked(id)])
            try requireEqual(try await accounts.service.ended(among: [short, long]), [short, long])
        },
    ]
}
