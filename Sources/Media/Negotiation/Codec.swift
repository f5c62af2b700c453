// The codecs that are negotiated, and what is agreed about one of them in one section.

import Wire

package enum MediaKind: UInt8, Equatable, Sendable { case audio, video, data }

/// Codecs by name. `ulpfec` and `flexfec` are known so that they can be refused: a forwarder that drops layers would
/// have to make new repair packets, and losses are repaired by retransmission.
package enum Codec: UInt8, Equatable, Sendable, CaseIterable {
    case opus, red, pcmu, pcma, telephoneEvent, comfortNoise
    case vp8, vp9, h264, h265, av1
    case rtx, ulpfec, flexfec

    /// The encoding name of `a=rtpmap`.
    package var name: String {
        switch self {
        case .opus: "opus"
        case .red: "red"
        case .pcmu: "PCMU"
        case .pcma: "PCMA"
        case .telephoneEvent: "telephone-event"
        case .comfortNoise: "CN"
        case .vp8: "VP8"
        case .vp9: "VP9"
        case .h264: "H264"
        case .h265: "H265"
        case .av1: "AV1"
        case .rtx: "rtx"
        case .ulpfec: "ulpfec"
        case .flexfec: "flexfec-03"
        }
    }

    /// By its encoding name, whatever the case. `nil` for what we do not have, and for companions: nobody can ask for
    /// repair packets instead of a codec.
    package init?(preferred name: String) {
        let found = Codec.allCases.first { !$0.isCompanion && asciiEqualIgnoringCase($0.name, name) }
        guard let found else { return nil }
        self = found
    }

    /// Of those that exist at one rate alone.
    var clockRate: UInt32 {
        switch self {
        case .opus, .red: 48_000
        case .pcmu, .pcma, .telephoneEvent, .comfortNoise: 8_000
        default: 90_000
        }
    }

    /// Travels beside another codec of the section and is of no use alone.
    package var isCompanion: Bool {
        switch self {
        case .red, .telephoneEvent, .comfortNoise, .rtx, .ulpfec, .flexfec: true
        default: false
        }
    }

    package var isVideo: Bool {
        switch self {
        case .vp8, .vp9, .h264, .h265, .av1: true
        default: false
        }
    }
}

/// Kinds of RTCP feedback (`a=rtcp-fb`) that a receiver may send.
package struct FeedbackSet: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let nack = FeedbackSet(rawValue: 1)
    package static let pli = FeedbackSet(rawValue: 2)
    package static let fir = FeedbackSet(rawValue: 4)
    package static let remb = FeedbackSet(rawValue: 8)
    package static let transportCC = FeedbackSet(rawValue: 16)
    /// Receiver reference times: a peer that only receives learns its round trip. Agreed to where the peer asks for it;
    /// ours come from sender reports, so we do not ask.
    package static let rrtr = FeedbackSet(rawValue: 32)

    /// In the order in which browsers write them.
    static let names: [(FeedbackSet, String)] = [
        (.remb, "goog-remb"), (.transportCC, "transport-cc"), (.fir, "ccm fir"), (.nack, "nack"), (.pli, "nack pli"),
        (.rrtr, "rrtr"),
    ]

    init(name: String) { self = Self.names.first { $0.1 == name }?.0 ?? [] }

    static let offeredForVideo: FeedbackSet = [.nack, .pli, .fir, .remb, .transportCC]
    static let offeredForAudio: FeedbackSet = [.nack, .transportCC]
    static let supportedForVideo: FeedbackSet = offeredForVideo.union(.rrtr)
    static let supportedForAudio: FeedbackSet = offeredForAudio.union(.rrtr)
}

/// One codec of one section, as both sides have agreed.
package struct NegotiatedCodec: Equatable, Sendable {
    package var payloadType: UInt8
    package var codec: Codec
    package var clockRate: UInt32
    /// 1 where the description says nothing; 0 for video.
    package var channels: UInt8
    /// `a=fmtp` as we write it: what we are ready to receive.
    package var parameters: String
    /// `a=fmtp` as the peer wrote it: what it is ready to receive.
    package var remoteParameters: String
    package var feedback: FeedbackSet
    package var rtxPayloadType: UInt8?

    package init(
        payloadType: UInt8, codec: Codec, clockRate: UInt32, channels: UInt8, parameters: String = "",
        remoteParameters: String = "", feedback: FeedbackSet = [], rtxPayloadType: UInt8? = nil
    ) {
        self.payloadType = payloadType
        self.codec = codec
        self.clockRate = clockRate
        self.channels = channels
        self.parameters = parameters
        self.remoteParameters = remoteParameters
        self.feedback = feedback
        self.rtxPayloadType = rtxPayloadType
    }
}
