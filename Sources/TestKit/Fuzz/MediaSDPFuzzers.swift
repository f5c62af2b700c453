// The fuzzers of session descriptions and of the negotiator.

import Base
package import Media
import Wire

extension Fuzzers {
    package static let sdp = [Fuzzer("sdp", fuzzSDP)]

    /// A negotiator with something to send, whatever is offered to it.
    package static func negotiator() -> Negotiator {
        var configuration = NegotiatorConfiguration(
            fingerprints: [SDPFingerprint(hash: .sha256, bytes: Bytes(repeating: 1, count: 32))],
            candidates: ["1 1 udp 1 192.0.2.1 9 typ host"], sessionID: 1, cname: "c")
        configuration.maximumSections = 16
        var negotiator = Negotiator(
            configuration, credentials: ICECredentials(randomBytes: Bytes(0..<24)))
        var random = SplitMix(seed: 1)
        let opus = NegotiatedCodec(payloadType: 111, codec: .opus, clockRate: 48_000, channels: 2)
        _ = negotiator.addSender(.audio, codecs: [opus], streamID: "s", trackID: "t", using: &random)
        return negotiator
    }
}

/// What was read is written and read back as the same; an error is at a line of the text; an answer has the sections
/// of the offer, and a refused offer changes nothing.
private func fuzzSDP(_ bytes: Bytes) {
    fuzzFragment(bytes)
    let lines = bytes.count { $0 == 0x0A } + 1
    do throws(SDPError) {
        let description = try SessionDescription(parsing: bytes)
        guard let again = try? SessionDescription(parsing: description.encoded) else {
            promise(false, "what is written can be read")
            return
        }
        promise(again == description, "what is written is read back as the same")
        promise(again.encoded == description.encoded, "and written again as the same bytes")
        fuzzNegotiator(description)
    } catch {
        promise((0...lines + 1).contains(error.line) && !error.reason.isEmpty, "an error is at a line of the text")
    }
}

private func fuzzFragment(_ bytes: Bytes) {
    guard let fragment = try? TrickleFragment(parsing: bytes) else { return }
    promise((try? TrickleFragment(parsing: fragment.encoded)) == fragment, "a fragment is read back as the same")
}

private func fuzzNegotiator(_ description: SessionDescription) {
    let fresh = ICECredentials(randomBytes: Bytes(1...24))
    var negotiator = Fuzzers.negotiator()
    let before = negotiator.transceivers
    if let answer = try? negotiator.accept(offer: description, freshCredentials: fresh) {
        promise(answer.media.count == description.media.count, "an answer has the sections of the offer")
        promise((try? SessionDescription(parsing: answer.encoded)) == answer, "an answer can be read")
        promise(
            zip(answer.media, description.media).allSatisfy { $0.kind == $1.kind && $0.mid == $1.mid },
            "in their order")
    } else {
        promise(negotiator.transceivers == before, "a refused offer changes nothing")
    }
    // The same text as an answer to an offer of ours.
    guard (try? negotiator.makeOffer()) != nil else { return }
    _ = try? negotiator.accept(answer: description)
}
