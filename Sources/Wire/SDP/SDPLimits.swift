// The bounds of a session description, and the error that a bad one gets.

/// How much of a description is read. Whatever goes beyond a bound is refused at the line where it does; candidates
/// are the exception: those beyond the bound are dropped, for a peer with many interfaces is not hostile.
package enum SDPLimits {
    /// A browser writes 4 KiB per section, so 60 sections fit. Higher costs memory per request, lower refuses large
    /// calls.
    package static let bytes = 262_144
    /// Lines of the whole text. Browsers need about 110 per section.
    package static let lines = 8_192
    /// Longest are the `m=` lines and `fmtp` with parameter sets: some hundred bytes. Higher lets one list grow.
    package static let lineBytes = 8_192
    /// Sections that begin with `m=`. What a connection may use is set by the negotiator, below this.
    package static let media = 256
    /// Lines with `a=` before the first section, or in one section.
    package static let attributes = 1_024
    /// Formats of one section: there are 128 payload types.
    package static let formats = 128
    /// Candidates kept of one section. ICE would not try more pairs than this.
    package static let candidates = 64
    /// `a=rid` of a section: browsers write one for each layer, 3 as a rule.
    package static let rids = 32
    /// Members of a list inside of one line: group members, stream identifiers, sources.
    package static let listMembers = 256
    /// RFC 8839 §5.4: `ice-ufrag` and `ice-pwd` have 256 characters at most.
    package static let credentialBytes = 256
    /// Identifiers (`mid`, `rid`). RTP carries them in every packet at first, with 255 bytes at most in a two-byte
    /// header extension; browsers send 1 to 4.
    package static let identifierBytes = 64
}

/// Why a description was refused: the line, counted from 1, and a sentence.
package struct SDPError: Error, Equatable, Sendable, CustomStringConvertible {
    package var line: Int
    package var reason: String

    package init(line: Int, reason: String) {
        self.line = line
        self.reason = reason
    }

    package var description: String { "line \(line): \(reason)" }
}

/// Where something stood in the text it was read from, counted from 1; 0 for what was not read. It is no part of the
/// meaning: two descriptions are equal wherever their lines are.
package struct SDPPosition: Equatable, Sendable {
    package var line: Int

    package init(line: Int = 0) { self.line = line }

    package static func == (left: SDPPosition, right: SDPPosition) -> Bool { true }
}
