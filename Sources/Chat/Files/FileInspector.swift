// What files need of whoever knows formats: types, viruses, pictures. Supplied by `plexichat`.

package import Base
package import Store

package struct FileFindings: Sendable {
    package var details: FileDetails
    /// A small picture, and its media type.
    package var thumbnail: (type: String, bytes: Bytes)?

    package init(details: FileDetails = FileDetails(), thumbnail: (type: String, bytes: Bytes)? = nil) {
        self.details = details
        self.thumbnail = thumbnail
    }
}

package enum FileScanVerdict: Sendable, Equatable {
    case clean
    case infected(String)
    case unavailable(String)
}

package protocol FileInspector: Sendable {
    /// Bytes from the beginning and from the end that `type` wants to see.
    var sniffedBytes: (prefix: Int, suffix: Int) { get }

    /// A media type, told by the bytes; what they do not tell may come from what the client said, where that does no
    /// harm.
    func type(prefix: Bytes, suffix: Bytes, declared: String?, name: String) -> String

    /// Nothing where there is nothing to say: a file that cannot be read as what it is has no details and no picture.
    func examine(_ type: String, size: Int64, _ content: @escaping @Sendable () async throws(BlobError) -> BlobContent)
        async -> FileFindings

    /// A picture's bytes without what it tells beside its pixels, upright; `nil` for what is no picture, and where nobody
    /// looks into pictures. `unreadableImage`, `tooLarge` and `unavailable` are why there is none.
    func clean(_ type: String, _ content: @escaping @Sendable () async throws(BlobError) -> BlobContent)
        async throws(FileError) -> Bytes?

    /// `nil`: no scanner is configured.
    func scan(_ source: @escaping BlobSource) async -> FileScanVerdict?
}
