// What the rows of files may use.

package import Accounts
import Base
package import Chat

package struct FileAccess: Sendable {
    package let service: FileService
    /// Where people open the server, without a trailing slash: addresses of files begin with it.
    package let publicURL: String
    /// Of rooms' row; its document has 10 MB.
    package let roomsLimit: Int64
    /// `nil` in programs that keep no pictures of users.
    package let avatars: AvatarService?

    package init(
        service: FileService, publicURL: String, roomsLimit: Int64 = 10 << 20, avatars: AvatarService? = nil
    ) {
        self.service = service
        self.publicURL = publicURL
        self.roomsLimit = roomsLimit
        self.avatars = avatars
    }
}

extension Call {
    var fileAccess: FileAccess {
        get throws(RequestFault) {
            guard let access = services.files else {
                throw .unavailable(reason: "This server keeps no files", retryAfter: 60)
            }
            return access
        }
    }

    var files: FileService { get throws(RequestFault) { try fileAccess.service } }

    /// What is no identifier at all names nothing either.
    func fileID(_ name: String = "id") throws(FileError) -> FileID {
        guard let id = FileID(parameter(name)) else { throw .notFound(.file) }
        return id
    }
}

extension FileAccess {
    func downloadURL(of file: StoredFile) -> String { "\(publicURL)/api/v1/files/\(file.id)/download" }

    func thumbnailURL(of file: StoredFile) -> String? {
        file.thumbnail.map { _ in "\(publicURL)/v1/files/\(file.id)/thumbnail" }
    }

    func url(of share: NewFileShare) -> String { "\(publicURL)/v1/files/shared/\(share.token.exposedText)" }
}
