// Reading a session description: lines, their order, and which part each belongs to. The attributes are in
// `SDPAttributeParser.swift`.
//
// Tolerated: lines that end with LF alone, a last line without an end, empty lines at the end, missing `s=` and `t=`,
// an `o=` without its address, lines after `o=` in any order, a section without formats. Refused: a letter RFC 8866
// does not know, control characters (a bare CR with them), text that is not UTF-8, everything beyond a bound. One
// pass; a bomb costs what lies before the bound it breaks.

package import Base

extension SessionDescription {
    package init(parsing bytes: Bytes) throws(SDPError) {
        var parser = SDPParser(bytes)
        self = try parser.description()
    }
}

struct SDPParser {
    private let bytes: Bytes
    private var offset = 0
    /// Of the line read last, from 1.
    private(set) var line = 0
    private var hasTiming = false
    private var attributeCount = 0
    /// Identifiers of header extensions in use, in the part that is being read.
    var extensionIDs: Set<UInt16> = []

    var session = SessionDescription(origin: SDPOrigin(sessionID: "0", sessionVersion: "0"))
    /// The section that is being read; nil before the first.
    var media: MediaDescription?

    init(_ bytes: Bytes) { self.bytes = bytes }

    mutating func description() throws(SDPError) -> SessionDescription {
        try checkSize()
        var version = try required(UInt8(ascii: "v"))
        guard try version.textWord("the version") == "0", version.isAtEnd else {
            throw version.error("the version must be 0")
        }
        try readOrigin(try required(UInt8(ascii: "o")))
        session.timingLines = []
        while let (letter, fields) = try nextLine() { try read(letter, fields) }
        closeSection()
        if !hasTiming { session.timingLines = [SDPLine(letter: UInt8(ascii: "t"), value: "0 0")] }
        return session
    }

    /// The body of a trickle fragment: attributes and sections, without the lines a whole description begins with.
    mutating func fragment() throws(SDPError) -> SessionDescription {
        try checkSize()
        while let (letter, fields) = try nextLine() {
            guard letter == UInt8(ascii: "a") || letter == UInt8(ascii: "m") || letter == UInt8(ascii: "c") else {
                throw fields.error("a trickle fragment has `a=` and `m=` lines only")
            }
            try read(letter, fields)
        }
        closeSection()
        return session
    }

    // MARK: Lines

    private func checkSize() throws(SDPError) {
        guard bytes.count <= SDPLimits.bytes else {
            throw SDPError(line: 0, reason: "more than \(SDPLimits.bytes) bytes")
        }
    }

    private mutating func required(_ letter: UInt8) throws(SDPError) -> SDPFields {
        guard let (found, fields) = try nextLine() else {
            throw SDPError(line: line + 1, reason: "`\(Character(UnicodeScalar(letter)))=` is missing")
        }
        guard found == letter else {
            throw fields.error("expected `\(Character(UnicodeScalar(letter)))=`")
        }
        return fields
    }

    /// The letter of the next line and what follows the `=`.
    private mutating func nextLine() throws(SDPError) -> (UInt8, SDPFields)? {
        guard offset < bytes.count else { return nil }
        let end = bytes[offset...].firstIndex(of: 0x0A) ?? bytes.count
        var content = bytes[offset..<end]
        if content.last == 0x0D { content.removeLast() }
        offset = end + 1
        line += 1
        if content.isEmpty, bytes[min(offset, bytes.count)...].allSatisfy({ $0 == 0x0A || $0 == 0x0D }) {
            offset = bytes.count
            return nil
        }
        guard line <= SDPLimits.lines else { throw error("more than \(SDPLimits.lines) lines") }
        guard content.count <= SDPLimits.lineBytes else { throw error("longer than \(SDPLimits.lineBytes) bytes") }
        try checkText(content)
        guard content.count >= 2, content[content.startIndex + 1] == UInt8(ascii: "=") else {
            throw error("a line is a letter, `=` and a value")
        }
        return (content[content.startIndex], SDPFields(content.dropFirst(2), line: line))
    }

    private func checkText(_ content: ArraySlice<UInt8>) throws(SDPError) {
        var isASCII = true
        for byte in content {
            guard byte >= 0x20 || byte == 0x09, byte != 0x7F else { throw error("a control character") }
            if byte >= 0x80 { isASCII = false }
        }
        guard isASCII || String(validating: content, as: UTF8.self) != nil else { throw error("not UTF-8") }
    }

    private func error(_ reason: String) -> SDPError { SDPError(line: line, reason: reason) }

    // MARK: Letters

    private mutating func read(_ letter: UInt8, _ fields: SDPFields) throws(SDPError) {
        switch letter {
        case UInt8(ascii: "a"): try readAttributeLine(fields)
        case UInt8(ascii: "m"): try beginSection(fields)
        case UInt8(ascii: "c"):
            if media != nil { media?.connection = fields.restText } else { session.connection = fields.restText }
        case UInt8(ascii: "b"): readBandwidth(fields)
        case UInt8(ascii: "s") where media == nil: session.name = fields.restText
        case UInt8(ascii: "i") where media != nil: media?.information = fields.restText
        case UInt8(ascii: "k") where media != nil: media?.keyLine = fields.restText
        case UInt8(ascii: "i"), UInt8(ascii: "u"), UInt8(ascii: "e"), UInt8(ascii: "p"):
            guard media == nil else { throw fields.error("this line belongs before the first `m=`") }
            try countLine(fields)
            session.descriptiveLines.append(SDPLine(letter: letter, value: fields.restText))
        case UInt8(ascii: "t"), UInt8(ascii: "r"), UInt8(ascii: "z"), UInt8(ascii: "k"):
            guard media == nil else { throw fields.error("this line belongs before the first `m=`") }
            try countLine(fields)
            hasTiming = true
            session.timingLines.append(SDPLine(letter: letter, value: fields.restText))
        default: throw fields.error("a line with a letter that is not known")
        }
    }

    private mutating func countLine(_ fields: SDPFields) throws(SDPError) {
        attributeCount += 1
        guard attributeCount <= SDPLimits.attributes else {
            throw fields.error("more than \(SDPLimits.attributes) attributes in one part")
        }
    }

    private mutating func readOrigin(_ fields: SDPFields) throws(SDPError) {
        var fields = fields
        var origin = SDPOrigin(sessionID: "", sessionVersion: "")
        origin.userName = try fields.textWord("the user of `o=`")
        origin.sessionID = try fields.textWord("the session of `o=`")
        origin.sessionVersion = try fields.textWord("the version of `o=`")
        origin.networkType = try fields.textWord("the network of `o=`")
        // Nobody connects there, so what is not said does not matter.
        if !fields.isAtEnd { origin.addressType = try fields.textWord("the address type of `o=`") }
        if !fields.isAtEnd { origin.address = try fields.textWord("the address of `o=`") }
        guard origin.addressType == "IP4" || origin.addressType == "IP6" else {
            throw fields.error("the address type of `o=` must be IP4 or IP6")
        }
        guard origin.sessionID.utf8.allSatisfy(isDigit), origin.sessionVersion.utf8.allSatisfy(isDigit) else {
            throw fields.error("session and version of `o=` must be numbers")
        }
        session.origin = origin
    }

    private mutating func readBandwidth(_ fields: SDPFields) {
        var fields = fields
        let modifier = fields.text(fields.take(until: UInt8(ascii: ":")))
        let bandwidth = SDPBandwidth(modifier: modifier, value: fields.restText)
        // As many as attributes at most, by the bound on lines; browsers write two.
        if media != nil { media?.bandwidths.append(bandwidth) } else { session.bandwidths.append(bandwidth) }
    }

    private mutating func readAttributeLine(_ fields: SDPFields) throws(SDPError) {
        var fields = fields
        let hasValue = fields.rest.contains(UInt8(ascii: ":"))
        let name = fields.text(fields.take(until: UInt8(ascii: ":")))
        guard !name.isEmpty else { throw fields.error("an attribute without a name") }
        // Candidates have a bound of their own, beyond which they are dropped.
        if name != "candidate" { try countLine(fields) }
        try readAttribute(name, hasValue: hasValue, fields)
    }

    // MARK: Sections

    private mutating func closeSection() {
        if let media { session.media.append(media) }
        media = nil
    }

    private mutating func beginSection(_ fields: SDPFields) throws(SDPError) {
        closeSection()
        guard session.media.count < SDPLimits.media else { throw fields.error("more than \(SDPLimits.media) `m=`") }
        attributeCount = 0
        extensionIDs = []
        var fields = fields
        let kind = SDPMediaKind(name: try fields.textWord("the kind of `m=`"))
        guard var ports = fields.word() else { throw fields.error("the port of `m=` is missing") }
        var count: UInt16?
        if let slash = ports.firstIndex(of: UInt8(ascii: "/")) {
            count = UInt16(
                try fields.number(ports[(slash + 1)...], "the number of ports", in: 1...UInt64(UInt16.max)))
            ports = ports[..<slash]
        }
        let port = UInt16(try fields.number(ports, "the port of `m=`", in: 0...UInt64(UInt16.max)))
        let protocolName = try fields.textWord("the protocol of `m=`")
        let formats = try fields.words(atMost: SDPLimits.formats, "formats")
        var section = MediaDescription(kind: kind, port: port, protocolName: protocolName, formats: formats)
        section.portCount = count
        section.position.line = fields.line
        if section.isRTP, kind == .audio || kind == .video {
            for format in formats {
                _ = try fields.number(Bytes(format.utf8)[...], "a payload type", in: 0...127)
            }
        }
        media = section
    }
}

extension MediaDescription {
    /// Whether the formats are payload types.
    package var isRTP: Bool {
        switch protocolName {
        case "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF": true
        default: hasDTLS && !protocolName.hasSuffix("SCTP")
        }
    }

    /// `UDP/TLS/RTP/SAVPF` and `UDP/DTLS/SCTP` with their variants over TCP (RFC 5764 §8, RFC 8841 §4).
    package var hasDTLS: Bool {
        switch protocolName {
        case "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVP", "UDP/DTLS/SCTP",
            "TCP/DTLS/SCTP", "DTLS/SCTP":
            true
        default: false
        }
    }
}
