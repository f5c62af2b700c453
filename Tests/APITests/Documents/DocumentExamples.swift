// The documents' examples, as data. Requests are the documents' own text; answers are their text or, where a document
// shows a type in place of a value, that type.

import Wire

extension DocumentExample {
    static let all =
        reference + design + rooms + calls + manualCalls + manualKeys + manualBackups + manualBackupSchedules
        + referenceBackup + designCalls
        + chat + clientSettings + files

    // MARK: reference.md

    private static let referenceTokens = """
        {"access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...", "token_type": "bearer", "expires_in": 1800,
         "refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."}
        """

    private static let referenceUser = """
        {"id": "uuid", "username": "admin", "email": "admin@example.com", "display_name": "Administrator",
         "avatar_url": "https://example.com/avatar.jpg", "roles": ["admin"],
         "permissions": ["system.manage", "users.create"], "created_at": "2025-01-01T00:00:00Z",
         "last_login": "2025-01-15T10:30:00Z", "is_active": true,
         "preferences": {"theme": "dark", "language": "en", "notifications": true}}
        """

    private static let reference = [
        DocumentExample(
            document: "reference, JWT Bearer Tokens", method: .post, path: "/api/v1/auth/login",
            body: #"{"username": "admin", "password": "admin123"}"#, answer: referenceTokens,
            equal: ["token_type", "expires_in"]),
        DocumentExample(
            document: "reference, remember me", method: .post, path: "/api/v1/auth/login",
            body: #"{"username": "admin", "password": "admin123", "remember_me": true}"#, answer: referenceTokens),
        DocumentExample(
            document: "reference, Login with MFA", method: .post, path: "/api/v1/auth/login",
            body: #"{"username": "admin", "password": "admin123", "mfa_code": "$totp"}"#, hasSecondFactor: true,
            answer: referenceTokens),
        DocumentExample(
            document: "reference, MFA required", method: .post, path: "/api/v1/auth/login",
            body: #"{"username": "admin", "password": "admin123"}"#, hasSecondFactor: true, status: 401,
            answer: """
                {"error": "mfa_required", "message": "Multi-factor authentication required",
                 "mfa_methods": ["totp", "sms"], "temp_token": "temp_token_for_mfa"}
                """, equal: ["error", "message"],
            deviations: ["expires_at": "tells a client how long the temporary token is good for"]),
        DocumentExample(
            document: "reference, Complete MFA", method: .post, path: "/api/v1/auth/mfa/verify",
            body: #"{"temp_token": "$temp", "mfa_code": "$totp", "method": "totp"}"#, hasSecondFactor: true,
            answer: referenceTokens),
        DocumentExample(
            document: "reference, Logout", method: .post, path: "/api/v1/auth/logout", caller: .admin),
        DocumentExample(
            document: "reference, Refresh", method: .post, path: "/api/v1/auth/refresh",
            body: #"{"refresh_token": "$refresh"}"#, answer: referenceTokens, equal: ["token_type", "expires_in"]),
        DocumentExample(
            document: "reference, API Keys", method: .post, path: "/api/v1/auth/api-keys", caller: .admin,
            body: """
                {"name": "My API Key", "permissions": ["read", "write"], "expires_at": "2025-12-31T23:59:59Z"}
                """, status: 201),
        DocumentExample(
            document: "reference, Get current user profile", method: .get, path: "/api/v1/users/me", caller: .admin,
            answer: referenceUser, equal: ["username", "email", "display_name", "preferences"]),
        DocumentExample(
            document: "reference, Update current user profile", method: .put, path: "/api/v1/users/me", caller: .admin,
            body: """
                {"display_name": "New Display Name", "email": "newemail@example.com",
                 "preferences": {"theme": "light", "language": "es"}}
                """,
            answer: referenceUser.replacing("Administrator", with: "New Display Name")
                .replacing("admin@example.com", with: "newemail@example.com"),
            equal: ["display_name", "email"]),
        DocumentExample(
            document: "reference, List users", method: .get, path: "/api/v1/users?page=1&limit=20&search=john",
            caller: .admin),
        DocumentExample(
            document: "reference, Create new user", method: .post, path: "/api/v1/users", caller: .admin,
            body: """
                {"username": "newuser", "email": "newuser@example.com", "password": "securepassword123",
                 "display_name": "New User", "roles": ["user"]}
                """, status: 201),
        DocumentExample(
            document: "reference, System status", method: .get, path: "/api/v1/admin/system/status", caller: .admin,
            answer: """
                {"status": "healthy", "version": "a.1.1-1", "uptime": 86400,
                 "database": {"status": "connected", "connections": 5, "pool_size": 10},
                 "cache": {"status": "connected", "memory_usage": "45%", "hit_rate": 0.95},
                 "security": {"encryption_status": "active", "threat_level": "low",
                              "last_security_scan": "2025-01-15T09:00:00Z"},
                 "performance": {"cpu_usage": 25.5, "memory_usage": 60.2, "disk_usage": 45.8, "response_time_ms": 120.5}}
                """, equal: ["status", "database.status", "security.encryption_status"],
            deviations: [
                "cache.memory_usage": "there is no cache beside the process: status is not_configured",
                "cache.hit_rate": "there is no cache beside the process: status is not_configured",
                "security.last_security_scan": "nothing scans yet, and no time is invented",
            ]),
        DocumentExample(
            document: "reference, Advanced user management", method: .get,
            path: "/api/v1/admin/users?include_inactive=true&role=admin", caller: .admin),
        DocumentExample(document: "reference, Swagger UI", method: .get, path: "/docs"),
        DocumentExample(document: "reference, ReDoc", method: .get, path: "/redoc"),
    ]

    // MARK: design.md

    private static let designMeta = #""meta": {"timestamp": "2024-01-01T12:00:00Z", "request_id": "req_123456789"}"#
    private static let designValue = #"{"success": true, "data": null, \#(designMeta)}"#
    private static let designList = """
        {"success": true, "data": [null], "pagination": {"page": 1, "per_page": 50, "total": 1250, "total_pages": 25,
         "has_next": true, "has_prev": false}}
        """
    static let designListDeviations = ["meta": "lists carry the request's id like every other answer"]

    static func design(
        _ method: HTTPMethod, _ path: String, _ caller: Caller = .nobody, _ body: String = "", status: Int = 200,
        mfa: Bool = false
    ) -> DocumentExample {
        DocumentExample(
            document: "design", method: method, path: path, caller: caller, body: body, hasSecondFactor: mfa,
            status: status, answer: status == 204 ? "" : designValue, equal: status == 204 ? [] : ["success"])
    }

    static func designPage(_ path: String, _ caller: Caller) -> DocumentExample {
        DocumentExample(
            document: "design, Pagination", method: .get, path: path, caller: caller, answer: designList,
            equal: ["success", "pagination.page", "pagination.per_page", "pagination.has_prev"],
            deviations: designListDeviations)
    }

    private static let design = [
        design(.post, "/v1/auth/login", body: #"{"username": "admin", "password": "admin123"}"#),
        design(.post, "/v1/auth/login", body: #"{"email": "admin@example.com", "password": "admin123"}"#),
        design(
            .post, "/v1/auth/login/2fa", body: #"{"temp_token": "$temp", "code": "$totp", "method": "totp"}"#,
            mfa: true),
        design(.post, "/v1/auth/logout", .john),
        design(.post, "/v1/auth/refresh", body: #"{"refresh_token": "$refresh"}"#),
        design(
            .post, "/v1/auth/register",
            body: #"{"username": "mary", "email": "mary@example.org", "password": "securepassword123"}"#, status: 201),
        design(.post, "/v1/auth/forgot-password", body: #"{"email": "john@example.org"}"#),
        design(.post, "/v1/auth/forgot-password", body: #"{"email": "nobody@example.org"}"#),
        design(.post, "/v1/auth/reset-password", body: #"{"token": "$reset", "password": "securepassword123"}"#),
        design(.get, "/v1/auth/me", .john),
        design(.put, "/v1/auth/me", .john, #"{"display_name": "John"}"#),
        design(.delete, "/v1/auth/me", .john, status: 204),
        designPage("/v1/users", .john),
        design(.get, "/v1/users/$admin", .john),
        design(.put, "/v1/users/$john", .john, #"{"display_name": "John"}"#),
        design(.delete, "/v1/users/$john", .admin, status: 204),
        design(.get, "/v1/users/$admin/profile", .john),
        design(.put, "/v1/users/$john/profile", .john, #"{"display_name": "John"}"#),
        designPage("/v1/admin/users", .admin),
        design(.put, "/v1/admin/users/$john/status", .admin, #"{"status": "inactive"}"#),
        designPage("/v1/admin/audit-logs", .admin),
        design(.get, "/v1/admin/stats", .admin),
        design(.get, "/v1/admin/health", .admin),
        design(.get, "/v1/admin/settings", .admin),
        design(.put, "/v1/admin/settings", .admin, #"{"settings": {"accounts.registration": "closed"}}"#),
    ]

    private static func design(_ method: HTTPMethod, _ path: String, body: String, status: Int = 200, mfa: Bool = false)
        -> DocumentExample
    { design(method, path, .nobody, body, status: status, mfa: mfa) }

    // MARK: rooms.md

    private static let roomsProfile = """
        {"success": true, "data": {"id": "uuid", "username": "string", "email": "string", "display_name": "string",
         "avatar_url": "string|null", "public_key": "string|null", "is_verified": true, "created_at": "datetime",
         "last_login": "datetime"}}
        """

    private static let rooms = [
        DocumentExample(
            document: "rooms", method: .post, path: "/auth/register",
            body: """
                {"username": "mary", "email": "mary@example.org", "password": "12345678", "display_name": "Mary",
                 "public_key": "-----BEGIN PUBLIC KEY-----"}
                """, status: 201,
            answer: """
                {"success": true, "data": {"user": {"id": "uuid", "username": "mary", "email": "mary@example.org",
                 "display_name": "Mary", "avatar_url": "string|null", "is_verified": false, "created_at": "datetime"},
                 "access_token": "string", "refresh_token": "string", "expires_in": 1800}}
                """,
            equal: ["success", "data.user.username", "data.user.email", "data.user.is_verified", "data.expires_in"]),
        DocumentExample(
            document: "rooms", method: .post, path: "/auth/login",
            body: #"{"username": "admin@example.com", "password": "admin123"}"#,
            answer: """
                {"success": true, "data": {"user": {"id": "uuid", "username": "string", "display_name": "string",
                 "avatar_url": "string|null", "last_login": "datetime"}, "access_token": "string",
                 "refresh_token": "string", "expires_in": 1800}}
                """, equal: ["success", "data.expires_in"]),
        DocumentExample(
            document: "rooms", method: .post, path: "/auth/refresh", body: #"{"refresh_token": "$refresh"}"#,
            answer: #"{"success": true, "data": {"access_token": "string", "expires_in": 1800}}"#,
            equal: ["success", "data.expires_in"]),
        DocumentExample(
            document: "rooms", method: .post, path: "/auth/logout", caller: .john,
            answer: #"{"success": true, "message": "Logged out successfully"}"#, equal: ["success", "message"]),
        DocumentExample(
            document: "rooms", method: .get, path: "/users/me", caller: .john, answer: roomsProfile, equal: ["success"]),
        DocumentExample(
            document: "rooms", method: .put, path: "/users/me", caller: .john,
            body: #"{"display_name": "John", "avatar_url": "https://example.com/j.png", "public_key": "AAAA"}"#,
            answer: roomsProfile, equal: ["success"]),
        DocumentExample(
            document: "rooms", method: .get, path: "/health",
            answer: """
                {"success": true, "data": {"status": "healthy", "timestamp": "datetime", "version": "1.0.0",
                 "services": {"database": "healthy", "redis": "healthy", "mongodb": "healthy"}}}
                """, equal: ["success", "data.status", "data.services.database"]),
        DocumentExample(document: "rooms", method: .get, path: "/metrics"),
    ]

    // MARK: calls.md

    private static let tokenDeviations = [
        "signaling_token": "opens the call's socket, where an access token should not go",
        "signaling_token_expires_at": "says until when it does",
    ]

    private static let calls = [
        DocumentExample(
            document: "calls, Initiate Call", method: .post, path: "/api/v1/calls/initiate", caller: .john,
            body: #"{"participants": ["$admin", "$mary"], "call_type": "video"}"#, status: 201,
            answer: """
                {"call_id": "uuid", "status": "initiated", "participants": ["uuid", "uuid", "uuid"], "type": "video",
                 "signaling_url": "/api/v1/calls/call_uuid/signaling"}
                """, equal: ["status", "type"], deviations: tokenDeviations),
        DocumentExample(
            document: "calls, Join Call", method: .post, path: "/api/v1/calls/$call/join", caller: .admin,
            answer: """
                {"call_id": "uuid", "status": "joined", "signaling_url": "/api/v1/calls/call_uuid/signaling"}
                """, equal: ["status"], deviations: tokenDeviations),
        DocumentExample(
            document: "calls, End Call", method: .post, path: "/api/v1/calls/$call/end", caller: .john,
            answer: #"{"message": "Call ended"}"#, equal: ["message"]),
        DocumentExample(
            document: "calls, Get Call Info", method: .get, path: "/api/v1/calls/$ongoing", caller: .john,
            answer: """
                {"id": "uuid", "caller_id": "uuid", "participants": ["uuid", "uuid"], "type": "video",
                 "status": "ongoing", "started_at": "2025-09-08T10:30:00Z", "ended_at": null}
                """, equal: ["type", "status", "ended_at"]),
        DocumentExample(
            document: "calls, Get Active Calls", method: .get, path: "/api/v1/calls/?with=$ongoing", caller: .admin,
            answer: """
                {"active_calls": [{"id": "uuid", "caller_id": "uuid", "participants": ["uuid", "uuid"], "type": "video",
                 "status": "ongoing", "started_at": "2025-09-08T10:30:00Z"}]}
                """,
            deviations: ["active_calls.0.ended_at": "the schema of the document has it, and it is null"]),
        DocumentExample(
            document: "calls, Get Call Logs", method: .get, path: "/api/v1/calls/history?skip=0&limit=50&of=$ended",
            caller: .john,
            answer: """
                {"data": [{"id": "uuid", "conversation_id": "uuid", "caller_id": "uuid", "callee_id": "uuid",
                 "call_type": "video", "status": "ended", "started_at": "2025-09-08T10:30:00Z",
                 "ended_at": "2025-09-08T10:45:00Z", "duration": 900,
                 "call_metadata": {"quality": "good", "connection_type": "wifi", "bandwidth_avg": "2.5mbps"}}],
                 "count": 15}
                """,
            deviations: [
                "data.0.conversation_id": "a call between people belongs to no conversation, and none is invented",
                "data.0.call_metadata.packet_loss": "was measured; the document's schema has it",
                "data.0.call_metadata.latency_avg": "was measured; the document's schema has it",
            ]),
    ]

    // MARK: manual.md, calls

    private static let manualCalls = [
        DocumentExample(
            document: "manual, Initiate Call", method: .post, path: "/calls/initiate", caller: .john,
            body: """
                {"to_user_id": "$admin", "media": { "audio": true, "video": true, "data": false },
                 "preferred_codecs": ["opus", "vp8"]}
                """, status: 202, answer: #"{ "call_id": "..." }"#, deviations: tokenDeviations),
        DocumentExample(
            document: "manual, Initiate Call", method: .post, path: "/api/v1/calls/initiate", caller: .john,
            body: #"{"to_user_id": "$admin"}"#, status: 202, answer: #"{ "call_id": "..." }"#,
            deviations: tokenDeviations),
        DocumentExample(
            document: "manual, STUN/TURN Configuration", method: .get, path: "/calls/ice-config", caller: .john),
        DocumentExample(
            document: "manual, Recording Control", method: .post, path: "/calls/$ongoing/record", caller: .john,
            body: #"{ "enable": true, "encryption_key_id": "recording", "store": "backup" }"#, status: 202,
            answer: #"{ "task_id": "..." }"#),
        DocumentExample(
            document: "manual, Presence & Status", method: .get, path: "/calls/presence/$john?in=$ongoing",
            caller: .admin,
            answer: #"{ "user_id": "uuid", "status": "busy", "last_seen": "2025-09-08T10:30:00Z" }"#,
            equal: ["status"]),
        DocumentExample(
            document: "manual, Call Metrics", method: .get, path: "/calls/$ongoing/metrics", caller: .john),
    ]

    // MARK: design.md, calls and presence

    private static let designCalls = [
        design(.post, "/v1/calls", .john, #"{"participants": ["$admin"], "type": "video"}"#, status: 201),
        design(.get, "/v1/calls/$call", .admin),
        design(.post, "/v1/calls/$call/join", .admin),
        design(.delete, "/v1/calls/$ongoing/leave", .admin, status: 204),
        design(.get, "/v1/users/$admin/presence", .john),
        design(.put, "/v1/users/$john/presence", .john, #"{"status": "away"}"#),
    ]
}
