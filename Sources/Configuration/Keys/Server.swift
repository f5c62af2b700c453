// server, tls: how clients come in.

import Base
package import Wire

extension Configuration {
    package struct Server: Sendable {
        package var listen = [ListenAddress.internet(IPAddress(v4: 0x7F00_0001), port: 8000)]
        package var publicURL: String?
        package var nodeID: String?
        package var shards = 0
        package var drainTimeout = Duration.seconds(20)
        package var trustedProxies: [IPNetwork] = []
        package var maxConnections = 20_000
        package var maxConnectionsPerAddress = 1_024
        package var backlog = 4_096
        package var headerTimeout = Duration.seconds(10)
        package var bodyRate = 1 << 10
        package var writeTimeout = Duration.seconds(30)
        package var idleTimeout = Duration.seconds(75)
        package var headerLimit = 32 << 10
        package var bodyLimit = 1 << 20
        package var compression = true
        package var compressionMinSize = 1 << 10
        package var compressionLevel = 4
    }

    static let serverSection = Section(
        "server", "The listening sockets and what a connection may take.",
        [
            Key(
                "server.listen", \.server.listen, .list(of: .address, atLeast: 1),
                "Where to listen for HTTP and WebSocket. Sockets handed over by systemd take the place of this list."),
            Key(
                "server.public_url", \.server.publicURL, .optional(.baseURL),
                "The URL under which clients reach the server: it goes into links and e-mails. Unset: made from the "
                    + "first address of `server.listen`."),
            Key(
                "server.node_id", \.server.nodeID, .optional(.text(1...64)),
                "The name of this server among those on one database; no two may share it. Unset: a random one, kept in "
                    + "the data folder (`node.id`). Set it where the folder does not outlive a restart."),
            Key(
                "server.shards", \.server.shards, .integer(0...256),
                "Threads that serve connections; 0 means one per core."),
            Key(
                "server.drain_timeout", \.server.drainTimeout, .duration(.zero ... .minutes(10)),
                "After a stop was asked for, how long requests in progress may take before they are cut off."),
            Key(
                "server.trusted_proxies", \.server.trustedProxies, .list(of: .addressRange),
                "Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."),
            Key(
                "server.max_connections", \.server.maxConnections, .integer(1...1_000_000),
                "Open connections at one time; further ones are closed as they come. Each needs a descriptor."),
            Key(
                "server.max_connections_per_address", \.server.maxConnectionsPerAddress, .integer(1...1_000_000),
                "Open connections from one client address (one /64 in IPv6); trusted proxies are not counted."),
            Key(
                "server.backlog", \.server.backlog, .integer(1...65_535),
                "Connections that the kernel holds for us until they are accepted."),
            Key(
                "server.header_timeout", \.server.headerTimeout, .duration(.seconds(1) ... .minutes(5)),
                "From the first byte of a request to the end of its headers."),
            Key(
                "server.body_rate", \.server.bodyRate, .size(1...(1 << 30)),
                "Bytes per second that a client must send of a body at least; less is answered 408."),
            Key(
                "server.write_timeout", \.server.writeTimeout, .duration(.seconds(1) ... .minutes(60)),
                "The longest time in which a client may take nothing of its answer."),
            Key(
                "server.idle_timeout", \.server.idleTimeout, .duration(.seconds(1) ... .hours(24)),
                "How long a connection is kept open without a request."),
            Key(
                "server.header_limit", \.server.headerLimit, .size((1 << 10)...(1 << 20)),
                "All headers of a request together; more is answered 431."),
            Key(
                "server.body_limit", \.server.bodyLimit, .size((1 << 10)...(1 << 30)),
                "The body of a JSON request; more is answered 413."),
            Key(
                "server.compression", \.server.compression, .flag,
                "Compress answers with gzip where the client takes it and the content gains."),
            Key(
                "server.compression_min_size", \.server.compressionMinSize, .size(0...(1 << 20)),
                "Smaller answers are not compressed."),
            Key(
                "server.compression_level", \.server.compressionLevel, .integer(1...9),
                "From 1, fast, to 9, small."),
        ])

    package struct TLS: Sendable {
        package enum Version: String, Sendable, CaseIterable { case v1_2 = "1.2", v1_3 = "1.3" }

        package var certificate: String?
        package var key: String?
        package var minVersion = Version.v1_2
        package var handshakeTimeout = Duration.seconds(10)
        package var reloadInterval = Duration.minutes(1)
    }

    static let tlsSection = Section(
        "tls", "Encryption of the listening sockets. Without a certificate they speak plain HTTP.",
        [
            Key(
                "tls.certificate", \.tls.certificate, .optional(.path),
                "PEM file with the certificate and its chain, the server's own first."),
            Key("tls.key", \.tls.key, .optional(.path), "PEM file with the private key."),
            Key("tls.min_version", \.tls.minVersion, .choice, "The oldest version of TLS that is spoken."),
            Key(
                "tls.handshake_timeout", \.tls.handshakeTimeout, .duration(.seconds(1) ... .minutes(1)),
                "How long a handshake may take."),
            Key(
                "tls.reload_interval", \.tls.reloadInterval, .duration(.seconds(1) ... .hours(24)),
                "How often the two files are looked at for a new certificate; a SIGHUP does it at once."),
        ])
}
