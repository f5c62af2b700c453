// Single files, each with the path that it gets.

import Base
import Glibc

package actor FilesSource: BackupSource {
    private let files: [(file: String, path: ItemPath)]
    private var position = 0

    /// The order of the paths is that of the backup.
    package init(_ files: [(file: String, path: ItemPath)]) { self.files = files.sorted { $0.path < $1.path } }

    package func expectedBytes() -> UInt64? {
        files.reduce(0) { $0 + UInt64(max(0, Files.length(of: $1.file) ?? 0)) }
    }

    package func next() throws(BackupError) -> SourceItem? {
        guard position < files.count else { return nil }
        defer { position += 1 }
        let (file, path) = files[position]
        guard let status = Files.status(of: file), status.st_mode & S_IFMT == S_IFREG else {
            throw .unavailable("\(file) is not a file that can be backed up")
        }
        return FolderSource.file(file, path, status)
    }

    package func close() {}
}
