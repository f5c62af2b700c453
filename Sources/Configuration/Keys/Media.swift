// media: calls, and the UDP ports that they come in by.

import Base
package import Wire

extension Configuration {
    package struct Media: Sendable {
        package var enabled = true
        package var addresses: [IPAddress] = []
        package var port = 20_000
        package var advertised: [IPAddress] = []
        package var shards = 0
        package var maxSessions = 10_000
        package var maxSessionsPerRoom = 1_000
        package var subscriberBitrateMax = 50_000_000
        package var publisherBitrateMax = 8_000_000
        package var iceServers: [String] = []
    }

    static let mediaSection = Section(
        "media", "Calls: audio and video over UDP, negotiated by WHIP and WHEP.",
        [
            Key(
                "media.enabled", \.media.enabled, .flag,
                "Take part in calls. Without, no UDP port is opened and joining answers 503."),
            Key(
                "media.addresses", \.media.addresses, .list(of: .ipAddress),
                "Addresses of this machine to receive media at; `0.0.0.0` and `::` stand for all of their family. Empty: "
                    + "those of all interfaces, link-local ones left out; 127.0.0.1 or ::1 alone when `server.listen` has "
                    + "nothing else."),
            Key(
                "media.port", \.media.port, .integer(0...65_535),
                "The UDP port of the first media thread; each further one has the next. Open `media.shards` ports from "
                    + "here on in the firewall. 0: the kernel chooses. The default lies below the ports that the kernel "
                    + "gives to others."),
            Key(
                "media.advertised", \.media.advertised, .list(of: .ipAddress),
                "Addresses to tell clients instead of the sockets' own, behind a 1:1 NAT that keeps ports (cloud "
                    + "machines, containers)."),
            Key(
                "media.shards", \.media.shards, .integer(0...256),
                "Threads that carry media, among those of `server.shards`; 0 means all of them. More than there are is "
                    + "as many as there are."),
            Key(
                "media.max_sessions", \.media.maxSessions, .integer(1...1_000_000),
                "Peer connections at one time; further ones are answered 503. Each costs about 100 KiB."),
            Key(
                "media.max_sessions_per_room", \.media.maxSessionsPerRoom, .integer(1...100_000),
                "The same for one room, which lives on one thread."),
            Key(
                "media.subscriber_bitrate_max", \.media.subscriberBitrateMax, .integer(100_000...10_000_000_000),
                "Bits per second that one subscriber is sent at most, whatever its network could carry."),
            Key(
                "media.publisher_bitrate_max", \.media.publisherBitrateMax, .integer(50_000...1_000_000_000),
                "Bits per second that one publisher is asked to stay below."),
            Key(
                "media.ice_servers", \.media.iceServers, .list(of: .iceServer),
                "STUN and TURN servers that WHIP and WHEP clients are told of, without credentials."),
        ])
}
