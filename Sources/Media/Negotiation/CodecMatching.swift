// When two sides mean the same codec: the parameters that make a codec another one (RFC 6184 §8.2.2, RFC 7798 §7.2.2,
// RFC 9628 §6, the AV1 payload format §7.2), and those that we answer with.

import Wire

/// `a=fmtp` as names and values.
package struct FormatParameters: Equatable, Sendable {
    /// A codec has a dozen at most; what follows is not looked at.
    private static let limit = 32

    private var pairs: [(name: String, value: String)] = []

    package init(_ text: String) {
        for part in text.utf8.split(separator: UInt8(ascii: ";")).prefix(Self.limit) {
            let trimmed = part.drop { $0 == 0x20 }
            guard let equals = trimmed.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = String(decoding: trimmed[..<equals], as: UTF8.self)
            var value = trimmed[trimmed.index(after: equals)...]
            while value.last == 0x20 { value.removeLast() }
            if self[name] == nil { pairs.append((name, String(decoding: value, as: UTF8.self))) }
        }
    }

    package var text: String { pairs.map { "\($0.name)=\($0.value)" }.joined(separator: ";") }

    package subscript(name: String) -> String? { pairs.first { asciiEqualIgnoringCase($0.name, name) }?.value }

    package static func == (left: FormatParameters, right: FormatParameters) -> Bool {
        left.pairs.count == right.pairs.count && left.pairs.allSatisfy { right[$0.name] == $0.value }
    }
}

/// `profile-level-id` of H.264: profile, constraint flags and level in six hexadecimal digits (RFC 6184 §8.1).
package struct H264Profile: Equatable, Sendable {
    package enum Profile: UInt8, Equatable, Sendable {
        case constrainedBaseline, baseline, extended, main, constrainedHigh, high, high10, high422, high444
    }

    package var profile: Profile
    /// Ten times the level; 9 is level 1b.
    package var level: UInt8
    /// As it was written, without the level.
    private let prefix: String

    /// RFC 6184 §8.1: what holds when the parameter is missing.
    package static let unsaid = "420010"

    /// `nil` for what is no profile of table 5 and of the professional ones.
    package init?(_ text: String) {
        guard text.utf8.count == 6, let bits = UInt32(text, radix: 16) else { return nil }
        let constraints = UInt8(truncatingIfNeeded: bits >> 8)
        switch (UInt8(truncatingIfNeeded: bits >> 16), constraints) {
        case (0x42, let flags) where flags & 0x4F == 0x40: profile = .constrainedBaseline
        case (0x4D, let flags) where flags & 0x8F == 0x80: profile = .constrainedBaseline
        case (0x58, let flags) where flags & 0xCF == 0xC0: profile = .constrainedBaseline
        case (0x42, let flags) where flags & 0x4F == 0: profile = .baseline
        case (0x58, let flags) where flags & 0xCF == 0x80: profile = .baseline
        case (0x58, let flags) where flags & 0xCF == 0: profile = .extended
        case (0x4D, let flags) where flags & 0xAF == 0: profile = .main
        case (0x64, 0x00): profile = .high
        case (0x64, 0x0C): profile = .constrainedHigh
        case (0x6E, 0x00): profile = .high10
        case (0x7A, 0x00): profile = .high422
        case (0xF4, 0x00): profile = .high444
        default: return nil
        }
        let idc = UInt8(truncatingIfNeeded: bits)
        // Level 1b is level 11 with constraint_set3 in the profiles that have the flag.
        let isLevel1b = idc == 11 && constraints & 0x10 != 0 && profile.rawValue <= Profile.main.rawValue
        level = isLevel1b ? 9 : idc
        prefix = String(text.prefix(4))
    }

    package init?(_ parameters: FormatParameters) {
        self.init(parameters["profile-level-id"] ?? Self.unsaid)
    }

    /// With another level; level 1b and 1.1 differ in a flag, and none of ours is so low.
    func text(level: UInt8) -> String {
        let digits = String(level, radix: 16)
        return prefix + (digits.utf8.count == 1 ? "0" + digits : digits)
    }
}

extension NegotiatedCodec {
    /// Whether packets of the one can be sent as the other, with another payload type.
    package func isSame(as other: NegotiatedCodec) -> Bool {
        codec == other.codec && clockRate == other.clockRate && channels == other.channels
            && CodecMatching.isSame(codec, FormatParameters(parameters), FormatParameters(other.parameters))
    }
}

enum CodecMatching {
    /// Whether the parameters name the same codec: then packets of the one can be sent where the other was agreed.
    static func isSame(_ codec: Codec, _ left: FormatParameters, _ right: FormatParameters) -> Bool {
        func equal(_ name: String, unsaid: String) -> Bool { (left[name] ?? unsaid) == (right[name] ?? unsaid) }
        switch codec {
        case .h264:
            guard let one = H264Profile(left), let other = H264Profile(right) else { return false }
            // Mode 2 (interleaved) no browser speaks; it would be equal to itself only.
            return one.profile == other.profile && equal("packetization-mode", unsaid: "0")
        case .h265:
            return equal("profile-id", unsaid: "1") && equal("tx-mode", unsaid: "SRST")
        case .vp9: return equal("profile-id", unsaid: "0")
        case .av1: return equal("profile", unsaid: "0")
        default: return true
        }
    }

    /// The parameters with which we agree to what the peer offered. `ours` is the preference that matched.
    static func answer(_ codec: Codec, offered text: String, ours: FormatParameters) -> String {
        let offered = FormatParameters(text)
        switch codec {
        case .h264: return answerH264(offered, ours)
        case .h265: return kept(["level-id", "profile-id", "tier-flag", "tx-mode"], of: offered)
        case .vp9: return kept(["profile-id"], of: offered)
        case .av1: return kept(["level-idx", "profile", "tier"], of: offered)
        case .opus:
            // In-band correction costs nothing when the sender sees no loss, so we always ask for it.
            let names = [
                "minptime", "maxplaybackrate", "maxaveragebitrate", "stereo", "sprop-stereo", "cbr", "usedtx",
            ]
            let mirrored = kept(names, of: offered)
            let asked = ours["usedtx"] == "1" && offered["usedtx"] == nil ? ";usedtx=1" : ""
            return (mirrored.isEmpty ? "" : mirrored + ";") + "useinbandfec=1" + asked
        case .red, .telephoneEvent: return text
        default: return ""
        }
    }

    /// RFC 6184 §8.2.2: the level is ours when both allow asymmetry, and the lower of both otherwise.
    private static func answerH264(_ offered: FormatParameters, _ ours: FormatParameters) -> String {
        guard let theirs = H264Profile(offered), let mine = H264Profile(ours) else { return "" }
        let isAsymmetric = offered["level-asymmetry-allowed"] == "1"
        let level = isAsymmetric ? mine.level : min(theirs.level, mine.level)
        var parts = isAsymmetric ? ["level-asymmetry-allowed=1"] : []
        if let mode = offered["packetization-mode"] { parts.append("packetization-mode=\(mode)") }
        if level == theirs.level {
            if let text = offered["profile-level-id"] { parts.append("profile-level-id=" + text) }
        } else {
            parts.append("profile-level-id=" + theirs.text(level: level))
        }
        return parts.joined(separator: ";")
    }

    private static func kept(_ names: [String], of offered: FormatParameters) -> String {
        names.compactMap { name in offered[name].map { "\(name)=\($0)" } }.joined(separator: ";")
    }

    /// What tells two payload types with one codec name apart; the key of the table of payload types.
    static func identity(_ codec: Codec, _ text: String) -> String {
        let parameters = FormatParameters(text)
        switch codec {
        case .h264:
            let profile = H264Profile(parameters).map { "\($0.profile.rawValue)" } ?? text
            return "\(profile)/\(parameters["packetization-mode"] ?? "0")"
        case .h265: return "\(parameters["profile-id"] ?? "1")/\(parameters["tx-mode"] ?? "SRST")"
        case .vp9: return parameters["profile-id"] ?? "0"
        case .av1: return parameters["profile"] ?? "0"
        case .red, .rtx: return text
        default: return ""
        }
    }
}
