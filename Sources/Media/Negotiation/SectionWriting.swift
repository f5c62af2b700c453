// A slot as a section of our description, and what its agreement means for the engine.

import Wire

enum SectionTransport {
    /// The first section of the group: with our candidates.
    case full
    case bundled
}

extension Negotiator {
    func section(_ slot: Slot, _ place: SectionTransport, setup: SDPSetup) -> MediaDescription {
        var media = MediaDescription(
            kind: slot.mediaKind, port: slot.isRejected ? 0 : 9, protocolName: slot.protocolName,
            formats: slot.formats)
        media.mid = slot.mid
        media.connection = "IN IP4 0.0.0.0"
        guard !slot.isRejected else {
            if slot.kind != .data { media.direction = .inactive }
            return media
        }
        media.transport = SDPTransport(
            ufrag: credentials.ufrag, password: credentials.exposedPassword, options: ["trickle", "ice2"],
            fingerprints: configuration.fingerprints, setup: setup)
        if case .full = place {
            media.candidates = configuration.candidates
            media.endOfCandidates = true
        }
        if slot.kind == .data {
            writeData(slot, &media)
        } else {
            writeStreams(slot, &media)
        }
        return media
    }

    private func writeData(_ slot: Slot, _ media: inout MediaDescription) {
        if let map = slot.sctpMap { media.sctpMap = map } else { media.sctpPort = configuration.sctpPort }
        media.maxMessageSize = configuration.maxMessageSize
    }

    private func writeStreams(_ slot: Slot, _ media: inout MediaDescription) {
        media.rtcpMux = true
        media.rtcpReducedSize = slot.reducedSize
        media.direction = slot.direction
        media.extensions = slot.extensions.lines
        media.formats = []
        for codec in slot.codecs { write(codec, &media) }
        if slot.direction.receives {
            media.rids = slot.layers
            if !slot.simulcast.isEmpty { media.simulcast = SDPSimulcast(receive: slot.simulcast) }
            if slot.kind == .video, let bits = configuration.maximumVideoBitrate {
                // Browsers read the one or the other.
                media.bandwidths = [
                    SDPBandwidth(modifier: "AS", value: "\(bits / 1_000)"),
                    SDPBandwidth(modifier: "TIAS", value: "\(bits)"),
                ]
            }
        }
        guard slot.direction.sends, let sender = sender(slot.sender) else { return }
        media.streams = [SDPStreamTrack(stream: sender.streamID, track: sender.trackID)]
        let sources = slot.codecs.contains { $0.rtxPayloadType != nil } ? [sender.ssrc, sender.rtxSSRC] : [sender.ssrc]
        if sources.count == 2 { media.sourceGroups = [SDPSourceGroup(semantics: "FID", ssrcs: sources)] }
        for ssrc in sources {
            media.sources.append(SDPSource(ssrc: ssrc, attribute: "cname", value: configuration.cname))
        }
    }

    private func write(_ codec: NegotiatedCodec, _ media: inout MediaDescription) {
        let type = codec.payloadType
        media.formats.append("\(type)")
        media.rtpMaps.append(
            SDPRTPMap(
                payloadType: type, encoding: codec.codec.name, clockRate: codec.clockRate,
                channels: codec.channels > 1 ? codec.channels : nil))
        for (set, name) in FeedbackSet.names where codec.feedback.contains(set) {
            media.feedback.append(SDPFeedback(payloadType: type, value: name))
        }
        if !codec.parameters.isEmpty {
            media.formatParameters.append(SDPFormatParameters(payloadType: type, text: codec.parameters))
        }
        guard let rtx = codec.rtxPayloadType else { return }
        media.formats.append("\(rtx)")
        media.rtpMaps.append(SDPRTPMap(payloadType: rtx, encoding: Codec.rtx.name, clockRate: codec.clockRate))
        media.formatParameters.append(SDPFormatParameters(payloadType: rtx, text: "apt=\(type)"))
    }

    // MARK: What the engine is told

    mutating func settle(_ index: Int, _ media: MediaDescription, sending codecs: [NegotiatedCodec]) {
        let slot = slots[index]
        guard let kind = slot.kind else { return }
        var transceiver = Transceiver(mid: slot.mid ?? "", kind: kind)
        transceiver.reducedSizeRTCP = slot.reducedSize
        if slot.direction.receives { transceiver.receiving = receiving(slot, media) }
        if slot.direction.sends, let sender = sender(slot.sender) {
            let repairs = codecs.contains { $0.rtxPayloadType != nil }
            transceiver.sending = Transceiver.Sending(
                sender: sender.id, codecs: codecs, extensions: slot.extensions.sending, ssrc: sender.ssrc,
                rtxSSRC: repairs ? sender.rtxSSRC : nil, cname: configuration.cname, streamID: sender.streamID,
                trackID: sender.trackID)
        }
        slots[index].transceiver = transceiver
    }

    mutating func settleData(_ index: Int, _ media: MediaDescription, _ remotePort: UInt16) {
        // RFC 8841 §6.1: 64 KiB when nothing is said, and 0 for any size.
        let size = media.maxMessageSize ?? 65_536
        var transceiver = Transceiver(mid: slots[index].mid ?? "", kind: .data)
        transceiver.data = DataAgreement(
            remotePort: remotePort, localPort: configuration.sctpPort, remoteMaxMessageSize: size == 0 ? nil : size)
        slots[index].transceiver = transceiver
    }

    private func receiving(_ slot: Slot, _ media: MediaDescription) -> Transceiver.Receiving {
        let sources = RemoteSources(media)
        let layers = zip(slot.layers, slot.simulcast).map { rid, alternatives in
            RemoteLayer(
                rid: rid.id, isPaused: alternatives.first?.isPaused ?? false, payloadTypes: rid.payloadTypes)
        }
        return Transceiver.Receiving(
            codecs: slot.codecs, extensions: slot.extensions.receiving, sources: sources.list, layers: layers,
            isSimulcast: layers.count > 1 || sources.isSimulcast, streamID: sources.streamID,
            trackID: sources.trackID)
    }
}

/// The sources that a section announces (RFC 5576), each with that of its retransmissions.
struct RemoteSources {
    /// A source and its layers, with room for those of a change in flight. Those beyond are found by `mid` and `rid`.
    private static let limit = 16

    private(set) var list: [RemoteSource] = []
    private(set) var isSimulcast = false
    private(set) var streamID: String?
    private(set) var trackID: String?

    init(_ media: MediaDescription) {
        var names: [UInt32: String] = [:]
        var order: [UInt32] = []
        var repairs: [UInt32: UInt32] = [:]
        var secondary: Set<UInt32> = []
        for source in media.sources {
            if names[source.ssrc] == nil {
                names[source.ssrc] = ""
                order.append(source.ssrc)
            }
            if source.attribute == "cname", let name = source.value { names[source.ssrc] = name }
        }
        for group in media.sourceGroups where group.ssrcs.count == 2 {
            guard group.semantics == "FID" || group.semantics == "FEC-FR" else { continue }
            if group.semantics == "FID", repairs[group.ssrcs[0]] == nil { repairs[group.ssrcs[0]] = group.ssrcs[1] }
            secondary.insert(group.ssrcs[1])
        }
        // Layers without identifiers, as Chromium had them before `rid` and still writes when asked.
        let layers = media.sourceGroups.first { $0.semantics == "SIM" && $0.ssrcs.count > 1 }?.ssrcs ?? []
        isSimulcast = !layers.isEmpty
        var seen: Set<UInt32> = []
        for ssrc in layers + order where !secondary.contains(ssrc) && seen.insert(ssrc).inserted {
            guard list.count < Self.limit else { break }
            let name = names[ssrc].flatMap { $0.isEmpty ? nil : $0 }
            list.append(RemoteSource(ssrc: ssrc, rtxSSRC: repairs[ssrc], cname: name))
        }
        readTrack(media)
    }

    /// `a=msid`, and the older form inside of `a=ssrc`.
    private mutating func readTrack(_ media: MediaDescription) {
        if let track = media.streams.first {
            streamID = track.stream == "-" ? nil : track.stream
            trackID = track.track
        } else if let value = media.sources.first(where: { $0.attribute == "msid" })?.value {
            let parts = value.utf8.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
            streamID = parts.first.flatMap { $0 == "-" ? nil : $0 }
            trackID = parts.dropFirst().first
        }
    }
}
