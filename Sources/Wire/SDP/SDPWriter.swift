// Writing a session description, in the order in which browsers write theirs. What was parsed and is written is read
// back as the same value. The texts in the model hold no line ends: the parser lets none in, and who fills a model from
// elsewhere takes them from what the API has checked; the writer drops control characters all the same.

package import Base

extension SessionDescription {
    package var encoded: Bytes {
        var writer = SDPWriter()
        writer.write(self)
        return writer.bytes
    }
}

struct SDPWriter {
    private(set) var bytes: Bytes = []

    init() { bytes.reserveCapacity(8_192) }

    mutating func line(_ letter: UInt8, _ value: String) {
        bytes.append(letter)
        bytes.append(UInt8(ascii: "="))
        for byte in value.utf8 where byte >= 0x20 && byte != 0x7F || byte == 0x09 { bytes.append(byte) }
        bytes.append(0x0D)
        bytes.append(0x0A)
    }

    mutating func attribute(_ name: String, _ value: String? = nil) {
        line(UInt8(ascii: "a"), value.map { name + ":" + $0 } ?? name)
    }

    private mutating func flag(_ name: String, _ isSet: Bool) { if isSet { attribute(name) } }

    mutating func write(_ session: SessionDescription) {
        line(UInt8(ascii: "v"), "0")
        let origin = session.origin
        line(
            UInt8(ascii: "o"),
            "\(origin.userName) \(origin.sessionID) \(origin.sessionVersion) "
                + "\(origin.networkType) \(origin.addressType) \(origin.address)")
        line(UInt8(ascii: "s"), session.name)
        for kept in session.descriptiveLines { line(kept.letter, kept.value) }
        if let connection = session.connection { line(UInt8(ascii: "c"), connection) }
        for bandwidth in session.bandwidths { write(bandwidth) }
        for kept in session.timingLines { line(kept.letter, kept.value) }
        writeAttributes(of: session)
        for media in session.media { write(media) }
    }

    mutating func writeAttributes(of session: SessionDescription) {
        flag("ice-lite", session.isICELite)
        for group in session.groups {
            attribute("group", ([group.semantics] + group.mids).joined(separator: " "))
        }
        flag("extmap-allow-mixed", session.allowsMixedExtensions)
        write(session.transport)
        for mapping in session.extensions { write(mapping) }
        if let direction = session.direction { attribute(direction.rawValue) }
        for other in session.others { attribute(other.name, other.value) }
        flag("end-of-candidates", session.endOfCandidates)
    }

    mutating func write(_ media: MediaDescription) {
        let count = media.portCount.map { "/\($0)" } ?? ""
        line(
            UInt8(ascii: "m"),
            (["\(media.kind.name) \(media.port)\(count) \(media.protocolName)"] + media.formats)
                .joined(separator: " "))
        if let information = media.information { line(UInt8(ascii: "i"), information) }
        if let connection = media.connection { line(UInt8(ascii: "c"), connection) }
        for bandwidth in media.bandwidths { write(bandwidth) }
        if let key = media.keyLine { line(UInt8(ascii: "k"), key) }
        write(media.transport)
        if let mid = media.mid { attribute("mid", mid) }
        flag("bundle-only", media.bundleOnly)
        flag("extmap-allow-mixed", media.allowsMixedExtensions)
        for mapping in media.extensions { write(mapping) }
        if let direction = media.direction { attribute(direction.rawValue) }
        for stream in media.streams {
            attribute("msid", stream.stream + (stream.track.map { " " + $0 } ?? ""))
        }
        flag("rtcp-mux", media.rtcpMux)
        flag("rtcp-mux-only", media.rtcpMuxOnly)
        flag("rtcp-rsize", media.rtcpReducedSize)
        writeFormats(of: media)
        writeStreams(of: media)
        if let map = media.sctpMap { attribute("sctpmap", map) }
        if let port = media.sctpPort { attribute("sctp-port", "\(port)") }
        if let size = media.maxMessageSize { attribute("max-message-size", "\(size)") }
        for other in media.others { attribute(other.name, other.value) }
        for candidate in media.candidates { attribute("candidate", candidate) }
        flag("end-of-candidates", media.endOfCandidates)
    }

    private mutating func writeFormats(of media: MediaDescription) {
        for map in media.rtpMaps {
            let channels = map.channels.map { "/\($0)" } ?? ""
            let clock = map.clockRate == 0 ? "" : "/\(map.clockRate)\(channels)"
            attribute("rtpmap", "\(map.payloadType) \(map.encoding)\(clock)")
        }
        for feedback in media.feedback {
            let payloadType = feedback.payloadType.map { "\($0)" } ?? "*"
            attribute("rtcp-fb", "\(payloadType) \(feedback.value)")
        }
        for parameters in media.formatParameters {
            attribute("fmtp", "\(parameters.payloadType) \(parameters.text)")
        }
    }

    private mutating func writeStreams(of media: MediaDescription) {
        for rid in media.rids {
            let payloadTypes = rid.payloadTypes.map { "\($0)" }.joined(separator: ",")
            let restrictions = (payloadTypes.isEmpty ? [] : ["pt=" + payloadTypes]) + rid.restrictions
            let tail = restrictions.isEmpty ? "" : " " + restrictions.joined(separator: ";")
            attribute("rid", "\(rid.id) \(rid.isSending ? "send" : "recv")\(tail)")
        }
        if let simulcast = media.simulcast {
            var parts: [String] = []
            if !simulcast.send.isEmpty { parts.append("send " + list(simulcast.send)) }
            if !simulcast.receive.isEmpty { parts.append("recv " + list(simulcast.receive)) }
            attribute("simulcast", parts.joined(separator: " "))
        }
        for group in media.sourceGroups {
            attribute("ssrc-group", ([group.semantics] + group.ssrcs.map { "\($0)" }).joined(separator: " "))
        }
        for source in media.sources {
            let value = source.value.map { ":" + $0 } ?? ""
            let tail = source.attribute.isEmpty && value.isEmpty ? "" : " \(source.attribute)\(value)"
            attribute("ssrc", "\(source.ssrc)\(tail)")
        }
    }

    private func list(_ streams: [[SDPSimulcast.Layer]]) -> String {
        streams.map { $0.map { ($0.isPaused ? "~" : "") + $0.rid }.joined(separator: ",") }.joined(separator: ";")
    }

    private mutating func write(_ bandwidth: SDPBandwidth) {
        line(UInt8(ascii: "b"), "\(bandwidth.modifier):\(bandwidth.value)")
    }

    private mutating func write(_ mapping: SDPExtension) {
        let direction = mapping.direction.map { "/" + $0.rawValue } ?? ""
        let tail = mapping.attributes.map { " " + $0 } ?? ""
        attribute("extmap", "\(mapping.id)\(direction) \(mapping.uri)\(tail)")
    }

    private mutating func write(_ transport: SDPTransport) {
        if let ufrag = transport.ufrag { attribute("ice-ufrag", ufrag) }
        if let password = transport.password { attribute("ice-pwd", password) }
        if !transport.options.isEmpty { attribute("ice-options", transport.options.joined(separator: " ")) }
        for fingerprint in transport.fingerprints {
            attribute("fingerprint", "\(fingerprint.hash.rawValue) \(fingerprint.text)")
        }
        if let setup = transport.setup { attribute("setup", setup.rawValue) }
    }
}

extension SDPFingerprint {
    /// Pairs of upper-case digits between colons (RFC 8122 §5).
    package var text: String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: Bytes = []
        for (index, byte) in bytes.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ":")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
