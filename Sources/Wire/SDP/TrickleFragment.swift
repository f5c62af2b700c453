// A fragment of a session description that brings candidates or new ICE credentials (RFC 8840 §9), the body of a PATCH
// in WHIP and WHEP: `application/trickle-ice-sdpfrag`.

package import Base

package struct TrickleFragment: Equatable, Sendable {
    package static let contentType = "application/trickle-ice-sdpfrag"

    package struct Section: Equatable, Sendable {
        /// `nil` in fragments of implementations that count sections instead.
        package var mid: String?
        /// `audio`, and so on: the m-line is there for its form only (RFC 8840 §9.2).
        package var kind: SDPMediaKind
        package var ufrag: String?
        package var password: String?
        /// What follows `a=candidate:`.
        package var candidates: [String]
        package var endOfCandidates: Bool

        package init(mid: String?, kind: SDPMediaKind, candidates: [String], endOfCandidates: Bool) {
            self.mid = mid
            self.kind = kind
            self.candidates = candidates
            self.endOfCandidates = endOfCandidates
        }
    }

    /// For all sections that have none of their own. New ones mean an ICE restart.
    package var ufrag: String?
    package var password: String?
    package var options: [String] = []
    package var isICELite = false
    package var groups: [SDPGroup] = []
    package var endOfCandidates = false
    package var sections: [Section] = []

    package init() {}

    /// Of the first section that has one, else of the fragment.
    package var effectiveUfrag: String? { sections.lazy.compactMap(\.ufrag).first ?? ufrag }
    package var effectivePassword: String? { sections.lazy.compactMap(\.password).first ?? password }
}

extension TrickleFragment {
    package init(parsing bytes: Bytes) throws(SDPError) {
        var parser = SDPParser(bytes)
        let description = try parser.fragment()
        ufrag = description.transport.ufrag
        password = description.transport.password
        options = description.transport.options
        isICELite = description.isICELite
        groups = description.groups
        endOfCandidates = description.endOfCandidates
        for media in description.media {
            var section = Section(
                mid: media.mid, kind: media.kind, candidates: media.candidates, endOfCandidates: media.endOfCandidates)
            section.ufrag = media.transport.ufrag
            section.password = media.transport.password
            sections.append(section)
        }
    }

    package var encoded: Bytes {
        var session = SessionDescription(origin: SDPOrigin(sessionID: "0", sessionVersion: "0"))
        session.transport.ufrag = ufrag
        session.transport.password = password
        session.transport.options = options
        session.isICELite = isICELite
        session.groups = groups
        session.endOfCandidates = endOfCandidates
        var writer = SDPWriter()
        writer.writeAttributes(of: session)
        for section in sections {
            // RFC 8840 §9.2: port 9, protocol and format have no meaning here.
            var media = MediaDescription(
                kind: section.kind, port: 9, protocolName: "UDP/TLS/RTP/SAVPF", formats: ["0"])
            if section.kind == .application {
                media.protocolName = "UDP/DTLS/SCTP"
                media.formats = ["webrtc-datachannel"]
            }
            media.mid = section.mid
            media.transport.ufrag = section.ufrag
            media.transport.password = section.password
            media.candidates = section.candidates
            media.endOfCandidates = section.endOfCandidates
            writer.write(media)
        }
        return writer.bytes
    }
}
