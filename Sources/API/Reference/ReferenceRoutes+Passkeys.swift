// Hardware keys and passkeys (WebAuthn Level 2): enrolling, as a second factor, and instead of a password. The bodies
// are what browsers' `toJSON()` writes and `parseCreationOptionsFromJSON()` reads: binary members in base64url.

import Accounts
import Base
import Wire

extension ReferenceRoutes {
    static var passkeys: [Route] { passkeyEnrolment + passkeyLogin + passkeySecondStep }

    private static var passkeyEnrolment: [Route] {
        [
            .post(
                "/api/v1/auth/passkeys", .user, "Begin to enrol a hardware key or passkey", status: .created,
                limit: .authentication, answer: ceremonySchema
            ) { call in
                let options = try await call.accounts.beginPasskeyRegistration(try call.principal)
                return ReferencePresenter.reply { json in
                    json.field("token", options.token.exposedText)
                    json.object("public_key") { json in PasskeyJSON.creation(options, into: &json) }
                }
            },
            .post(
                "/api/v1/auth/passkeys/finish", .user, "Finish enrolling with the key's answer",
                limit: .authentication,
                body: .json(
                    .object([
                        .required("token", AccountFields.token), .optional("label", .nullable(.text(0...100))),
                        .required("credential", PasskeyJSON.registrationSchema),
                    ])), answer: codesSchema
            ) { call in
                codes(
                    try await call.accounts.finishPasskeyRegistration(
                        try call.principal, token: try call.secret("token"),
                        try PasskeyJSON.registration(call.body["credential"]), label: call.optionalText("label") ?? "",
                        origin: call.origin))
            },
        ]
    }

    private static var passkeyLogin: [Route] {
        [
            .post(
                "/api/v1/auth/passkeys/login", .everyone, "Begin a login with a passkey", limit: .authentication,
                answer: ceremonySchema
            ) { call in
                request(try await call.accounts.beginPasskeyLogin(session: SessionRequest(wantsCookie: true)))
            },
            .post(
                "/api/v1/auth/passkeys/login/finish", .everyone, "Finish it with the key's answer",
                limit: .authentication,
                body: .json(
                    .object([
                        .required("token", AccountFields.token),
                        .required("credential", PasskeyJSON.assertionSchema),
                    ])), answer: ReferencePresenter.tokenSchema
            ) { call in
                let signedIn = try await call.accounts.finishPasskeyLogin(
                    token: try call.secret("token"), try PasskeyJSON.assertion(call.body["credential"]),
                    origin: call.origin)
                return tokens(signedIn.tokens, call)
            },
        ]
    }

    private static var passkeySecondStep: [Route] {
        [
            .post(
                "/api/v1/auth/mfa/key", .everyone, "What to ask a hardware key for during a login",
                limit: .authentication, body: .json(.object([.required("temp_token", AccountFields.token)])),
                answer: ceremonySchema
            ) { call in
                request(try await call.accounts.keyOptions(temporaryToken: try call.secret("temp_token")))
            },
            .post(
                "/api/v1/auth/mfa/key/verify", .everyone, "Complete a login with a hardware key",
                limit: .authentication,
                body: .json(
                    .object([
                        .required("temp_token", AccountFields.token),
                        .required("credential", PasskeyJSON.assertionSchema),
                    ])), answer: ReferencePresenter.tokenSchema
            ) { call in
                let signedIn = try await call.accounts.completeMFA(
                    temporaryToken: try call.secret("temp_token"), method: .webauthn,
                    proof: .assertion(try PasskeyJSON.assertion(call.body["credential"])), origin: call.origin)
                return tokens(signedIn.tokens, call)
            },
        ]
    }

    private static func request(_ options: WebAuthn.RequestOptions) -> Reply {
        ReferencePresenter.reply { json in
            json.field("token", options.token.exposedText)
            json.object("public_key") { json in PasskeyJSON.request(options, into: &json) }
        }
    }

    private static let ceremonySchema = Schema.object([
        .required("token", .text), .required("public_key", .map(.any, limit: 16)),
    ])
}

/// WebAuthn's structures in the JSON form that browsers define.
private enum PasskeyJSON {
    private static let binary = Schema.text(1...StringRule.longest)

    static let registrationSchema = Schema.object([
        .required("id", binary),
        .required(
            "response", .object([.required("clientDataJSON", binary), .required("attestationObject", binary)])),
    ])
    static let assertionSchema = Schema.object([
        .required("id", binary),
        .required(
            "response",
            .object([
                .required("clientDataJSON", binary), .required("authenticatorData", binary),
                .required("signature", binary),
            ])),
    ])

    static func registration(_ value: JSONValue?) throws(RequestFault) -> WebAuthn.RegistrationResponse {
        WebAuthn.RegistrationResponse(
            clientDataJSON: try bytes(value?["response"], "clientDataJSON"),
            attestationObject: try bytes(value?["response"], "attestationObject"))
    }

    static func assertion(_ value: JSONValue?) throws(RequestFault) -> WebAuthn.AssertionResponse {
        WebAuthn.AssertionResponse(
            credentialID: try bytes(value, "id"), clientDataJSON: try bytes(value?["response"], "clientDataJSON"),
            authenticatorData: try bytes(value?["response"], "authenticatorData"),
            signature: try bytes(value?["response"], "signature"))
    }

    private static func bytes(_ object: JSONValue?, _ name: String) throws(RequestFault) -> Bytes {
        guard let bytes = object?[name]?.stringValue.flatMap({ Base64.decode($0, .urlSafe) }) else {
            throw .validation(FieldFault("credential.\(name)", .format, "must be base64url without padding"))
        }
        return bytes
    }

    static func creation(_ options: WebAuthn.CreationOptions, into json: inout JSONWriter) {
        json.field("challenge", Base64.encode(options.challenge, .urlSafe))
        json.object("rp") { json in
            json.field("id", options.relyingParty.id)
            json.field("name", options.relyingParty.name)
        }
        json.object("user") { json in
            json.field("id", Base64.encode(options.userHandle, .urlSafe))
            json.field("name", options.userName.exposed)
            json.field("displayName", options.userDisplayName.exposed)
        }
        json.array("pubKeyCredParams") { json in
            for algorithm in options.algorithms {
                json.object { json in
                    json.field("type", "public-key")
                    json.field("alg", algorithm)
                }
            }
        }
        json.field("timeout", options.lifetime.milliseconds)
        credentials("excludeCredentials", options.excluded, into: &json)
        json.object("authenticatorSelection") { json in
            json.field("residentKey", "preferred")
            json.field("userVerification", "preferred")
        }
        json.field("attestation", "none")
    }

    static func request(_ options: WebAuthn.RequestOptions, into json: inout JSONWriter) {
        json.field("challenge", Base64.encode(options.challenge, .urlSafe))
        json.field("rpId", options.relyingPartyID)
        json.field("timeout", options.lifetime.milliseconds)
        credentials("allowCredentials", options.allowed, into: &json)
        json.field("userVerification", options.requiresUserVerification ? "required" : "preferred")
    }

    private static func credentials(_ name: StaticString, _ ids: [Bytes], into json: inout JSONWriter) {
        json.array(name) { json in
            for id in ids {
                json.object { json in
                    json.field("type", "public-key")
                    json.field("id", Base64.encode(id, .urlSafe))
                }
            }
        }
    }
}
