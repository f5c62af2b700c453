// What the rows of WHIP and WHEP may use.

package import Media

package struct MediaAccess: Sendable {
    package let service: MediaService
    /// STUN and TURN servers that clients are told of.
    package let iceServers: [String]

    package init(service: MediaService, iceServers: [String] = []) {
        self.service = service
        self.iceServers = iceServers
    }
}
