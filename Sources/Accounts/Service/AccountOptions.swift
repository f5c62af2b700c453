// What an operator may set about accounts. The defaults are the documents' numbers where they give any.

import Base

package struct AccountOptions: Sendable {
    /// The `iss` of every token: two servers that share nothing must not share it.
    package var issuer = "plexichat"
    /// False: only administrators make accounts.
    package var isRegistrationOpen = true
    /// The shortest new password, in bytes. The documents ask for 8; a lower one is raised to it.
    package var passwordMinimum = Validation.passwordLength.lowerBound

    package var accessLifetime = Duration.minutes(30)
    /// From the last use of a session to its end, and the same with "remember me".
    package var refreshLifetime = Duration.days(7)
    package var rememberedLifetime = Duration.days(30)
    /// However much it is used, a session ends this long after its login: a stolen one does not live for ever.
    package var familyLifetime = Duration.days(90)
    /// How long a client may repeat a refresh whose answer it did not get. Longer helps clients on bad networks, and
    /// a thief as well: see docs/protocol/tokens.md.
    package var refreshGrace = Duration.seconds(10)

    package var nodeTokenLifetime = Duration.hours(1)
    package var serviceTokenLifetime = Duration.days(90)
    package var adminTokenLifetime = Duration.hours(12)
    /// No issued token lives longer, whoever asks; a retired signing key is kept for as long.
    package var longestTokenLifetime = Duration.days(365)
    /// A key that signs longer than this is replaced by `sweep`.
    package var signingKeyLifetime = Duration.days(30)
    /// The same of other named keys that have no schedule of their own.
    package var keyLifetime = Duration.days(365)
    /// From the order to destroy a key's version to its end.
    package var keyDestructionWait = Duration.days(30)

    /// The oldest sessions end when there are more: a client that logs in for every request cannot fill the table.
    package var sessionsPerUser = 50
    package var keysPerUser = 50
    package var factorsPerUser = 20

    /// Logins by passkey that were begun and not finished. Anybody may begin one, so the table needs a bound; beyond
    /// it, `.busy`.
    package var waitingPasskeyLogins = 10_000

    /// Time for finding the phone. Longer gives guesses at a code more time, though not more tries.
    package var challengeLifetime = Duration.minutes(5)
    package var resetLifetime = Duration.hours(1)

    package var relyingParty = WebAuthn.RelyingParty()
    package var accountThrottle = ThrottlePolicy.account
    package var addressThrottle = ThrottlePolicy.address
    package var authenticator = Authenticator.Options()

    package init() {}
}
