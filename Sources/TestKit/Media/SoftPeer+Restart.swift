// What a soft peer says after its offer: fragments with candidates, ICE restarts (RFC 8840), and goodbye.

package import Base
import Crypto
import Media
package import Wire

extension SoftPeer {
    /// A candidate of the peer, as WHIP's PATCH carries it; with other credentials than the offer's it asks for a
    /// restart.
    package func fragment(with fresh: ICECredentials? = nil) -> String {
        let credentials = fresh ?? credentials
        let password = credentials.exposedPassword
        return [
            "a=group:BUNDLE " + sections.indices.map { "\($0)" }.joined(separator: " "),
            "a=ice-ufrag:\(credentials.ufrag)", "a=ice-pwd:\(password)",
            "m=\(sections[0].kind.rawValue) 9 UDP/TLS/RTP/SAVPF 0", "a=mid:0",
            "a=candidate:1 1 udp 2130706431 192.0.2.77 50000 typ host", "a=end-of-candidates", "",
        ].joined(separator: "\r\n")
    }

    /// Goes on with new credentials on both sides; the association and the keys stay.
    package func restart(with fresh: ICECredentials, answer text: String, now: Instant) throws {
        let answer = try TrickleFragment(parsing: Bytes(text.utf8))
        let remote = try ICECredentials(ufrag: answer.effectiveUfrag ?? "", password: answer.effectivePassword ?? "")
        ice?.restart(local: fresh, remote: remote, now: now)
    }

    package var hasValidPath: Bool { ice?.isConnected == true }
}

extension SoftPeer {
    /// Says close_notify, as a page that is closed does.
    package func leave() {
        handshake.close()
        while let datagram = handshake.takeDatagram() { push(datagram) }
    }
}
