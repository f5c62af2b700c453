// `plexichat turn`: a relay of its own, and a look at anybody's.

extension Command {
    static func turn(_ bodies: CommandBodies) -> Command {
        Command(
            "turn", "Run a STUN and TURN relay without a server beside it.",
            discussion: """
                It runs in the foreground until SIGTERM or SIGINT, then waits for its allocations to end. SIGHUP reads the
                secrets and the certificate again. Clients' passwords are made from the secret, as coturn's with
                `use-auth-secret`: the same as calls.relay_secret of the servers that hand them out.
                docs/operate/relay.md tells more.
                """,
            options: turnOptions, commands: [turnDoctor(bodies.turnDoctor)], run: bodies.turn)
    }

    private static let turnOptions = [
        CommandOption(
            "listen", letter: "l", value: "ADDR:PORT", isRepeatable: true,
            "Where to listen on UDP and TCP, and for DTLS beside UDP. Each an address of this machine: answers must come "
                + "from the one that was asked."),
        CommandOption("listen-tls", value: "ADDR:PORT", isRepeatable: true, "Where to listen for TLS."),
        CommandOption(
            "certificate", value: "FILE", "PEM file of the certificate and its chain, for TLS and DTLS.",
            completion: .file),
        CommandOption("key", value: "FILE", "PEM file of its private key.", completion: .file),
        CommandOption(
            "secret-file", value: "FILE", isRepeatable: true,
            "File whose first line is the secret. A second one is the secret before, while it is being replaced.",
            completion: .file),
        CommandOption(
            "relay-address", value: "ADDR", isRepeatable: true,
            "Addresses to relay from. Without: those of --listen."),
        CommandOption(
            "advertise", value: "ADDR", isRepeatable: true,
            "Addresses to tell clients instead, behind a 1:1 NAT that keeps ports."),
        CommandOption("ports", value: "FIRST-LAST", "UDP and TCP ports to relay from: 49152-65535."),
        CommandOption("realm", value: "NAME", "What clients are shown: plexichat."),
        CommandOption(
            "peer", value: "ADDR:PORT[-PORT]", isRepeatable: true,
            "Whom clients may reach: media sockets of PlexiChat servers."),
        CommandOption(
            "open", "Let clients reach everybody on the Internet instead, addresses of special purpose excepted."),
        CommandOption("allow", value: "ADDR/BITS", isRepeatable: true, "With --open: these in spite of their purpose."),
        CommandOption("deny", value: "ADDR/BITS", isRepeatable: true, "Nobody there, whatever else allows it."),
        CommandOption(
            "old-channels",
            "Take numbers from before RFC 8656: channels up to 0x7ffe, and an additional family as its drafts had it "
                + "(coturn's test client says both)."),
        CommandOption("allocations", value: "COUNT", "Allocations at one time: 4096 for each shard."),
        CommandOption("allocations-per-user", value: "COUNT", "The same of one name: 24."),
        CommandOption(
            "bandwidth", value: "BYTES", "Bytes a second that one allocation may relay: 2500000; 0 is without a bound."),
        CommandOption("metrics", value: "ADDR:PORT", "Where Prometheus finds /metrics, and whoever asks /healthz."),
        CommandOption("shards", value: "COUNT", "Threads; without, one for each core."),
        CommandOption("drain", value: "DURATION", "How long allocations may go on after SIGTERM: 30s."),
        CommandOption("log", value: "LEVEL", "The least important lines that are written: info."),
    ]

    private static func turnDoctor(_ body: @escaping Body) -> Command {
        Command(
            "doctor", "Say which hop of a STUN or TURN server fails.",
            discussion: """
                It looks up the name, speaks with the server, checks its certificate, allocates, asks for a permission and
                sends an echo through the relay to itself. Exit code 0 when all is well, 1 when something is not.

                Credentials come from --secret-file (a name for the next minutes is made), or from the variables TURN_USERNAME
                and TURN_PASSWORD; a password that is missing is asked for. They are never arguments.
                """,
            options: [
                CommandOption(
                    "secret-file", value: "FILE", "File whose first line is the relay's secret.", completion: .file),
                CommandOption("username", letter: "u", value: "NAME", "Instead of TURN_USERNAME."),
                CommandOption(
                    "authorities", value: "FILE", "PEM file of authorities to trust instead of the system's.",
                    completion: .file),
                CommandOption("any-certificate", "Do not look at the certificate."),
                CommandOption(
                    "peer", value: "ADDR:PORT",
                    "Ask for a permission for this peer, and for no echo: what a relay of "
                        + "PlexiChat's may reach is its media sockets."),
                CommandOption("timeout", value: "DURATION", "For each hop: 8s."),
            ],
            arguments: [
                CommandArgument("URL", "stun:HOST[:PORT], turn:HOST[:PORT][?transport=udp|tcp] or turns:…")
            ], run: body)
    }
}
