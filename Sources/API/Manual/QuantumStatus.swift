// manual.md, "Quantum-Ready Encryption Status": which part uses what, as it is in this process. What is not safe is said as
// plainly as what is.

import Base
import Crypto
import Vault
import Wire

struct QuantumStatus {
    private struct Component {
        let name: String
        let algorithm: String
        let protection: QuantumProtection
        /// Where a named key does it.
        var key: NamedKey?
        let isInUse: Bool
        let note: String
    }

    private let components: [Component]

    init(_ book: KeyBook, _ keys: VaultKeys) {
        var components: [Component] = []
        for definition in keys.definitions {
            guard let key = book.keys[definition.name] else { continue }
            components.append(
                Component(
                    name: definition.name, algorithm: key.kind.algorithm, protection: key.kind.protection, key: key,
                    isInUse: keys.isUsed(key.name), note: "\(definition.use) (\(Self.remark(key.kind)))"))
        }
        self.components = components + Self.withoutKeys
    }

    private static func remark(_ kind: KeyKind) -> String {
        switch kind {
        case .data, .hmac: "256 bits, of which a quantum computer leaves 128"
        case .hybrid: "what is recorded today stays closed to the quantum computers of tomorrow"
        case .ed25519: "a forgery needs a quantum computer while the signature counts; past ones are not at stake"
        }
    }

    private static var withoutKeys: [Component] {
        let isHybrid = OpenSSLLibrary.negotiatesHybridTLS
        return [
            Component(
                name: "passwords", algorithm: "Argon2id", protection: .symmetric, isInUse: true,
                note: "hashes of passwords"),
            Component(
                name: "audit", algorithm: "HMAC-SHA256", protection: .symmetric, isInUse: true,
                note: "the chain of the audit log, its key derived from the vault's base key"),
            Component(
                name: "named keys", algorithm: "AES-256-GCM, HMAC-SHA256", protection: .symmetric, isInUse: true,
                note: "keys at rest, wrapped under the root key"),
            Component(
                name: "tls", algorithm: isHybrid ? "X25519MLKEM768 or X25519" : "X25519 or P-256",
                protection: isHybrid ? .hybrid : .classical, isInUse: true,
                note: isHybrid
                    ? "where the server ends TLS itself; hybrid with clients that offer it"
                    : "where the server ends TLS itself; hybrid with OpenSSL 3.5 or newer, which this is not"),
            Component(
                name: "media", algorithm: "DTLS 1.2 with ECDHE, SRTP with AES", protection: .classical, isInUse: true,
                note: "calls under way; end-to-end encryption of the clients' own is not touched"),
        ]
    }

    // MARK: Presenting

    func write(into json: inout JSONWriter) {
        let hybrid = components.filter { $0.protection == .hybrid }
        json.field("last_rotation_at", hybrid.compactMap { $0.key?.active?.createdAt }.max())
        json.array("components") { json in
            for component in components { json.object { Self.write(component, into: &$0) } }
        }
        json.object("openssl") { json in
            json.field("version", OpenSSLLibrary.version)
            json.field("has_ml_kem", OpenSSLLibrary.hasMLKEM)
            json.field("negotiates_hybrid_tls", OpenSSLLibrary.negotiatesHybridTLS)
        }
        json.field("ml_kem_implementation", OpenSSLLibrary.hasMLKEM ? "openssl" : "plexichat")
    }

    private static func write(_ component: Component, into json: inout JSONWriter) {
        json.field("component", component.name)
        json.field("algorithm", component.algorithm)
        json.field("protection", component.protection.rawValue)
        json.field("is_post_quantum", component.protection != .classical)
        json.field("is_hybrid", component.protection == .hybrid)
        json.field("is_in_use", component.isInUse)
        json.field("key_id", component.key?.name)
        json.field("last_rotation_at", component.key?.active?.createdAt)
        json.field("note", component.note)
    }

    static let schema = Schema.named(
        "QuantumStatus",
        .object([
            .required("last_rotation_at", .nullable(.dateTime), "Of the newest hybrid key"),
            .required(
                "components",
                .array(
                    .object([
                        .required("component", .text), .required("algorithm", .text),
                        .required("protection", .choice(QuantumProtection.allCases.map(\.rawValue))),
                        .required("is_post_quantum", .boolean), .required("is_hybrid", .boolean),
                        .required("is_in_use", .boolean), .required("key_id", .nullable(.text)),
                        .required("last_rotation_at", .nullable(.dateTime)), .required("note", .text),
                    ]), limit: 128)),
            .required(
                "openssl",
                .object([
                    .required("version", .text), .required("has_ml_kem", .boolean),
                    .required("negotiates_hybrid_tls", .boolean),
                ])),
            .required("ml_kem_implementation", .choice(["openssl", "plexichat"])),
        ]))
}
