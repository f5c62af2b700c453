// calls: people who call each other, and the relays that their clients are told of.

package import Base

extension Configuration {
    package struct Calls: Sendable {
        package var ringTime = Duration.seconds(45)
        package var resumeGrace = Duration.seconds(30)
        package var emptyGrace = Duration.seconds(30)
        package var maxParticipants = 250
        package var maxLive = 10_000
        package var signalingTokenLifetime = Duration.minutes(5)
        package var relays: [String] = []
        package var relaySecret: Secret?
        package var relayCredentialLifetime = Duration.hours(4)
        package var probeRelays = true
        package var relayProbeInterval = Duration.minutes(1)
        package var presenceLease = Duration.minutes(2)
        package var reconnectURL: String?
        package var drainTime = Duration.seconds(5)
    }

    static let callsSection = Section(
        "calls", "Calls between people. How many somebody may begin is `rate_limits.calls.calls`.",
        [
            Key(
                "calls.ring_time", \.calls.ringTime, .duration(.seconds(5) ... .minutes(10)),
                "How long devices ring before a call is missed."),
            Key(
                "calls.resume_grace", \.calls.resumeGrace, .duration(.seconds(5) ... .minutes(10)),
                "How long the place of somebody whose connection was lost is kept; also how long the signaling socket "
                    + "may take to open after joining over REST."),
            Key(
                "calls.empty_grace", \.calls.emptyGrace, .duration(.seconds(1) ... .hours(1)),
                "How long a group's call that everybody has left waits for somebody to come back."),
            Key(
                "calls.max_participants", \.calls.maxParticipants, .integer(2...1_000),
                "People in one call, those who have left included."),
            Key(
                "calls.max_live", \.calls.maxLive, .integer(1...1_000_000),
                "Calls at one time; further ones are answered 503."),
            Key(
                "calls.signaling_token_lifetime", \.calls.signalingTokenLifetime,
                .duration(.seconds(30) ... .hours(1)),
                "How long the token that comes with a call opens its signaling socket."),
            Key(
                "calls.relays", \.calls.relays, .list(of: .iceServer),
                "TURN servers that clients in calls are told of, with time-limited credentials, and STUN servers, "
                    + "without; those of `media.ice_servers` that are STUN are told, too."),
            Key(
                "calls.relay_secret", \.calls.relaySecret, .optional(.secret),
                "What the relays' credentials are made with: coturn's `static-auth-secret` (with `use-auth-secret`), "
                    + "the same for all of them."),
            Key(
                "calls.relay_credential_lifetime", \.calls.relayCredentialLifetime,
                .duration(.minutes(5) ... .hours(48)),
                "How long they are good for. A relay looks at the time again when it is refreshed: choose more than a "
                    + "long call takes."),
            Key(
                "calls.probe_relays", \.calls.probeRelays, .flag,
                "Look now and then whether those servers answer, our own relay too, and leave out who does not."),
            Key(
                "calls.relay_probe_interval", \.calls.relayProbeInterval, .duration(.seconds(5) ... .hours(1)),
                "Between the end of one round of that and the next."),
            Key(
                "calls.presence_lease", \.calls.presenceLease, .duration(.seconds(10) ... .minutes(15)),
                "How long somebody counts as there after a device of theirs was last heard of."),
            Key(
                "calls.reconnect_url", \.calls.reconnectURL, .optional(.baseURL),
                "Where clients of signaling sockets are sent when this server stops. Unset: they are told that it stops."
            ),
            Key(
                "calls.drain_time", \.calls.drainTime, .duration(.zero ... .minutes(5)),
                "How long calls go on after that, while clients go there; without `calls.reconnect_url`, not at all."),
        ])
}
