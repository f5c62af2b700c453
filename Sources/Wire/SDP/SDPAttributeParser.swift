// Reading the attributes of a session description. A value that we act on and that is malformed refuses the
// description; what we would only have passed over is kept as text (`others`).

import Base

extension SDPParser {
    mutating func readAttribute(_ name: String, hasValue: Bool, _ fields: SDPFields) throws(SDPError) {
        var fields = fields
        // One after the other: `||` would lose the type of the error.
        if try readTransport(name, &fields) { return }
        if try readCommon(name, &fields) { return }
        if media == nil {
            if try readSession(name, &fields) { return }
        } else {
            if try readIdentity(name, &fields) { return }
            if try readFormat(name, &fields) { return }
            if try readStream(name, &fields) { return }
            if try readData(name, &fields) { return }
        }
        keep(SDPAttribute(name, hasValue ? fields.restText : nil))
    }

    private mutating func keep(_ attribute: SDPAttribute) {
        if media != nil { media?.others.append(attribute) } else { session.others.append(attribute) }
    }

    // MARK: Session and sections

    private mutating func readTransport(_ name: String, _ fields: inout SDPFields) throws(SDPError) -> Bool {
        // Most lines are none of these; they are told apart by their first letter before anything is copied.
        guard let first = name.utf8.first, "fis".utf8.contains(first) else { return false }
        var transport = media?.transport ?? session.transport
        switch name {
        case "ice-ufrag": transport.ufrag = try credential(&fields, "ice-ufrag")
        case "ice-pwd": transport.password = try credential(&fields, "ice-pwd")
        case "ice-options":
            // Of all its lines together: they are written as one.
            transport.options += try fields.words(atMost: SDPLimits.listMembers, "ice-options")
            guard transport.options.count <= SDPLimits.listMembers else {
                throw fields.error("more than \(SDPLimits.listMembers) ice-options")
            }
        case "fingerprint":
            let original = fields
            guard let fingerprint = try fingerprint(&fields) else {
                keep(SDPAttribute(name, original.restText))
                return true
            }
            transport.fingerprints.append(fingerprint)
        case "setup":
            let text = fields.remainingText()
            guard let setup = SDPSetup(rawValue: text) else {
                throw fields.error("`setup` must be active, passive, actpass or holdconn")
            }
            transport.setup = setup
        default: return false
        }
        if media != nil { media?.transport = transport } else { session.transport = transport }
        return true
    }

    /// RFC 8839 §5.4. Whether the length and the characters are those of ICE is checked where they are used: sections
    /// that are refused may hold anything.
    private func credential(_ fields: inout SDPFields, _ what: StaticString) throws(SDPError) -> String {
        guard let word = fields.word() else { throw fields.error("\(what) is missing") }
        guard word.count <= SDPLimits.credentialBytes else {
            throw fields.error("\(what) is longer than \(SDPLimits.credentialBytes) characters")
        }
        return fields.text(word)
    }

    /// `nil` for a hash we do not know.
    private func fingerprint(_ fields: inout SDPFields) throws(SDPError) -> SDPFingerprint? {
        let name = try fields.textWord("the hash of the fingerprint")
        let hash = SDPFingerprint.Hash.allCases.first { asciiEqualIgnoringCase($0.rawValue, name) }
        guard let hash else { return nil }
        guard let digits = fields.word() else { throw fields.error("the fingerprint is missing") }
        var bytes: Bytes = []
        for pair in digits.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
            guard pair.count == 2, let first = pair.first, let last = pair.last, let high = Hex.value(of: first),
                let low = Hex.value(of: last), bytes.count < hash.byteCount
            else { throw fields.error("the fingerprint must be pairs of hexadecimal digits") }
            bytes.append(high << 4 | low)
        }
        guard bytes.count == hash.byteCount else {
            throw fields.error("a \(hash.rawValue) fingerprint has \(hash.byteCount) bytes")
        }
        return SDPFingerprint(hash: hash, bytes: bytes)
    }

    private mutating func readCommon(_ name: String, _ fields: inout SDPFields) throws(SDPError) -> Bool {
        switch name {
        case "sendrecv", "sendonly", "recvonly", "inactive":
            let direction = SDPDirection(rawValue: name)
            if media != nil { media?.direction = direction } else { session.direction = direction }
        case "extmap-allow-mixed":
            if media != nil { media?.allowsMixedExtensions = true } else { session.allowsMixedExtensions = true }
        case "extmap":
            let mapping = try headerExtension(&fields)
            if media != nil { media?.extensions.append(mapping) } else { session.extensions.append(mapping) }
        case "end-of-candidates":
            if media != nil { media?.endOfCandidates = true } else { session.endOfCandidates = true }
        default: return false
        }
        return true
    }

    /// `id[/direction] uri [attributes]` (RFC 8285 §5 and §7).
    private mutating func headerExtension(_ fields: inout SDPFields) throws(SDPError) -> SDPExtension {
        guard var number = fields.word() else { throw fields.error("the number of `extmap` is missing") }
        var direction: SDPDirection?
        if let slash = number.firstIndex(of: UInt8(ascii: "/")) {
            direction = SDPDirection(rawValue: fields.text(number[(slash + 1)...]))
            guard direction != nil else { throw fields.error("the direction of `extmap` is none") }
            number = number[..<slash]
        }
        let id = UInt16(try fields.number(number, "the number of `extmap`", in: 1...4_351))
        guard id <= 255 || id >= 4_096 else { throw fields.error("the number of `extmap` is out of range") }
        guard extensionIDs.insert(id).inserted else { throw fields.error("extension number \(id) is given twice") }
        let uri = try fields.textWord("the name of `extmap`")
        return SDPExtension(
            id: id, direction: direction, uri: uri, attributes: fields.isAtEnd ? nil : fields.remainingText())
    }

    private mutating func readSession(_ name: String, _ fields: inout SDPFields) throws(SDPError) -> Bool {
        switch name {
        case "ice-lite": session.isICELite = true
        case "group":
            let semantics = try fields.textWord("the kind of the group")
            let mids = try fields.words(atMost: SDPLimits.listMembers, "group members")
            session.groups.append(SDPGroup(semantics: semantics, mids: mids))
        default: return false
        }
        return true
    }

    // MARK: Sections: what they are

    private mutating func readIdentity(_ name: String, _ fields: inout SDPFields) throws(SDPError) -> Bool {
        switch name {
        case "mid":
            guard media?.mid == nil else { throw fields.error("a section has one `mid`") }
            fields.skipBlanks()
            guard let mid = fields.word(), fields.isAtEnd, mid.count <= SDPLimits.identifierBytes else {
                throw fields.error("`mid` must be one word of 1 to \(SDPLimits.identifierBytes) characters")
            }
            media?.mid = fields.text(mid)
        case "msid":
            let stream = try fields.textWord("the stream of `msid`")
            let track = fields.isAtEnd ? nil : fields.word().map(fields.text)
            media?.streams.append(SDPStreamTrack(stream: stream, track: track))
        case "rtcp-mux": media?.rtcpMux = true
        case "rtcp-mux-only": media?.rtcpMuxOnly = true
        case "rtcp-rsize": media?.rtcpReducedSize = true
        case "bundle-only": media?.bundleOnly = true
        case "ice-lite": throw fields.error("`ice-lite` belongs before the first section")
        case "rtcp":
            let original = fields
            _ = try fields.number("the port of `rtcp`", in: 0...65_535)
            keep(SDPAttribute(name, original.restText))
        case "candidate":
            guard let count = media?.candidates.count, count < SDPLimits.candidates else { return true }
            media?.candidates.append(fields.remainingText())
        default: return false
        }
        return true
    }

    // MARK: Sections: formats

    private mutating func readFormat(_ name: String, _ fields: inout SDPFields) throws(SDPError) -> Bool {
        switch name {
        case "rtpmap":
            guard media?.isRTP == true else { return false }
            let mapping = try rtpMap(&fields)
            guard media?.rtpMaps.contains(where: { $0.payloadType == mapping.payloadType }) == false else {
                // The first stands; a second meaning of the same number would be anybody's guess.
                return true
            }
            media?.rtpMaps.append(mapping)
        case "fmtp":
            // Other protocols have formats that are no numbers; theirs are kept as text.
            guard media?.isRTP == true else { return false }
            let payloadType = UInt8(try fields.number("the payload type of `fmtp`", in: 0...127))
            let text = fields.remainingText()
            guard media?.formatParameters.contains(where: { $0.payloadType == payloadType }) == false else {
                return true
            }
            media?.formatParameters.append(SDPFormatParameters(payloadType: payloadType, text: text))
        case "rtcp-fb":
            guard media?.isRTP == true else { return false }
            guard let word = fields.word() else { throw fields.error("the payload type of `rtcp-fb` is missing") }
            var payloadType: UInt8?
            if word.count != 1 || word.first != UInt8(ascii: "*") {
                payloadType = UInt8(try fields.number(word, "the payload type of `rtcp-fb`", in: 0...127))
            }
            media?.feedback.append(SDPFeedback(payloadType: payloadType, value: fields.remainingText()))
        default: return false
        }
        return true
    }

    /// `type name/clock[/channels]`.
    private func rtpMap(_ fields: inout SDPFields) throws(SDPError) -> SDPRTPMap {
        let payloadType = UInt8(try fields.number("the payload type of `rtpmap`", in: 0...127))
        guard let definition = fields.word() else { throw fields.error("the name of `rtpmap` is missing") }
        var numbers = SDPFields(definition, line: fields.line)
        let encoding = numbers.take(until: UInt8(ascii: "/"))
        guard !encoding.isEmpty, encoding.allSatisfy(isSDPTokenByte) else {
            throw fields.error("the name of `rtpmap` must be a token")
        }
        guard !numbers.isAtEnd else {
            return SDPRTPMap(payloadType: payloadType, encoding: fields.text(encoding), clockRate: 0)
        }
        let clock = numbers.take(until: UInt8(ascii: "/"))
        let clockRate = UInt32(try numbers.number(clock, "the clock rate", in: 1...UInt64(UInt32.max)))
        var channels: UInt8?
        if !numbers.isAtEnd { channels = UInt8(try numbers.number("the number of channels", in: 1...255)) }
        return SDPRTPMap(
            payloadType: payloadType, encoding: fields.text(encoding), clockRate: clockRate, channels: channels)
    }

    // MARK: Sections: streams

    private mutating func readStream(_ name: String, _ fields: inout SDPFields) throws(SDPError) -> Bool {
        switch name {
        case "ssrc":
            let ssrc = UInt32(try fields.number("the source of `ssrc`", in: 0...UInt64(UInt32.max)))
            fields.skipBlanks()
            let hasValue = fields.rest.contains(UInt8(ascii: ":"))
            let attribute = fields.text(fields.take(until: UInt8(ascii: ":")))
            let value = hasValue ? fields.restText : nil
            media?.sources.append(SDPSource(ssrc: ssrc, attribute: attribute, value: value))
        case "ssrc-group":
            let semantics = try fields.textWord("the kind of `ssrc-group`")
            var ssrcs: [UInt32] = []
            while let word = fields.word() {
                guard ssrcs.count < SDPLimits.listMembers else { throw fields.error("a `ssrc-group` without end") }
                ssrcs.append(UInt32(try fields.number(word, "a source", in: 0...UInt64(UInt32.max))))
            }
            media?.sourceGroups.append(SDPSourceGroup(semantics: semantics, ssrcs: ssrcs))
        case "rid": try readRid(&fields)
        case "simulcast":
            let original = fields
            // Drafts had another grammar (`send rid=a;b`); what cannot be read is simulcast nobody agrees to.
            guard media?.simulcast == nil, let simulcast = simulcast(&fields) else {
                keep(SDPAttribute(name, original.restText))
                return true
            }
            media?.simulcast = simulcast
        default: return false
        }
        return true
    }

    /// `id direction [pt=list][;restriction]*`.
    private mutating func readRid(_ fields: inout SDPFields) throws(SDPError) {
        // Not `word`: a blank in front is an empty identifier.
        let id = try fields.identifier(fields.take(until: UInt8(ascii: " ")), "`rid`")
        let direction = try fields.textWord("the direction of `rid`")
        guard direction == "send" || direction == "recv" else {
            throw fields.error("the direction of `rid` must be send or recv")
        }
        guard media?.rids.contains(where: { $0.id == id && $0.isSending == (direction == "send") }) == false else {
            throw fields.error("`rid` \(id) is given twice")
        }
        guard let count = media?.rids.count, count < SDPLimits.rids else {
            throw fields.error("more than \(SDPLimits.rids) `rid`")
        }
        var rid = SDPRid(id: id, isSending: direction == "send")
        fields.skipBlanks()
        while !fields.isAtEnd {
            let restriction = fields.take(until: UInt8(ascii: ";"))
            if restriction.starts(with: "pt=".utf8) {
                for number in restriction.dropFirst(3).split(separator: UInt8(ascii: ",")) {
                    rid.payloadTypes.append(UInt8(try fields.number(number, "a payload type of `rid`", in: 0...127)))
                }
            } else if !restriction.isEmpty {
                rid.restrictions.append(fields.text(restriction))
            }
        }
        media?.rids.append(rid)
    }

    /// One or both of `send list` and `recv list`; `nil` when it is neither.
    private func simulcast(_ fields: inout SDPFields) -> SDPSimulcast? {
        var simulcast = SDPSimulcast()
        var directions = 0
        while let direction = fields.word() {
            guard let word = fields.word(), let list = layers(word) else { return nil }
            switch fields.text(direction) {
            case "send" where simulcast.send.isEmpty: simulcast.send = list
            case "recv" where simulcast.receive.isEmpty: simulcast.receive = list
            default: return nil
            }
            directions += 1
        }
        return directions > 0 ? simulcast : nil
    }

    /// `a,~b;c`: streams between semicolons, alternatives between commas, `~` for paused.
    private func layers(_ list: ArraySlice<UInt8>) -> [[SDPSimulcast.Layer]]? {
        var streams: [[SDPSimulcast.Layer]] = []
        var members = 0
        for stream in list.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false) {
            var alternatives: [SDPSimulcast.Layer] = []
            for alternative in stream.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
                let isPaused = alternative.first == UInt8(ascii: "~")
                let id = isPaused ? alternative.dropFirst() : alternative
                members += 1
                guard !id.isEmpty, id.count <= SDPLimits.identifierBytes, members <= SDPLimits.listMembers,
                    id.allSatisfy(isSDPTokenByte)
                else { return nil }
                alternatives.append(SDPSimulcast.Layer(rid: String(decoding: id, as: UTF8.self), isPaused: isPaused))
            }
            streams.append(alternatives)
        }
        return streams
    }

    // MARK: Sections: data channels

    private mutating func readData(_ name: String, _ fields: inout SDPFields) throws(SDPError) -> Bool {
        switch name {
        case "sctp-port": media?.sctpPort = UInt16(try fields.number("`sctp-port`", in: 1...65_535))
        case "max-message-size":
            media?.maxMessageSize = try fields.number("`max-message-size`", in: 0...UInt64(Int64.max))
        case "sctpmap": media?.sctpMap = fields.remainingText()
        default: return false
        }
        return true
    }
}

/// ASCII letters only; names of hashes and codecs have no others.
package func asciiEqualIgnoringCase(_ left: String, _ right: String) -> Bool {
    func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
    return left.utf8.count == right.utf8.count
        && left.utf8.lazy.map(lower).elementsEqual(right.utf8.lazy.map(lower))
}
