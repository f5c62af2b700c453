import Base
import Testing
import Wire

@testable import Media

/// Offers of browsers and servers, as they were recorded: each gets an answer that keeps to what it offers.
struct RecordedOfferTests {
    @Test func `every recorded offer gets an answer that fits it`() throws {
        let offers = NegotiationVectors.offers
        try #require(offers.count > 100)
        for name in offers {
            var negotiator = NegotiationVectors.negotiator()
            do {
                let answer = try negotiator.accept(
                    offer: NegotiationVectors.description(name), freshCredentials: NegotiationVectors.credentials(2))
                let written = answer.encoded
                let checker = AnswerChecker(
                    offer: NegotiationVectors.bytes(name), answer: written, isOurs: true)
                #expect(checker.problems.isEmpty, "\(name): \(checker.problems)")
                #expect(try SessionDescription(parsing: written) == answer, "\(name): the answer is read back")
                #expect(negotiator.transport != nil || negotiator.transceivers.isEmpty, "\(name)")
            } catch {
                Issue.record("\(name): \(error)")
            }
        }
    }

    @Test func `the checker finds the recorded answers in order`() throws {
        try #require(NegotiationVectors.pairs.count > 60)
        for (offer, answer) in NegotiationVectors.pairs {
            let checker = AnswerChecker(
                offer: NegotiationVectors.bytes(offer), answer: NegotiationVectors.bytes(answer), isOurs: false)
            #expect(checker.problems.isEmpty, "\(offer) - \(answer): \(checker.problems)")
        }
    }
}
