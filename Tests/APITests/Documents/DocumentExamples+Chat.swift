// The documents' examples of chat, as data. `ExampleChat` has said something before.

import Wire

extension DocumentExample {
    static let chat = referenceChat + callsChat + roomsChat + designChat

    // MARK: reference.md

    private static func referenceMessage(_ content: String) -> String {
        """
        {"id": "msg_123", "channel_id": "channel_123", "user_id": "user_456", "content": "\(content)",
         "content_type": "text", "created_at": "2025-01-15T10:30:00Z", "updated_at": null, "attachments": [],
         "mentions": [], "reactions": [], "thread_id": null, "reply_to": null, "is_edited": false,
         "is_deleted": false}
        """
    }

    private static let referenceChat = [
        DocumentExample(
            document: "reference, Get messages from a channel", method: .get,
            path: "/api/v1/messages?channel_id=channel_$channel&limit=50&before=msg_$later", caller: .john,
            answer: """
                {"messages": [\(referenceMessage("Hello, world!"))],
                 "pagination": {"has_more": true, "next_cursor": "msg_122", "total_count": 1250}}
                """,
            deviations: ["pagination.next_cursor": "null where nothing older is there"]),
        DocumentExample(
            document: "reference, Send a new message", method: .post, path: "/api/v1/messages", caller: .john,
            body: """
                {"channel_id": "channel_$channel", "content": "Hello, everyone!", "content_type": "text",
                 "mentions": ["user_$admin"], "reply_to": "msg_$message"}
                """, status: 201, answer: referenceMessage("Hello, everyone!"),
            equal: ["content", "content_type", "updated_at", "thread_id", "is_edited", "is_deleted"]),
        DocumentExample(
            document: "reference, Edit a message", method: .put, path: "/api/v1/messages/$message", caller: .john,
            body: #"{"content": "Updated message content"}"#, answer: referenceMessage("Updated message content"),
            equal: ["content"]),
        DocumentExample(
            document: "reference, Delete a message", method: .delete, path: "/api/v1/messages/$message", caller: .john,
            status: 204),
    ]

    // MARK: calls.md

    private static let callsMessage = """
        {"id": "uuid", "conversation_id": "uuid", "sender_id": "uuid", "ciphertext": "encrypted_message_content",
         "ciphertext_nonce": null, "encryption_algo": null, "message_type": "text", "preview_text_hash": null,
         "is_edited": false, "is_deleted": false, "created_at": "2025-09-08T10:30:00Z",
         "updated_at": "2025-09-08T10:30:00Z",
         "encrypted_keys": [{"recipient_user_id": "uuid", "recipient_device_id": "uuid", "encrypted_key": "...",
                             "key_algo": "x25519-aead", "nonce": "key_nonce"}],
         "attachments": [{"id": "uuid", "file_name": "document.pdf", "file_size": 1024000,
                          "content_type": "application/pdf", "storage_id": "storage_uuid"}],
         "statuses": [{"user_id": "uuid", "status": "delivered", "status_at": "2025-09-08T10:30:05Z"}]}
        """
    private static let callsConversation = """
        {"id": "uuid", "title": "Project Team Chat", "type": "group", "visibility": "private", "creator_id": "uuid",
         "member_count": 4, "last_message_id": null, "last_activity": null, "archived": false,
         "created_at": "2025-09-01T09:00:00Z", "updated_at": "2025-09-08T10:30:00Z"}
        """

    private static let callsChat = [
        DocumentExample(
            document: "calls, Get Messages", method: .get,
            path: "/api/v1/messages/?conversation_id=$conversation&skip=0&limit=100", caller: .admin,
            answer: #"{"data": [\#(callsMessage)], "count": 25}"#),
        DocumentExample(
            document: "calls, Send Message", method: .post, path: "/api/v1/messages/", caller: .john,
            body: """
                {"conversation_id": "$conversation", "ciphertext": "encrypted_message_content", "message_type": "text",
                 "recipient_keys": [{"recipient_user_id": "$admin", "recipient_device_id": "$admin",
                   "encrypted_key": "encrypted_content_key", "key_algo": "x25519-aead", "nonce": "key_nonce"}],
                 "attachments": [{"file_name": "image.jpg", "file_size": 512000, "content_type": "image/jpeg",
                   "storage_id": "storage_uuid"}]}
                """, status: 201, answer: callsMessage,
            equal: ["ciphertext", "message_type", "is_edited", "is_deleted"]),
        DocumentExample(
            document: "calls, Get Conversations", method: .get,
            path: "/api/v1/conversations/?skip=0&limit=100&in=$conversation", caller: .john,
            answer: #"{"data": [\#(callsConversation)], "count": 12}"#),
        DocumentExample(
            document: "calls, Create Conversation", method: .post, path: "/api/v1/conversations/", caller: .john,
            body: """
                {"title": "New Group Chat", "type": "group", "visibility": "private",
                 "description": "Discussion about project updates", "participants": ["$admin", "$mary"]}
                """, status: 201,
            answer: callsConversation.replacing("Project Team Chat", with: "New Group Chat"),
            equal: ["title", "type", "visibility", "archived"]),
        DocumentExample(
            document: "calls, Add/Remove Members", method: .post,
            path: "/api/v1/conversations/$conversation/members", caller: .john, body: #"{"user_id": "$mary"}"#,
            status: 201,
            answer: """
                {"id": "uuid", "conversation_id": "uuid", "user_id": "uuid", "role": "member",
                 "joined_at": "datetime", "unread_count": 0, "is_muted": false}
                """, equal: ["role", "is_muted"]),
        DocumentExample(
            document: "calls, Add/Remove Members", method: .delete,
            path: "/api/v1/conversations/$conversation/members/$admin", caller: .john, status: 204),
    ]

    // MARK: rooms.md

    private static let roomsMessage = """
        {"id": "string", "chatroom_id": "uuid", "user_id": "uuid", "username": "string", "display_name": "string",
         "avatar_url": "string|null", "content": {"encrypted_data": null, "iv": null, "key_version": null},
         "message_type": "string", "reply_to": "string|null",
         "attachments": [{"filename": "string", "file_type": "string", "file_size": 1, "encrypted_url": "string",
                          "thumbnail_url": "string|null"}],
         "reactions": [{"user_id": "uuid", "username": "string", "emoji": "string", "created_at": "datetime"}],
         "edited_at": "datetime|null", "created_at": "datetime"}
        """
    private static let roomsDetails = """
        {"id": "uuid", "name": "string", "description": "string|null", "owner_id": "uuid", "is_private": true,
         "max_members": 1, "member_count": 1, "encryption_enabled": true, "auto_summary_enabled": true,
         "summary_threshold": 1, "created_at": "datetime", "updated_at": "datetime"}
        """
    private static let noAssistant = """
        {"success": false, "error": {"code": "SERVICE_UNAVAILABLE", "message": "string", "details": {}}}
        """

    private static let roomsChat = [
        DocumentExample(
            document: "rooms", method: .get, path: "/chatrooms?page=1&limit=20&search=lob&in=$room", caller: .admin,
            answer: """
                {"success": true, "data": {"chatrooms": [
                 {"id": "uuid", "name": "string", "description": "string|null", "is_private": true, "member_count": 1,
                  "last_message": {"id": "string", "content": "string (encrypted)", "user_id": "uuid",
                                   "username": "string", "created_at": "datetime"},
                  "unread_count": 1, "role": "owner|moderator|member", "joined_at": "datetime"}],
                 "pagination": {"page": 1, "limit": 20, "total": 50, "pages": 3}}}
                """, equal: ["success", "data.pagination.page", "data.pagination.limit"]),
        DocumentExample(
            document: "rooms", method: .post, path: "/chatrooms", caller: .john,
            body: """
                {"name": "Team", "description": "All of us", "is_private": true, "max_members": 20,
                 "auto_summary_enabled": false, "summary_threshold": 60}
                """, status: 201,
            answer: """
                {"success": true, "data": {"chatroom": {"id": "uuid", "name": "Team", "description": "All of us",
                 "owner_id": "uuid", "is_private": true, "max_members": 20, "encryption_enabled": true,
                 "auto_summary_enabled": false, "summary_threshold": 60, "created_at": "datetime"}}}
                """,
            equal: [
                "success", "data.chatroom.name", "data.chatroom.description", "data.chatroom.is_private",
                "data.chatroom.max_members", "data.chatroom.encryption_enabled",
                "data.chatroom.auto_summary_enabled", "data.chatroom.summary_threshold",
            ]),
        DocumentExample(
            document: "rooms, defaults", method: .post, path: "/chatrooms", caller: .john,
            body: #"{"name": "Team", "is_private": false}"#, status: 201,
            answer: """
                {"success": true, "data": {"chatroom": {"id": "uuid", "name": "Team", "description": "string|null",
                 "owner_id": "uuid", "is_private": false, "max_members": 100, "encryption_enabled": true,
                 "auto_summary_enabled": true, "summary_threshold": 50, "created_at": "datetime"}}}
                """,
            equal: [
                "data.chatroom.is_private", "data.chatroom.max_members", "data.chatroom.auto_summary_enabled",
                "data.chatroom.summary_threshold",
            ]),
        DocumentExample(
            document: "rooms", method: .get, path: "/chatrooms/$room", caller: .john,
            answer: """
                {"success": true, "data": {"chatroom": \(roomsDetails),
                 "members": [{"user_id": "uuid", "username": "string", "display_name": "string",
                  "avatar_url": "string|null", "role": "string", "joined_at": "datetime",
                  "last_read_at": "datetime|null", "is_online": true}],
                 "user_role": "owner"}}
                """, equal: ["success", "data.user_role"]),
        DocumentExample(
            document: "rooms", method: .put, path: "/chatrooms/$room", caller: .john,
            body: #"{"name": "Hall", "summary_threshold": 10}"#,
            answer: #"{"success": true, "data": {"chatroom": \#(roomsDetails)}}"#, equal: ["success"]),
        DocumentExample(
            document: "rooms", method: .delete, path: "/chatrooms/$room", caller: .john,
            answer: #"{"success": true, "message": "string"}"#, equal: ["success"]),
        DocumentExample(
            document: "rooms", method: .post, path: "/chatrooms/$room/invite", caller: .john,
            body: #"{"max_uses": 5, "expires_in_hours": 24}"#, status: 201,
            answer: """
                {"success": true, "data": {"invitation": {"id": "uuid", "invite_code": "string", "invite_url": "string",
                 "max_uses": 5, "current_uses": 0, "expires_at": "datetime", "created_at": "datetime"}}}
                """, equal: ["success", "data.invitation.max_uses", "data.invitation.current_uses"]),
        DocumentExample(
            document: "rooms, defaults", method: .post, path: "/chatrooms/$room/invite", caller: .john, body: "{}",
            status: 201,
            answer: """
                {"success": true, "data": {"invitation": {"id": "uuid", "invite_code": "string", "invite_url": "string",
                 "max_uses": 1, "current_uses": 0, "expires_at": "datetime", "created_at": "datetime"}}}
                """, equal: ["data.invitation.max_uses"]),
        DocumentExample(
            document: "rooms", method: .post, path: "/chatrooms/join/$invite", caller: .admin,
            answer: """
                {"success": true, "data": {"chatroom": {"id": "uuid", "name": "Lobby", "description": "string|null",
                 "member_count": 2, "role": "member"}}}
                """, equal: ["success", "data.chatroom.name", "data.chatroom.member_count", "data.chatroom.role"]),
        DocumentExample(
            document: "rooms", method: .post, path: "/chatrooms/$room/leave", caller: .admin,
            answer: #"{"success": true, "message": "string"}"#, equal: ["success"]),
        DocumentExample(
            document: "rooms", method: .get,
            path: "/chatrooms/$room/messages?page=1&limit=1&before=2099-01-01T00:00:00Z&after=2000-01-01T00:00:00Z",
            caller: .admin,
            answer: """
                {"success": true, "data": {"messages": [\(roomsMessage)],
                 "pagination": {"page": 1, "limit": 1, "total": 2, "has_more": true}}}
                """, equal: ["success", "data.pagination"]),
        DocumentExample(
            document: "rooms", method: .post, path: "/chatrooms/$room/search", caller: .john,
            body: """
                {"query": "release", "message_type": "text", "user_id": "$admin",
                 "date_from": "2000-01-01T00:00:00Z", "date_to": "2099-01-01T00:00:00Z", "limit": 20}
                """,
            answer: """
                {"success": true, "data": {"results": [{"message": \(roomsMessage), "relevance_score": 0.5,
                 "matched_terms": ["string"], "context": {"before": "string", "match": "string", "after": "string"}}],
                 "total_results": 1, "search_time_ms": 1}}
                """, equal: ["success", "data.total_results"],
            deviations: ["data.results.0.message.content.text": "the message is not sealed, and this is what it says"]),
        DocumentExample(
            document: "rooms, no assistant", method: .get, path: "/chatrooms/$room/summary?summary_type=manual",
            caller: .john, status: 503, answer: noAssistant, equal: ["error.code"]),
        DocumentExample(
            document: "rooms, no assistant", method: .post, path: "/chatrooms/$room/summary", caller: .john,
            body: #"{"custom_prompt": "short"}"#, status: 503, answer: noAssistant, equal: ["error.code"]),
    ]

    // MARK: design.md

    private static let designChat = [
        designPage("/v1/organizations?of=$org", .john),
        design(.post, "/v1/organizations", .john, #"{"name": "Acme", "description": "A company"}"#, status: 201),
        design(.get, "/v1/organizations/$org", .admin),
        design(.put, "/v1/organizations/$org", .john, #"{"name": "Acme AG"}"#),
        design(.delete, "/v1/organizations/$org", .john, status: 204),
        designPage("/v1/organizations/$org/members", .admin),
        design(.post, "/v1/organizations/$org/members", .john, #"{"user_id": "$mary"}"#, status: 201),
        design(.delete, "/v1/organizations/$org/members/$admin", .john, status: 204),
        designPage("/v1/channels?of=$channel", .john),
        design(.post, "/v1/channels", .john, #"{"name": "random"}"#, status: 201),
        design(.get, "/v1/channels/$channel", .admin),
        design(.put, "/v1/channels/$channel", .john, #"{"description": "Anything"}"#),
        design(.delete, "/v1/channels/$channel", .john, status: 204),
        designPage("/v1/channels/$channel/members", .admin),
        design(.post, "/v1/channels/$channel/members", .john, #"{"user_id": "$mary"}"#, status: 201),
        design(.delete, "/v1/channels/$channel/members/$admin", .john, status: 204),
        design(.get, "/v1/channels/$channel/permissions", .admin),
        design(
            .put, "/v1/channels/$channel/permissions", .john,
            #"{"roles": [{"role": "member", "deny": ["send_messages"]}]}"#),
        design(.post, "/v1/channels/$channel/voice/join", .john),
        design(.delete, "/v1/channels/$channel/voice/leave", .john, status: 204),
        design(.get, "/v1/channels/$channel/voice/participants", .admin),
        designPage("/v1/channels/$channel/messages", .admin),
        design(.post, "/v1/channels/$channel/messages", .john, #"{"content": "Hello"}"#, status: 201),
        design(.get, "/v1/messages/$message", .admin),
        design(.put, "/v1/messages/$message", .john, #"{"content": "Hello again", "version": 1}"#),
        design(.delete, "/v1/messages/$message", .john, status: 204),
        design(.post, "/v1/messages/$message/reactions", .admin, #"{"emoji": "👍"}"#, status: 201),
        design(.delete, "/v1/messages/$message/reactions/$emoji", .john, status: 204),
        DocumentExample(
            document: "design", method: .get, path: "/v1/messages/$message/thread", caller: .john,
            answer: """
                {"success": true, "data": null, "pagination": {"page": 1, "per_page": 50, "total": 0,
                 "total_pages": 0, "has_next": false, "has_prev": false}}
                """, equal: ["success", "pagination"], deviations: designListDeviations),
        design(.post, "/v1/messages/$message/thread", .admin, #"{"content": "In the thread"}"#, status: 201),
        designPage("/v1/dm/conversations?in=$dm", .john),
        design(.post, "/v1/dm/conversations", .john, #"{"user_id": "$mary"}"#, status: 201),
        design(.get, "/v1/dm/conversations/$dm", .admin),
        designPage("/v1/dm/conversations/$dm/messages", .john),
        design(.post, "/v1/dm/conversations/$dm/messages", .john, #"{"content": "Hello"}"#, status: 201),
    ]
}
