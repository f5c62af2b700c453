// What goes between the server and a browser's `navigator.credentials` (Web Authentication Level 2), as values. How they
// are put into JSON is the business of whoever serves them.

package import Base

package enum WebAuthn {
    /// Who asks: credentials are bound to `id`, and made for pages of `origins` only.
    package struct RelyingParty: Sendable, Equatable {
        /// A host name without scheme and port: `chat.example.org`.
        package var id: String
        package var name: String
        /// With scheme, and with the port where it is not the usual one: `https://chat.example.org`.
        package var origins: [String]

        package init(
            id: String = "localhost", name: String = "PlexiChat", origins: [String] = ["http://localhost:8000"]
        ) {
            self.id = id
            self.name = name
            self.origins = origins
        }
    }

    /// EdDSA, ES256, RS256 (RFC 9053, RFC 8812).
    static let algorithms: [Int64] = [-8, -7, -257]

    /// For `navigator.credentials.create`.
    package struct CreationOptions: Sendable {
        /// Comes back with the response; names the ceremony.
        package let token: Secret
        package let challenge: Bytes
        package let relyingParty: RelyingParty
        /// COSE algorithms that we check, the one that we would like first.
        package let algorithms: [Int64]
        /// The user's identifier; holds nothing personal.
        package let userHandle: Bytes
        package let userName: Private<String>
        package let userDisplayName: Private<String>
        /// Credentials that the user has already.
        package let excluded: [Bytes]
        package let lifetime: Duration
    }

    /// For `navigator.credentials.get`.
    package struct RequestOptions: Sendable {
        package let token: Secret
        package let challenge: Bytes
        package let relyingPartyID: String
        /// Empty: whichever the user chooses (a passkey).
        package let allowed: [Bytes]
        package let requiresUserVerification: Bool
        package let lifetime: Duration
    }

    package struct RegistrationResponse: Sendable {
        package let clientDataJSON: Bytes
        package let attestationObject: Bytes

        package init(clientDataJSON: Bytes, attestationObject: Bytes) {
            self.clientDataJSON = clientDataJSON
            self.attestationObject = attestationObject
        }
    }

    package struct AssertionResponse: Sendable {
        package let credentialID: Bytes
        package let clientDataJSON: Bytes
        package let authenticatorData: Bytes
        package let signature: Bytes

        package init(credentialID: Bytes, clientDataJSON: Bytes, authenticatorData: Bytes, signature: Bytes) {
            self.credentialID = credentialID
            self.clientDataJSON = clientDataJSON
            self.authenticatorData = authenticatorData
            self.signature = signature
        }
    }

    /// Why a response is refused. For tests and logs: the client learns only that it is.
    package enum Fault: Error, Sendable, Equatable {
        case tooLong, badClientData, wrongType, wrongChallenge, wrongOrigin, crossOrigin
        case badAuthenticatorData, wrongRelyingParty, userNotPresent, userNotVerified
        case badAttestation, badKey, badSignature, wrongCredential, counterWentBack
    }
}
