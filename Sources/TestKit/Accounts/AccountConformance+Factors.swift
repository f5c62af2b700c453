// Second factors: apps, codes, recovery codes, security keys.

import Accounts
import Base
import Store

extension AccountConformance {
    static let factors: [Check] = [
        Check("an authenticator app is asked for from its first right code on") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            let service = accounts.service
            let enrolment = try await service.enrolTOTP(alice, label: "phone")
            try require(
                enrolment.uri.exposedText.hasPrefix("otpauth://totp/PlexiChat:alice%40example.org?secret="), "URI")
            _ = try await accounts.login()
            try await requireRefusal(.mfaInvalid) {
                try await service.confirmTOTP(alice, factor: enrolment.factor, code: "000000", origin: origin)
            }
            let (secret, recovery) = try await accounts.enrolTOTP(alice)
            try requireEqual(recovery.count, 10)
            try requireEqual(try await service.factors(alice).map(\.isActive), [true])
            let challenge = try await accounts.challenge()
            try requireEqual(challenge.methods, [.totp, .recovery])
            try await requireRefusal(.mfaInvalid) {
                try await service.completeMFA(
                    temporaryToken: challenge.temporaryToken, proof: .code("000000"), origin: origin)
            }
            let code = accounts.totp(secret)
            let signedIn = try await service.completeMFA(
                temporaryToken: challenge.temporaryToken, method: .totp, proof: .code(code), origin: origin)
            _ = try await accounts.principal(signedIn)
            try await requireRefusal(.challengeInvalid) {
                try await service.completeMFA(
                    temporaryToken: challenge.temporaryToken, method: .totp, proof: .code(code), origin: origin)
            }
        },
        Check("a code that came with the password is enough, and is good once") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            let (secret, _) = try await accounts.enrolTOTP(alice)
            let code = accounts.totp(secret)
            _ = try await accounts.login(code: code)
            try await requireRefusal(.mfaInvalid) { try await accounts.login(code: code) }
            accounts.clock.advance(by: .seconds(30))
            _ = try await accounts.login(code: accounts.totp(secret))
        },
        Check("one code at once from two places logs one in") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            let (secret, _) = try await accounts.enrolTOTP(alice)
            let code = accounts.totp(secret)
            let count = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<6 {
                    group.addTask { (try? await accounts.login(code: code)) == nil ? 0 : 1 }
                }
                return await group.reduce(0, +)
            }
            try requireEqual(count, 1)
        },
        Check("a challenge takes five answers, and the account's delay outlives it") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            let (secret, _) = try await accounts.enrolTOTP(alice)
            let challenge = try await accounts.challenge()
            for _ in 0..<5 {
                try await requireRefusal(.mfaInvalid) {
                    try await accounts.service.completeMFA(
                        temporaryToken: challenge.temporaryToken, proof: .code("000000"), origin: origin)
                }
            }
            try await requireRefusal(.challengeInvalid) {
                try await accounts.service.completeMFA(
                    temporaryToken: challenge.temporaryToken, proof: .code(accounts.totp(secret)), origin: origin)
            }
            let next = try await accounts.challenge()
            try await requireRefusal(.throttled(retryAfter: .seconds(1))) {
                try await accounts.service.completeMFA(
                    temporaryToken: next.temporaryToken, proof: .code(accounts.totp(secret)), origin: origin)
            }
            accounts.clock.advance(by: .seconds(1))
            _ = try await accounts.service.completeMFA(
                temporaryToken: next.temporaryToken, proof: .code(accounts.totp(secret)), origin: origin)
        },
        Check("a recovery code is good once, in any spelling, and does not excuse wrong codes") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            let (_, recovery) = try await accounts.enrolTOTP(alice)
            let spelling = recovery[3].exposedText.uppercased().replacing("-", with: " ")
            _ = try await accounts.login(code: spelling)
            try await requireRefusal(.mfaInvalid) { try await accounts.login(code: spelling) }
            for _ in 0..<4 {
                try await requireRefusal(.mfaInvalid) { try await accounts.login(code: "aaaa-bbbb-cccc-dddd") }
            }
            try await requireRefusal(.throttled(retryAfter: .seconds(1))) {
                try await accounts.login(code: recovery[4].exposedText)
            }
            accounts.clock.advance(by: .seconds(1))
            let fresh = try await accounts.service.makeRecoveryCodes(
                alice, password: TestAccounts.password, origin: origin)
            try await requireRefusal(.mfaInvalid) { try await accounts.login(code: recovery[5].exposedText) }
            _ = try await accounts.login(code: fresh[0].exposedText)
        },
        Check("a factor goes only with the password, and its recovery codes with it") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            let (_, recovery) = try await accounts.enrolTOTP(alice)
            guard let factor = try await accounts.service.factors(alice).first else {
                throw ConformanceFailure(description: "no factor")
            }
            try await requireRefusal(.invalidCredentials) {
                try await accounts.service.removeFactor(
                    alice, factor.id, password: Secret(text: "not the password"), origin: origin)
            }
            try await accounts.service.removeFactor(
                alice, factor.id, password: TestAccounts.password, origin: origin)
            _ = try await accounts.login()
            _ = try await accounts.enrolTOTP(alice)
            try await requireRefusal(.mfaInvalid) { try await accounts.login(code: recovery[0].exposedText) }
        },
        Check("a code by mail is sent at the challenge, and verifies the address when it is enrolled") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            let service = accounts.service
            let token = try await service.enrolSent(alice, .email, to: "alice@example.org", origin: origin)
            guard let enrolment = accounts.mail.sent.last else { throw ConformanceFailure(description: "no mail") }
            try await requireRefusal(.mfaInvalid) {
                try await service.confirmSent(alice, token: token, code: "x", origin: origin)
            }
            let codes = try await service.confirmSent(alice, token: token, code: enrolment.code, origin: origin)
            try requireEqual(codes.count, 10)
            try require(try await service.profile(alice).isVerified, "not verified")
            let challenge = try await accounts.challenge()
            try requireEqual(challenge.methods, [.email, .recovery])
            guard let sent = accounts.mail.sent.last else { throw ConformanceFailure(description: "no mail") }
            let signedIn = try await service.completeMFA(
                temporaryToken: challenge.temporaryToken, method: .email, proof: .code(sent.code), origin: origin)
            _ = try await accounts.principal(signedIn)
        },
        Check("a code by text message is sent when it is asked for, three times at most") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            let service = accounts.service
            _ = try await accounts.enrolTOTP(alice)
            let token = try await service.enrolSent(alice, .sms, to: "+4915112345678", origin: origin)
            guard let enrolment = accounts.sms.sent.last else { throw ConformanceFailure(description: "no message") }
            try requireEqual(enrolment.recipient, "+4915112345678")
            _ = try await service.confirmSent(alice, token: token, code: enrolment.code, origin: origin)
            try requireEqual(try await service.factors(alice).map(\.label), ["totp", "…5678"])
            let challenge = try await accounts.challenge()
            try requireEqual(Set(challenge.methods), [.totp, .sms, .recovery])
            try requireEqual(accounts.sms.sent.count, 1)
            for _ in 0..<3 {
                try await service.requestCode(
                    temporaryToken: challenge.temporaryToken, method: .sms, origin: origin)
            }
            try await requireRefusal(.challengeInvalid) {
                try await service.requestCode(
                    temporaryToken: challenge.temporaryToken, method: .sms, origin: origin)
            }
            let codes = accounts.sms.sent.map(\.code)
            if codes[1] != codes[3] {
                try await requireRefusal(.mfaInvalid) {
                    try await service.completeMFA(
                        temporaryToken: challenge.temporaryToken, method: .sms, proof: .code(codes[1]), origin: origin)
                }
            }
            _ = try await service.completeMFA(
                temporaryToken: challenge.temporaryToken, method: .sms, proof: .code(codes[3]), origin: origin)
        },
        Check("a challenge is over after five minutes, and a broken gateway is told") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            let token = try await accounts.service.enrolSent(alice, .sms, to: "+4915112345678", origin: origin)
            guard let sent = accounts.sms.sent.last else { throw ConformanceFailure(description: "no message") }
            accounts.clock.advance(by: .minutes(5))
            try await requireRefusal(.challengeInvalid) {
                try await accounts.service.confirmSent(alice, token: token, code: sent.code, origin: origin)
            }
            accounts.sms.breakDown()
            try await requireRefusal(.undeliverable) {
                try await accounts.service.enrolSent(alice, .sms, to: "+4915112345678", origin: origin)
            }
        },
        Check("a right password alone does not forgive guessed codes") { accounts in
            let alice = try await accounts.principal(try await accounts.register())
            _ = try await accounts.enrolTOTP(alice)
            for _ in 0..<5 {
                _ = try await accounts.challenge()
                try await requireRefusal(.mfaInvalid) { try await accounts.login(code: "000000") }
            }
            try await requireRefusal(.throttled(retryAfter: .seconds(1))) { try await accounts.login(code: "000000") }
        },
    ]

    static let passkeys: [Check] = [
        Check("a passkey is registered and logs in without a password") { accounts in
            let service = accounts.service
            let alice = try await accounts.principal(try await accounts.register())
            var key = SoftAuthenticator()
            let creation = try await service.beginPasskeyRegistration(alice)
            try requireEqual(creation.userHandle, alice.user.bytes)
            try requireEqual(creation.algorithms, [-8, -7, -257])
            let recovery = try await service.finishPasskeyRegistration(
                alice, token: creation.token, key.register(creation.challenge, selfAttested: true), origin: origin)
            try requireEqual(recovery.count, 10)
            let request = try await service.beginPasskeyLogin()
            let response = key.assert(request.challenge)
            let signedIn = try await service.finishPasskeyLogin(token: request.token, response, origin: origin)
            try requireEqual(signedIn.user.id, alice.user)
            try await requireRefusal(.challengeInvalid) {
                try await service.finishPasskeyLogin(token: request.token, response, origin: origin)
            }
        },
        Check("a passkey login needs a verified user, a known key and a counter that goes on") { accounts in
            let service = accounts.service
            let alice = try await accounts.principal(try await accounts.register())
            var key = SoftAuthenticator()
            let creation = try await service.beginPasskeyRegistration(alice)
            _ = try await service.finishPasskeyRegistration(
                alice, token: creation.token, key.register(creation.challenge), origin: origin)
            var copy = key
            for _ in 0..<2 {
                let request = try await service.beginPasskeyLogin()
                _ = try await service.finishPasskeyLogin(
                    token: request.token, key.assert(request.challenge), origin: origin)
            }
            var stranger = SoftAuthenticator()
            stranger.credentialID = key.credentialID
            var unverified = key
            unverified.flags = 0x01
            var unknown = SoftAuthenticator()
            for index in 0..<4 {
                let request = try await service.beginPasskeyLogin()
                let response =
                    switch index {
                    case 0: copy.assert(request.challenge)
                    case 1: stranger.assert(request.challenge)
                    case 2: unverified.assert(request.challenge)
                    default: unknown.assert(request.challenge)
                    }
                try await requireRefusal(.invalidCredentials) {
                    try await service.finishPasskeyLogin(token: request.token, response, origin: origin)
                }
            }
        },
        Check("passkey logins that nobody finishes are bounded, and forgotten in time") { accounts in
            let bound = accounts.service.options.waitingPasskeyLogins
            for _ in 0..<bound { _ = try await accounts.service.beginPasskeyLogin() }
            try await requireRefusal(.busy) { try await accounts.service.beginPasskeyLogin() }
            accounts.clock.advance(by: .minutes(6))
            _ = try await accounts.service.beginPasskeyLogin()
        },
        Check("a security key is a second step, and one key belongs to one account") { accounts in
            let service = accounts.service
            let alice = try await accounts.principal(try await accounts.register())
            var key = SoftAuthenticator()
            key.flags = 0x01
            let creation = try await service.beginPasskeyRegistration(alice)
            _ = try await service.finishPasskeyRegistration(
                alice, token: creation.token, key.register(creation.challenge), label: "key ring", origin: origin)
            let challenge = try await accounts.challenge()
            try requireEqual(challenge.methods, [.webauthn, .recovery])
            let request = try await service.keyOptions(temporaryToken: challenge.temporaryToken)
            try requireEqual(request.allowed, [key.credentialID])
            let signedIn = try await service.completeMFA(
                temporaryToken: challenge.temporaryToken, method: .webauthn,
                proof: .assertion(key.assert(request.challenge)), origin: origin)
            _ = try await accounts.principal(signedIn)
            let bob = try await accounts.principal(try await accounts.register("bob"))
            let second = try await service.beginPasskeyRegistration(bob)
            try await requireRefusal(.alreadyExists(.credential)) {
                try await service.finishPasskeyRegistration(
                    bob, token: second.token, key.register(second.challenge), origin: origin)
            }
            let third = try await service.beginPasskeyRegistration(bob)
            try await requireRefusal(.challengeInvalid) {
                try await service.finishPasskeyRegistration(
                    alice, token: third.token, SoftAuthenticator().register(third.challenge), origin: origin)
            }
        },
    ]
}
