// Fragments (RFC 8840) of a peer whose offer came by WHIP or WHEP: more candidates, or an ICE restart without a new
// offer (RFC 9725 §4.3.2).

package import Wire

package enum FragmentOutcome: Equatable, Sendable {
    /// For the ICE agent. What follows `a=candidate:`, of all sections, for they share one transport.
    case candidates([String], endOfCandidates: Bool)
    /// ICE begins again with `transport`; the fragment is the answer.
    case restarted(TrickleFragment, candidates: [String])
}

extension Negotiator {
    /// `freshCredentials` become ours when the fragment restarts ICE; otherwise they are not used.
    package mutating func accept(
        fragment: TrickleFragment, freshCredentials: ICECredentials
    ) throws(NegotiationError) -> FragmentOutcome {
        guard var agreed = transport else {
            throw NegotiationError(.wrongState, "a fragment, and nothing is agreed that it could add to")
        }
        for section in fragment.sections {
            guard let mid = section.mid, !slots.contains(where: { $0.mid == mid }) else { continue }
            throw NegotiationError(.refused, "the fragment names a section \(mid) that is not there")
        }
        let candidates = fragment.sections.flatMap(\.candidates)
        let isEnd = fragment.endOfCandidates || fragment.sections.contains(where: \.endOfCandidates)
        guard let ufrag = fragment.effectiveUfrag, ufrag != agreed.remote.ufrag else {
            return .candidates(Array(candidates.prefix(SDPLimits.candidates)), endOfCandidates: isEnd)
        }
        let remote = try DescribedTransport.credentials(ufrag, fragment.effectivePassword ?? "")
        credentials = freshCredentials
        restart = nil
        generation += 1
        agreed.remote = remote
        agreed.local = freshCredentials
        agreed.generation = generation
        agreed.candidates = Array(candidates.prefix(SDPLimits.candidates))
        agreed.endOfCandidates = isEnd
        transport = agreed
        return .restarted(restartAnswer(), candidates: agreed.candidates)
    }

    private func restartAnswer() -> TrickleFragment {
        var answer = TrickleFragment()
        answer.isICELite = configuration.isLite
        answer.ufrag = credentials.ufrag
        answer.password = credentials.exposedPassword
        answer.options = ["trickle", "ice2"]
        if let slot = slots.first(where: { !$0.isRejected }) {
            answer.sections = [
                TrickleFragment.Section(
                    mid: slot.mid, kind: slot.mediaKind, candidates: configuration.candidates, endOfCandidates: true)
            ]
        }
        return answer
    }
}
