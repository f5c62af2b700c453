// limits, rate_limits: how much one client may ask for.

import Base

extension Configuration {
    package struct Limits: Sendable {
        package var jsonDepth = 32
        package var jsonValues = 100_000
    }

    static let limitsSection = Section(
        "limits", "Bounds on a single request, beside `server.body_limit`.",
        [
            Key("limits.json_depth", \.limits.jsonDepth, .integer(4...128), "Nesting of a JSON body."),
            Key(
                "limits.json_values", \.limits.jsonValues, .integer(100...10_000_000),
                "Values in a JSON body, counted together."),
        ])

    package struct RateLimits: Sendable {
        package struct Tiers: Sendable {
            package var anonymous = Rate(10, per: .minutes(1))
            package var user = Rate(60, per: .minutes(1))
            package var premium = Rate(600, per: .minutes(1))
            package var admin = Rate(120, per: .minutes(1))
            package var node = Rate(6_000, per: .minutes(1))
        }

        package struct Reference: Sendable {
            package var auth = Rate(10, per: .minutes(1))
            package var messages = Rate(100, per: .minutes(1))
            package var upload = Rate(20, per: .minutes(1))
            package var search = Rate(50, per: .minutes(1))
            package var admin = Rate(200, per: .minutes(1))
        }

        package struct Design: Sendable {
            package var auth = Rate(5, per: .minutes(1))
            package var api = Rate(1_000, per: .hours(1))
            package var upload = Rate(10, per: .minutes(1))
            package var socketMessages = Rate(100, per: .minutes(1))
        }

        package struct Rooms: Sendable {
            package var api = Rate(60, per: .minutes(1))
            package var upload = Rate(10, per: .hours(1))
        }

        package struct Calls: Sendable {
            package var messages = Rate(60, per: .minutes(1))
            package var calls = Rate(10, per: .hours(1))
        }

        package struct Media: Sendable {
            package var sessions = Rate(60, per: .minutes(1))
            package var updates = Rate(600, per: .minutes(1))
        }

        package struct Load: Sendable {
            package var cpuPercent = 80
            package var memoryPercent = 90
            package var factor = 0.5
        }

        package var scale = 1.0
        package var unrouted = Rate(300, per: .minutes(1))
        package var tiers = Tiers()
        package var reference = Reference()
        package var design = Design()
        package var rooms = Rooms()
        package var calls = Calls()
        package var media = Media()
        package var load = Load()
    }

    static let rateLimitsSection = Section(
        "rate_limits",
        "How often clients may ask. Each API dialect has the limits that its own document states; more is answered 429.",
        rateKeys + tierKeys + referenceRateKeys + designRateKeys + roomsRateKeys + callsRateKeys + mediaRateKeys
            + loadKeys)

    private static let rateKeys = [
        Key(
            "rate_limits.scale", \.rateLimits.scale, .number(0...1_000),
            "Multiplies every rate below; the quick way to be more generous, or stricter. 0 turns them off."),
        Key(
            "rate_limits.unrouted", \.rateLimits.unrouted, .rate,
            "Requests that no route answers (404, 405, 501), by client address, all APIs together."),
    ]

    private static let tierKeys = [
        Key(
            "rate_limits.tiers.anonymous", \.rateLimits.tiers.anonymous, .rate,
            "Without a login, by client address."),
        Key("rate_limits.tiers.user", \.rateLimits.tiers.user, .rate, "For a user."),
        Key("rate_limits.tiers.premium", \.rateLimits.tiers.premium, .rate, "For a trusted or paying user."),
        Key("rate_limits.tiers.admin", \.rateLimits.tiers.admin, .rate, "For an administrator."),
        Key("rate_limits.tiers.node", \.rateLimits.tiers.node, .rate, "For a cluster node, whose heartbeats are many."),
    ]

    private static let referenceRateKeys = [
        Key(
            "rate_limits.reference.auth", \.rateLimits.reference.auth, .rate,
            "Logins and the like under `/api/v1/auth`, by client address."),
        Key("rate_limits.reference.messages", \.rateLimits.reference.messages, .rate, "Messages under `/api/v1`."),
        Key("rate_limits.reference.upload", \.rateLimits.reference.upload, .rate, "Uploads under `/api/v1`."),
        Key("rate_limits.reference.search", \.rateLimits.reference.search, .rate, "Searches under `/api/v1`."),
        Key(
            "rate_limits.reference.admin", \.rateLimits.reference.admin, .rate, "Administration under `/api/v1/admin`."),
    ]

    private static let designRateKeys = [
        Key("rate_limits.design.auth", \.rateLimits.design.auth, .rate, "Logins under `/v1/auth`, by client address."),
        Key("rate_limits.design.api", \.rateLimits.design.api, .rate, "All requests of a user under `/v1`."),
        Key("rate_limits.design.upload", \.rateLimits.design.upload, .rate, "Uploads under `/v1`."),
        Key(
            "rate_limits.design.socket_messages", \.rateLimits.design.socketMessages, .rate,
            "Messages that a user sends under `/v1`, and over each of their chat sockets."),
    ]

    private static let roomsRateKeys = [
        Key("rate_limits.rooms.api", \.rateLimits.rooms.api, .rate, "All requests of a user to the rooms' API."),
        Key("rate_limits.rooms.upload", \.rateLimits.rooms.upload, .rate, "Uploads through the rooms' API."),
    ]

    private static let callsRateKeys = [
        Key("rate_limits.calls.messages", \.rateLimits.calls.messages, .rate, "Messages sent through the calls' API."),
        Key("rate_limits.calls.calls", \.rateLimits.calls.calls, .rate, "Calls that a user begins, all APIs together."),
    ]

    private static let mediaRateKeys = [
        Key(
            "rate_limits.media.sessions", \.rateLimits.media.sessions, .rate,
            "Sessions that a user begins by WHIP and WHEP."),
        Key(
            "rate_limits.media.updates", \.rateLimits.media.updates, .rate,
            "Candidates, restarts and ends of such sessions, by user."),
    ]

    private static let loadKeys = [
        Key(
            "rate_limits.load.cpu_percent", \.rateLimits.load.cpuPercent, .integer(1...100),
            "Above this share of all cores the limits fall."),
        Key(
            "rate_limits.load.memory_percent", \.rateLimits.load.memoryPercent, .integer(1...100),
            "Above this share of the machine's memory the limits fall."),
        Key(
            "rate_limits.load.factor", \.rateLimits.load.factor, .number(0.01...1),
            "What the limits are multiplied by then; 1 leaves them alone."),
    ]
}
