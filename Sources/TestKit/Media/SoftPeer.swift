// A WebRTC client without a browser: offers, checks paths, shakes hands, sends and receives media. Sans-IO: datagrams
// and the time in, datagrams out. For engine tests over SimNet and for the load generator over sockets.

package import Base
package import Crypto
import Media
package import Wire

package final class SoftPeer {
    /// One section of the offer.
    package struct Section: Sendable {
        package enum Kind: String, Sendable { case audio, video, application }
        package let kind: Kind
        /// Of no meaning for `application`.
        package var direction: SDPDirection
        /// Identifiers of simulcast layers; empty without simulcast.
        package let rids: [String]

        package init(_ kind: Kind, _ direction: SDPDirection, rids: [String] = []) {
            self.kind = kind
            self.direction = direction
            self.rids = rids
        }
    }

    package enum Phase: Sendable {
        case new, checking, handshaking, connected, failed
        /// The other side said goodbye.
        case closed
    }

    package internal(set) var sections: [Section]
    /// What the later course of the negotiation made of each section (`SoftPeer+Negotiation`).
    var places: [Place]
    package internal(set) var remoteDescription: SessionDescription?
    /// Data channels, when there is a section for them.
    package internal(set) var data: SoftData?
    package internal(set) var phase = Phase.new
    package internal(set) var remoteAddress: TransportAddress?
    /// Where the other side takes TCP connections.
    package internal(set) var remoteConnectionAddress: TransportAddress?
    /// What is to be sent, in order.
    package internal(set) var outgoing: [Bytes] = []
    /// Streams that we receive, by SSRC.
    package internal(set) var streams: [SSRC: ReceivedStream] = [:]
    /// Requests for a keyframe that came.
    package internal(set) var keyframeRequests = 0
    /// By the stream that they were for.
    package var keyframesWanted: [SSRC: Int] = [:]
    package internal(set) var nacksReceived = 0
    /// The last sender report of each stream that we receive.
    package internal(set) var senderReports: [SSRC: RTCPSenderInfo] = [:]
    /// Each media packet as it was decrypted.
    package var onPacket: ((RTPHeader, Bytes) -> Void)?
    package var answersRetransmission = true
    package var sendsTransportFeedback = true
    /// Without it the offer says nothing of transport-wide reports, and the server learns nothing of the network.
    package var offersTransportFeedback = true
    /// Packets say when they left, and no transport-wide numbers: a publisher that adapts to REMB.
    package var stampsSendTimes = false
    /// What the server said that our path carries (REMB), in order.
    package internal(set) var limitsReceived: [UInt64] = []
    /// Answers to reference times.
    package internal(set) var referenceDelays: [RTCPExtendedReport.Delay] = []

    let identity: DTLSIdentity
    var credentials: ICECredentials
    var remoteUfrag: String?
    let handshake: DTLSSession
    var ice: ICEControllingPeer?
    var remoteFingerprints: [DTLSFingerprint] = []
    var sender: SRTPSender?
    var receiver: SRTPReceiver?
    var windows: [SSRC: SRTPReplayWindow] = [:]
    var reportWindow = SRTPReplayWindow()
    var random: SplitMix
    let ssrcBase: SSRC
    var transportSequence: UInt16 = 1
    /// Of the packet being sent, as `absoluteSendTime` has it.
    var sendTime: UInt32 = 0
    var sentPackets: [SSRC: [SequenceNumber: Bytes]] = [:]
    /// The newest packet of each stream, over the wraps of its numbers.
    var sendIndexes: [SSRC: ExtendedSequence] = [:]
    var rtxSequence: [SSRC: ExtendedSequence] = [:]
    var feedback = TransportFeedbackRecorder()
    /// Transport-wide reports about what we send.
    package internal(set) var feedbackReceived = 0
    package internal(set) var senderReportsReceived = 0
    /// Packets that could not be decrypted.
    package internal(set) var unreadable = 0

    package struct ReceivedStream: Sendable {
        package var packets = 0
        package var bytes = 0
        package var duplicates = 0
        package var retransmissions = 0
        package var sequences: Set<SequenceNumber> = []
        package var highest: SequenceNumber = 0
        package var markers = 0
    }

    package init(_ sections: [Section], identity: DTLSIdentity, seed: UInt64) throws(CryptoError) {
        self.sections = sections
        places = sections.indices.map { Place(mid: "\($0)") }
        self.identity = identity
        var random = SplitMix(seed: seed)
        credentials = ICECredentials(
            randomBytes: (0..<ICECredentials.randomByteCount).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        handshake = try DTLSSession(.client, identity)
        ssrcBase = SSRC(truncatingIfNeeded: random.next()) & 0x7FFF_FF00
        self.random = random
        if sections.contains(where: { $0.kind == .application }) { data = SoftData(seed: seed) }
    }

    // MARK: Description

    package static let opus: UInt8 = 111
    package static let vp8: UInt8 = 96
    package static let rtx: UInt8 = 97
    static let transportExtension: UInt8 = 3

    package func ssrc(_ section: Int) -> SSRC { ssrcBase + SSRC(section) * 2 + 1 }

    package func offer() -> String { description(setup: "actpass") { sections[$0].direction } }

    func describe(_ index: Int, setup: String, _ direction: SDPDirection) -> [String] {
        let section = sections[index]
        let isVideo = section.kind == .video
        let (isStopped, mid) = (places[index].isStopped, places[index].mid)
        let transport = [
            "c=IN IP4 0.0.0.0", "a=mid:\(mid)", "a=ice-ufrag:\(credentials.ufrag)",
            "a=ice-pwd:\(credentials.exposedPassword)",
            "a=ice-options:trickle", "a=fingerprint:\(identity.fingerprints[0])", "a=setup:\(setup)",
        ]
        let port = isStopped ? 0 : 9
        guard section.kind != .application else {
            return ["m=application \(port) UDP/DTLS/SCTP webrtc-datachannel"] + transport
                + ["a=sctp-port:5000", "a=max-message-size:262144"]
        }
        let types = isVideo ? "\(Self.vp8) \(Self.rtx)" : "\(Self.opus)"
        var lines = ["m=\(section.kind.rawValue) \(port) UDP/TLS/RTP/SAVPF \(types)"] + transport
        lines += [
            "a=rtcp-mux", "a=rtcp-rsize", "a=\(direction.rawValue)",
            "a=extmap:\(Self.transportExtension) "
                + (stampsSendTimes ? RTPExtensionKind.absoluteSendTime : .transportSequenceNumber).uri,
        ]
        lines += isVideo ? videoCodec : ["a=rtpmap:\(Self.opus) opus/48000/2"]
        if stampsSendTimes {
            if isVideo { lines += ["a=rtcp-fb:\(Self.vp8) goog-remb"] }
        } else if offersTransportFeedback {
            lines += ["a=rtcp-fb:\(isVideo ? Self.vp8 : Self.opus) transport-cc"]
        }
        lines += describeLayers(section)
        if direction.sends, section.rids.isEmpty {
            lines += ["a=msid:stream track\(index)"]
            if isVideo { lines += ["a=ssrc-group:FID \(ssrc(index)) \(ssrc(index) + 1)"] }
            lines += ["a=ssrc:\(ssrc(index)) cname:soft"]
            if isVideo { lines += ["a=ssrc:\(ssrc(index) + 1) cname:soft"] }
        }
        return lines
    }

    private var videoCodec: [String] {
        [
            "a=rtpmap:\(Self.vp8) VP8/90000", "a=rtcp-fb:\(Self.vp8) nack", "a=rtcp-fb:\(Self.vp8) nack pli",
            "a=rtcp-fb:\(Self.vp8) ccm fir", "a=rtpmap:\(Self.rtx) rtx/90000", "a=fmtp:\(Self.rtx) apt=\(Self.vp8)",
        ]
    }

    package func accept(answer text: String, now: Instant) throws {
        try adopt(try SessionDescription(parsing: Bytes(text.utf8)), isOffer: false, now: now)
    }

    /// Takes what a description of the other side says of the transport; checks begin anew with new credentials.
    func adopt(_ remoteDescription: SessionDescription, isOffer: Bool, now: Instant) throws {
        self.remoteDescription = remoteDescription
        guard let first = remoteDescription.media.first(where: { $0.port != 0 }) else {
            throw WireError.invalid("all rejected")
        }
        let transport = remoteDescription.transport(of: first)
        let remote = try ICECredentials(ufrag: transport.ufrag ?? "", password: transport.password ?? "")
        guard ice == nil else { return restart(with: remote, isOffer: isOffer, now: now) }
        remoteUfrag = remote.ufrag
        remoteFingerprints = transport.fingerprints.compactMap {
            DTLSFingerprint(algorithm: $0.hash.rawValue, value: $0.text)
        }
        for line in first.candidates {
            guard let candidate = try? ICECandidate(parsing: line), case .address(let ip) = candidate.host else {
                continue
            }
            // The first of each kind is the preferred one.
            let address = TransportAddress(ip, candidate.port)
            switch candidate.transport {
            case .udp: remoteAddress = remoteAddress ?? address
            case .tcp(.passive): remoteConnectionAddress = remoteConnectionAddress ?? address
            case .tcp: break
            }
        }
        ice = ICEControllingPeer(local: credentials, remote: remote, seed: random.next(), now: now)
        phase = .checking
    }
}
