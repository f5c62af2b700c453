// From the codecs of a section in a description to those that are agreed: reading them, and choosing among them.

import Wire

/// A codec as a description has it. Codecs we do not know are left out.
struct DescribedCodec {
    var payloadType: UInt8
    var codec: Codec
    var clockRate: UInt32
    var channels: UInt8
    var parameters: String
    /// The same, taken apart once: they are compared with every preference.
    var parsed: FormatParameters
    var feedback: FeedbackSet

    /// In the order of the `m=` line, each payload type once.
    static func all(of media: MediaDescription) -> [DescribedCodec] {
        var seen: Set<UInt8> = []
        var found: [DescribedCodec] = []
        let maps = Dictionary(media.rtpMaps.map { ($0.payloadType, $0) }, uniquingKeysWith: { first, _ in first })
        let parameters = Dictionary(
            media.formatParameters.map { ($0.payloadType, $0.text) }, uniquingKeysWith: { first, _ in first })
        var everywhere: FeedbackSet = []
        var feedback = [FeedbackSet](repeating: [], count: 256)
        for line in media.feedback {
            let set = FeedbackSet(name: line.value)
            if let payloadType = line.payloadType {
                feedback[Int(payloadType)].formUnion(set)
            } else {
                everywhere.formUnion(set)
            }
        }
        for payloadType in media.payloadTypes where seen.insert(payloadType).inserted {
            guard let map = maps[payloadType] ?? staticMap(payloadType), let codec = codec(map, media.kind) else {
                continue
            }
            let text = parameters[payloadType] ?? ""
            found.append(
                DescribedCodec(
                    payloadType: payloadType, codec: codec, clockRate: map.clockRate,
                    channels: media.kind == .video ? 0 : map.channels ?? 1,
                    parameters: text, parsed: FormatParameters(text),
                    feedback: feedback[Int(payloadType)].union(everywhere)))
        }
        return found
    }

    /// RFC 3551 §6: payload types that need no `rtpmap`.
    private static func staticMap(_ payloadType: UInt8) -> SDPRTPMap? {
        switch payloadType {
        case 0: SDPRTPMap(payloadType: 0, encoding: "PCMU", clockRate: 8_000)
        case 8: SDPRTPMap(payloadType: 8, encoding: "PCMA", clockRate: 8_000)
        case 13: SDPRTPMap(payloadType: 13, encoding: "CN", clockRate: 8_000)
        default: nil
        }
    }

    private static func codec(_ map: SDPRTPMap, _ kind: SDPMediaKind) -> Codec? {
        guard let codec = Codec.allCases.first(where: { asciiEqualIgnoringCase($0.name, map.encoding) }) else {
            return nil
        }
        let isRight =
            switch codec {
            case .opus: kind == .audio && map.clockRate == 48_000 && map.channels == 2
            case .pcmu, .pcma: kind == .audio && map.clockRate == 8_000 && (map.channels ?? 1) == 1
            case .telephoneEvent, .comfortNoise: kind == .audio && map.clockRate > 0
            case .vp8, .vp9, .h264, .h265, .av1: kind == .video && map.clockRate == 90_000
            case .red, .rtx, .ulpfec, .flexfec: map.clockRate > 0
            }
        return isRight ? codec : nil
    }

    /// The payload type that retransmissions repair.
    var associated: UInt8? { parsed["apt"].flatMap { UInt8($0) } }
}

struct CodecSelection {
    let kind: MediaKind
    let offered: [DescribedCodec]
    let policy: CodecPolicy

    init(_ media: MediaDescription, _ kind: MediaKind, _ policy: CodecPolicy) {
        self.kind = kind
        offered = DescribedCodec.all(of: media)
        self.policy = policy
    }

    /// What both sides have, in our order of preference. Empty when nothing but companions is common.
    func agreed(_ preferences: [CodecPreference]) -> [NegotiatedCodec] {
        var ranked: [(rank: Int, codec: NegotiatedCodec)] = []
        for (rank, preference) in preferences.enumerated() where !preference.codec.isCompanion {
            for described in offered where described.codec == preference.codec {
                guard ranked.count < policy.codecsPerSection,
                    !ranked.contains(where: { $0.codec.payloadType == described.payloadType }),
                    CodecMatching.isSame(described.codec, described.parsed, preference.parameters)
                else { continue }
                ranked.append((rank, negotiated(described, preference.parameters)))
            }
        }
        guard !ranked.isEmpty else { return [] }
        let main = ranked.map(\.codec)
        for (rank, preference) in preferences.enumerated() where preference.codec.isCompanion {
            for described in offered where described.codec == preference.codec && accompanies(described, main) {
                ranked.append((rank, negotiated(described, preference.parameters)))
            }
        }
        // Stable: what has one rank keeps the order of the offer.
        return ranked.enumerated()
            .sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }
            .map(\.element.codec)
    }

    private func negotiated(_ described: DescribedCodec, _ ours: FormatParameters) -> NegotiatedCodec {
        let supported = kind == .video ? FeedbackSet.supportedForVideo : FeedbackSet.supportedForAudio
        return NegotiatedCodec(
            payloadType: described.payloadType, codec: described.codec, clockRate: described.clockRate,
            channels: described.channels,
            parameters: CodecMatching.answer(described.codec, offered: described.parameters, ours: ours),
            remoteParameters: described.parameters, feedback: described.feedback.intersection(supported),
            rtxPayloadType: policy.usesRTX && !described.codec.isCompanion ? retransmission(of: described) : nil)
    }

    private func retransmission(of described: DescribedCodec) -> UInt8? {
        offered.first {
            $0.codec == .rtx && $0.clockRate == described.clockRate && $0.associated == described.payloadType
                && $0.payloadType != described.payloadType
        }?.payloadType
    }

    private func accompanies(_ described: DescribedCodec, _ main: [NegotiatedCodec]) -> Bool {
        switch described.codec {
        case .red:
            // RFC 2198: `111/111` names what is inside. Redundant video is for ulpfec, which we refuse.
            let inside = described.parameters.utf8.split(separator: UInt8(ascii: "/"))
                .map { UInt8(String(decoding: $0, as: UTF8.self)) }
            return kind == .audio && !inside.isEmpty
                && inside.allSatisfy { number in
                    main.contains { $0.payloadType == number && $0.codec == .opus }
                }
        case .telephoneEvent, .comfortNoise: return main.contains { $0.clockRate == described.clockRate }
        default: return false
        }
    }
}
