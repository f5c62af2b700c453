// The documents' examples of files. design.md has rows and no bodies; what it answers is ours.

import Wire

extension DocumentExample {
    static let files = referenceFiles + designFiles + roomsFiles

    private static let form = "multipart/form-data; boundary=----form"

    // MARK: reference.md

    private static let referenceFile = """
        {"id": "file_123", "filename": "document.pdf", "original_filename": "document.pdf", "size": 1048576,
         "content_type": "application/pdf", "url": "https://example.com/files/file_123/document.pdf",
         "thumbnail_url": null, "channel_id": "channel_123", "uploaded_by": "user_456",
         "uploaded_at": "2025-01-15T10:30:00Z", "description": "Important document", "is_public": false,
         "virus_scan_status": "clean", "metadata": {"pages": 10, "author": "John Doe"}}
        """

    private static let referenceFiles = [
        DocumentExample(
            document: "reference, Upload a file", method: .post, path: "/api/v1/files/upload", caller: .john,
            body: """
                ------form
                Content-Disposition: form-data; name="file"; filename="document.pdf"
                Content-Type: application/pdf

                %PDF-1.7
                ------form
                Content-Disposition: form-data; name="channel_id"

                channel_$channel
                ------form
                Content-Disposition: form-data; name="description"

                Important document
                ------form--

                """, contentType: form, status: 201, answer: referenceFile,
            equal: [
                "filename", "original_filename", "content_type", "description", "is_public", "metadata.pages",
                "metadata.author",
            ]),
        DocumentExample(
            document: "reference, Get file information", method: .get, path: "/api/v1/files/$file", caller: .john,
            answer: referenceFile,
            deviations: [
                "description": "it was sent without one", "metadata.pages": "a picture has none",
                "metadata.author": "nor an author", "metadata.width": "it has this",
                "metadata.height": "and this",
            ]),
        DocumentExample(
            document: "reference, Download a file", method: .get, path: "/api/v1/files/$file/download", caller: .john),
    ]

    // MARK: design.md

    private static let designFiles = [
        DocumentExample(document: "design", method: .get, path: "/v1/files?type=image&in=$file", caller: .admin),
        DocumentExample(
            document: "design", method: .post, path: "/v1/files", caller: .john,
            body: """
                ------form
                Content-Disposition: form-data; name="file"; filename="note.txt"
                Content-Type: text/plain

                A note
                ------form--

                """, contentType: form, status: 201),
        DocumentExample(document: "design", method: .get, path: "/v1/files/$file", caller: .admin),
        DocumentExample(document: "design", method: .get, path: "/v1/files/$file/download", caller: .admin),
        DocumentExample(document: "design", method: .get, path: "/v1/files/$file/thumbnail", caller: .admin),
        DocumentExample(document: "design", method: .delete, path: "/v1/files/$file", caller: .admin, status: 204),
        DocumentExample(
            document: "design", method: .post, path: "/v1/files/$file/share", caller: .john,
            body: #"{"expires_in_hours": 24}"#, status: 201),
    ]

    // MARK: rooms.md

    private static let roomsFiles = [
        DocumentExample(
            document: "rooms, Upload file for sharing in chat", method: .post, path: "/upload/file", caller: .john,
            body: """
                ------form
                Content-Disposition: form-data; name="file"; filename="plan.pdf"
                Content-Type: application/pdf

                %PDF-1.7
                ------form
                Content-Disposition: form-data; name="chatroom_id"

                $room
                ------form--

                """, contentType: form, status: 201,
            answer: """
                {"success": true, "data": {"file": {"id": "string", "filename": "string", "file_type": "string",
                 "file_size": 1, "encrypted_url": "string", "thumbnail_url": "string|null",
                 "upload_date": "datetime"}}}
                """),
        DocumentExample(
            document: "rooms, Upload user avatar image", method: .post, path: "/users/me/avatar", caller: .john,
            body: """
                ------form
                Content-Disposition: form-data; name="file"; filename="me.png"
                Content-Type: image/png

                PNG
                ------form--

                """, contentType: form),
    ]
}
