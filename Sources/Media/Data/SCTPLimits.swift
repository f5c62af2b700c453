// The bounds and times of an SCTP association, in one place. docs/media/data-channels.md repeats them for operators.

import Base

/// What an association is made with. The defaults fit a WebRTC peer.
package struct SCTPConfiguration: Sendable {
    /// `a=sctp-port`; both browsers use 5000 on either side.
    package var localPort: UInt16 = 5_000
    package var remotePort: UInt16 = 5_000

    /// The largest packet that we send: 1,200 bytes of UDP payload, which pass nearly everywhere, less the 65 bytes that
    /// the largest record of DTLS 1.2 adds (13 header, 16 vector, 20 MAC, 16 padding), in whole words. Higher risks
    /// packets that vanish, for there is no path MTU discovery; lower costs throughput.
    package var largestPacket = 1_132

    /// `a=max-message-size` that we offer, and thereby the most that one message occupies while it is put together. A
    /// longer one ends the association. Browsers send up to 256 KiB to everybody; higher costs memory per participant.
    package var longestReceived = 262_144

    /// The peer's `a=max-message-size`. Longer messages are refused when they are sent.
    package var longestSent = 262_144

    /// Bytes that wait to be sent or acknowledged, with `SCTPLimits.perMessage` for each message. More is refused.
    /// Higher lets a slow peer hold more of our memory; lower than a message or two stalls big messages.
    package var sendBuffer = 1_048_576

    /// Bytes that were received and not yet taken: the window that we offer. What exceeds it is dropped and sent again.
    package var receiveBuffer = 1_048_576

    package init() {}
}

package enum SCTPLimits {
    /// Streams each way, so channels have numbers below this. RFC 8831 §6.2 asks for 65,535; a browser that is told less
    /// uses less, and every stream costs four bytes once one is used.
    package static let streams = 1_024

    /// How far a TSN may lie beyond the first missing one. The map takes 2 KiB; a chunk further out is dropped and sent
    /// again. Lower would throttle many small messages after a loss.
    package static let trackedTSNs: UInt32 = 16_384

    /// What a message counts in a buffer besides its bytes, so that empty messages cannot fill memory for free.
    package static let perMessage = 96

    /// Blocks in a SACK that we send. More gaps than this are told by later SACKs.
    package static let gapBlocks = 64

    /// Duplicates in a SACK; they only inform.
    package static let duplicates = 16

    /// Bytes of control chunks that wait for a packet. A chunk that finds no room is dropped: all are sent again or are
    /// answers to what will be sent again.
    package static let controlBytes = 4_096

    /// INIT ACKs and ABORTs that wait; they need packets of their own. An INIT beyond this is not answered.
    package static let ownPackets = 4

    /// An INIT is answered with at most this much of what it had that we do not know.
    package static let reportedParameterBytes = 256

    /// Opaque data of a HEARTBEAT that is sent back; a longer one is not answered.
    package static let heartbeatInfo = 512

    /// Streams in one request to reset; the rest follow in the next.
    package static let streamsPerReset = 200

    /// Streams in a FORWARD TSN; what does not fit follows with the next.
    package static let skippedStreams = 200

    /// Tries of INIT and of COOKIE ECHO (RFC 9260: Max.Init.Retransmits).
    package static let handshakeTries = 8

    /// Timeouts in a row until the peer counts as gone (Association.Max.Retrans). With the times below that is about a
    /// minute; ICE consent notices sooner.
    package static let timeouts = 10

    /// A cookie that is older is refused (Valid.Cookie.Life).
    package static let cookieLife = Duration.seconds(60)

    /// RTO.Initial, RTO.Min and RTO.Max. The minimum is above the peer's delay of acknowledgements, the maximum far below
    /// the RFC's 60 s: after an outage of the network a chat should not wait a minute.
    package static let firstTimeout = Duration.milliseconds(1_000)
    package static let shortestTimeout = Duration.milliseconds(400)
    package static let longestTimeout = Duration.seconds(10)

    /// How long a SACK waits for data to travel with, or for a second packet.
    package static let ackDelay = Duration.milliseconds(100)

    /// HB.interval: how long an association is silent before it asks whether the peer is there.
    package static let heartbeatInterval = Duration.seconds(30)

    /// The congestion window at the start, in packets. RFC 9260 says about 4; RFC 6928 showed that ten do no harm.
    package static let initialWindowPackets = 10

    /// Reports of a chunk as missing until it is sent again.
    package static let missingReports: UInt8 = 3
}
