// rooms.md, "File Upload Endpoints".

import Accounts
import Base
import Chat
import Wire

extension RoomsRoutes {
    static var files: [Route] {
        [
            .post(
                "/upload/file", .standing(.member), "Upload a file into a chatroom", status: .created, limit: .upload,
                body: .stream(contentType: "multipart/form-data"), answer: RoomsPresenter.envelope(uploadSchema)
            ) { call in
                let access = try call.fileAccess
                let file = try await call.receiveFile(
                    place: "chatroom_id", isNeeded: true, limit: access.roomsLimit)
                return RoomsPresenter.reply { json in
                    json.object("file") { json in
                        json.field("id", file.id)
                        json.field("filename", file.name)
                        json.field("file_type", file.type)
                        json.field("file_size", file.size)
                        json.field("encrypted_url", access.downloadURL(of: file))
                        json.field("thumbnail_url", access.thumbnailURL(of: file))
                        json.field("upload_date", file.createdAt)
                    }
                }
            }
        ]
    }

    private static let uploadSchema = Schema.object([
        .required(
            "file",
            .object([
                .required("id", .uuid), .required("filename", .text), .required("file_type", .text),
                .required("file_size", .count), .required("encrypted_url", .text),
                .required("thumbnail_url", .nullable(.text)), .required("upload_date", .dateTime),
            ]))
    ])
}
