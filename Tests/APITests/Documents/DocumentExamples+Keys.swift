// manual.md, "Key Management & Rotation" and "Quantum-Ready Encryption Status": the rows are the document's, their bodies
// ours (docs/protocol/keys.md).

import Base
import Wire

extension DocumentExample {
    private static let summary = """
        "key_id": "string", "kind": "string", "algorithm": "string", "use": "string", "is_in_use": false,
        "is_post_quantum": true, "active_version": 1, "fingerprint": "string", "created_at": "datetime",
        "last_rotated_at": "datetime", "next_rotation_at": "datetime", "schedule": null, "version_count": 1
        """
    private static let version = """
        {"key_id": "string", "version": 1, "state": "string", "fingerprint": "string", "created_at": "datetime",
         "changed_at": "datetime", "opens_until": null, "destroy_at": null, "uses": 0}
        """

    static let manualKeys = [
        DocumentExample(
            document: "manual", method: .get, path: "/security/keys", caller: .admin,
            answer: "{\"keys\": [{\(summary)}], \"root_key_epoch\": 0}", equal: ["root_key_epoch"]),
        DocumentExample(
            document: "manual", method: .post, path: "/security/keys/rotate", caller: .admin,
            body: #"{"key_id": "backup"}"#, answer: "{\(summary), \"versions\": [\(version)]}"),
        DocumentExample(
            document: "manual", method: .get, path: "/security/keys/$vault", caller: .admin,
            answer: "{\(summary), \"versions\": [\(version)]}", equal: ["active_version", "version_count"]),
        DocumentExample(
            document: "manual", method: .delete, path: "/security/keys/$retired", caller: .admin, status: 204),
        DocumentExample(
            document: "manual", method: .get, path: "/security/quantum/status", caller: .admin,
            answer: """
                {"last_rotation_at": "datetime", "components": [{"component": "string", "algorithm": "string",
                  "protection": "string", "is_post_quantum": true, "is_hybrid": true, "is_in_use": true,
                  "key_id": null, "last_rotation_at": null, "note": "string"}],
                 "openssl": {"version": "string", "has_ml_kem": false, "negotiates_hybrid_tls": false},
                 "ml_kem_implementation": "string"}
                """),
    ]
}
