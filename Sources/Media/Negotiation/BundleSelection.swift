// Which sections of a description share the one transport (RFC 9143), and whether what they say of it is enough.

import Wire

struct BundleSelection {
    /// Indices of sections in the order of the group; those with port 0 are not among them.
    private(set) var members: [Int] = []
    /// Whether there was a group, so that the other description needs one.
    private(set) var isGroup = false

    /// Names are checked over all sections; a group that names what is not there is refused.
    init(_ description: SessionDescription) throws(NegotiationError) {
        var indices: [String: Int] = [:]
        for (index, media) in description.media.enumerated() {
            guard let mid = media.mid else { continue }
            guard mid.utf8.allSatisfy(Self.isToken) else {
                throw NegotiationError(.refused, line: media.position.line, "`mid` must be a token")
            }
            guard indices.updateValue(index, forKey: mid) == nil else {
                throw NegotiationError(.refused, line: media.position.line, "`mid` \(mid) is given twice")
            }
        }
        guard let group = description.bundle else {
            // One transport, so one section: the first that could be used.
            members = description.media.indices.filter { description.media[$0].port != 0 }.prefix(1).map { $0 }
            return
        }
        isGroup = true
        var seen: Set<Int> = []
        for mid in group.mids {
            guard let index = indices[mid] else {
                throw NegotiationError(.refused, "the BUNDLE group names a section \(mid) that is not there")
            }
            let media = description.media[index]
            if media.port != 0 || media.bundleOnly, seen.insert(index).inserted { members.append(index) }
        }
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        // RFC 8866 §9 `token`: no quotes, brackets and the like.
        byte > 0x20 && byte < 0x7F && !"\"(),/:;<=>?@[\\]".utf8.contains(byte)
    }
}

/// What one description says of the transport.
struct DescribedTransport {
    var credentials: ICECredentials
    var fingerprints: [SDPFingerprint]
    var setup: SDPSetup?
    var trickles: Bool
    var candidates: [String]
    var endOfCandidates: Bool

    /// Of the first section that is used. A bundled section may leave lines out when the first of the group has them
    /// (RFC 9143 §7.1.3).
    init(_ description: SessionDescription, _ index: Int, tagged: Int) throws(NegotiationError) {
        let media = description.media[index]
        let line = media.position.line
        let own = description.transport(of: media)
        let first = description.transport(of: description.media[tagged])
        guard let ufrag = own.ufrag ?? first.ufrag, let password = own.password ?? first.password else {
            throw NegotiationError(.refused, line: line, "`ice-ufrag` and `ice-pwd` are missing")
        }
        credentials = try Self.credentials(ufrag, password, line: line)
        let all = own.fingerprints.isEmpty ? first.fingerprints : own.fingerprints
        fingerprints = Array(all.filter { $0.hash != .sha1 }.prefix(Self.maximumFingerprints))
        guard !fingerprints.isEmpty else {
            throw NegotiationError(.refused, line: line, "a `fingerprint` with sha-256 or longer is missing")
        }
        setup = own.setup ?? first.setup
        let options = own.options.isEmpty ? first.options : own.options
        trickles = options.contains("trickle")
        candidates = media.candidates
        endOfCandidates = media.endOfCandidates || description.endOfCandidates
    }

    static func credentials(
        _ ufrag: String, _ password: String, line: Int = 0
    ) throws(NegotiationError) -> ICECredentials {
        do throws(WireError) {
            return try ICECredentials(ufrag: ufrag, password: password)
        } catch {
            throw NegotiationError(.refused, line: line, error.reason)
        }
    }

    /// A certificate has one per hash; a peer may announce a second certificate.
    private static let maximumFingerprints = 8
}
