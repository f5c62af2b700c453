import Base
extension AccountService {
    func proven(_ response: WebAuthn.AssertionResponse, _ factors: [Factor], _ challenge: StoredChallenge?) -> Proven? { nil }
}
