// Second factors: enrolling, confirming, removing. reference.md shows only how a login is completed; these rows are
// ours and listed in docs/protocol/dialects.md.

import Accounts
import Base
import Wire

extension ReferenceRoutes {
    static var secondFactors: [Route] {
        manage + authenticatorApps + sentCodes
    }

    private static var manage: [Route] {
        [
            .get("/api/v1/auth/mfa", .user, "The caller's second factors", answer: factorsSchema) { call in
                let factors = try await call.accounts.factors(try call.principal)
                return ReferencePresenter.reply { json in
                    json.array("factors") { json in
                        for item in factors { json.object { json in factor(item, into: &json) } }
                    }
                }
            },
            .post(
                "/api/v1/auth/mfa/{factor_id}/remove", .user, "Remove a second factor", limit: .authentication,
                body: .json(passwordBody), answer: ReferencePresenter.messageSchema
            ) { call in
                guard let id = UUID(call.parameter("factor_id")) else { throw RequestFault.notFound }
                try await call.accounts.removeFactor(
                    try call.principal, id, password: try call.secret("password"), origin: call.origin)
                return ReferencePresenter.message("The factor is removed")
            },
            .post(
                "/api/v1/auth/mfa/recovery-codes", .user, "Make new recovery codes; the old ones end",
                limit: .authentication, body: .json(passwordBody), answer: codesSchema
            ) { call in
                codes(
                    try await call.accounts.makeRecoveryCodes(
                        try call.principal, password: try call.secret("password"), origin: call.origin))
            },
        ]
    }

    private static var authenticatorApps: [Route] {
        [
            .post(
                "/api/v1/auth/mfa/totp", .user, "Begin to enrol an authenticator app", status: .created,
                limit: .authentication,
                body: .optionalJSON(.object([.optional("label", .nullable(.text(0...100)))])), answer: enrolmentSchema
            ) { call in
                let enrolment = try await call.accounts.enrolTOTP(
                    try call.principal, label: call.optionalText("label") ?? "")
                let uri = enrolment.uri.exposedText
                let picture = QRCode(uri)?.svg
                return ReferencePresenter.reply { json in
                    json.field("factor_id", enrolment.factor)
                    json.field("secret", enrolment.secret.exposedText)
                    json.field("otpauth_uri", uri)
                    json.field("qr_svg", picture)
                }
            },
            .post(
                "/api/v1/auth/mfa/totp/confirm", .user, "Finish enrolling with a first code", limit: .authentication,
                body: .json(.object([.required("factor_id", .uuid), .required("code", AccountFields.code)])),
                answer: codesSchema
            ) { call in
                guard let id = UUID(try call.text("factor_id")) else { throw RequestFault.notFound }
                return codes(
                    try await call.accounts.confirmTOTP(
                        try call.principal, factor: id, code: try call.text("code"), origin: call.origin))
            },
        ]
    }

    private static var sentCodes: [Route] {
        [
            .post(
                "/api/v1/auth/mfa/sent", .user, "Begin to enrol an e-mail address or a phone number",
                status: .created, limit: .authentication,
                body: .json(
                    .object([
                        .required("method", .choice(["email", "sms"])), .required("recipient", .text(3...254)),
                    ])), answer: Schema.object([.required("token", .text)])
            ) { call in
                let method: MFAMethod = try call.text("method") == "sms" ? .sms : .email
                let token = try await call.accounts.enrolSent(
                    try call.principal, method, to: try call.text("recipient"), origin: call.origin)
                return ReferencePresenter.reply { json in json.field("token", token.exposedText) }
            },
            .post(
                "/api/v1/auth/mfa/sent/confirm", .user, "Finish enrolling with the code that was sent",
                limit: .authentication,
                body: .json(.object([.required("token", AccountFields.token), .required("code", AccountFields.code)])),
                answer: codesSchema
            ) { call in
                codes(
                    try await call.accounts.confirmSent(
                        try call.principal, token: try call.secret("token"), code: try call.text("code"),
                        origin: call.origin))
            },
            .post(
                "/api/v1/auth/mfa/send", .everyone, "Have a code sent during a login", limit: .authentication,
                body: .json(
                    .object([
                        .required("temp_token", AccountFields.token), .required("method", .choice(["email", "sms"])),
                    ])), answer: ReferencePresenter.messageSchema
            ) { call in
                try await call.accounts.requestCode(
                    temporaryToken: try call.secret("temp_token"),
                    method: try call.text("method") == "sms" ? .sms : .email, origin: call.origin)
                return ReferencePresenter.message("The code is on its way")
            },
        ]
    }

    private static let passwordBody = Schema.object([.required("password", AccountFields.password)])

    static func codes(_ codes: [Secret]) -> Reply {
        ReferencePresenter.reply { json in json.field("recovery_codes", codes.map(\.exposedText)) }
    }

    private static func factor(_ factor: MFAFactor, into json: inout JSONWriter) {
        json.field("id", factor.id)
        json.field("method", factor.method.rawValue)
        json.field("label", factor.label)
        json.field("is_active", factor.isActive)
        json.field("created_at", factor.createdAt)
        json.field("last_used_at", factor.lastUsedAt)
    }

    static let codesSchema = Schema.object([.required("recovery_codes", .array(.text, limit: 16))])
    private static let factorsSchema = Schema.object([
        .required(
            "factors",
            .array(
                .object([
                    .required("id", .uuid), .required("method", .choice(MFAMethod.allCases.map(\.rawValue))),
                    .required("label", .text), .required("is_active", .boolean), .required("created_at", .dateTime),
                    .required("last_used_at", .nullable(.dateTime)),
                ]), limit: 1_000))
    ])
    private static let enrolmentSchema = Schema.object([
        .required("factor_id", .uuid), .required("secret", .text), .required("otpauth_uri", .text),
        .required("qr_svg", .nullable(.text)),
    ])
}
