// manual.md, "Client Settings APIs".

import Wire

extension DocumentExample {
    private static let setting =
        #"{ "setting_key": "theme", "setting_value": "dark", "updated_at": "2025-09-08T10:30:00Z" }"#

    static let clientSettings = [
        DocumentExample(
            document: "manual, Get all settings", method: .get, path: "/client-settings/?of=$setting", caller: .john,
            answer: "[\(setting)]"),
        DocumentExample(
            document: "manual, Get specific setting", method: .get, path: "/client-settings/$setting",
            caller: .john, answer: setting, equal: ["setting_key", "setting_value"]),
        DocumentExample(
            document: "manual, Get specific setting", method: .get, path: "/client-settings/theme", caller: .john,
            status: 404,
            answer: #"{"code": "not_found", "detail": "...", "request_id": null, "info": {}}"#, equal: ["code"]),
        DocumentExample(
            document: "manual, Set or update a setting", method: .put, path: "/client-settings/$setting",
            caller: .john,
            body: #"{ "setting_key": "theme", "setting_value": "light" }"#, answer: setting, equal: ["setting_key"]),
        DocumentExample(
            document: "manual, Delete a setting", method: .delete, path: "/client-settings/$setting",
            caller: .john),
        DocumentExample(
            document: "manual, Delete a setting", method: .delete, path: "/client-settings/theme", caller: .john,
            status: 404,
            answer: #"{"code": "not_found", "detail": "...", "request_id": null, "info": {}}"#, equal: ["code"]),
        DocumentExample(
            document: "manual, Bulk update settings", method: .post, path: "/client-settings/bulk-update",
            caller: .john, body: #"{ "settings": { "theme": "dark", "language": "en-US" } }"#,
            answer: #"{"updated_count": 2, "errors": {}}"#, equal: ["updated_count"]),
        DocumentExample(
            document: "manual, Examples 6", method: .post, path: "/client-settings/bulk-update", caller: .john,
            body: #"{"settings": {"theme": "dark", "language": "en-US", "notifications.enabled": true}}"#,
            answer: #"{"updated_count": 3, "errors": {}}"#, equal: ["updated_count"]),
        DocumentExample(
            document: "manual, Serve image", method: .get, path: "/client-settings/images/$setting", caller: .john,
            status: 404,
            answer: #"{"code": "not_found", "detail": "...", "request_id": null, "info": {}}"#, equal: ["code"]),
        DocumentExample(
            document: "manual, Upload image", method: .post, path: "/client-settings/images/$setting",
            caller: .john, status: 415,
            answer: #"{"code": "unsupported_media_type", "detail": "...", "request_id": null, "info": {}}"#,
            equal: ["code"]),
    ]
}
