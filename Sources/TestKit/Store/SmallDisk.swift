// A disk that is soon full: a tmpfs of a few megabytes. Needs the right to mount; without it there is none.

import Glibc

package final class SmallDisk: Sendable {
    private let folder: TemporaryFolder
    package var path: String { folder.path }

    /// `nil` where mounting is not permitted.
    package init?(megabytes: Int) throws {
        folder = try TemporaryFolder()
        guard mount("tmpfs", folder.path, "tmpfs", 0, "size=\(megabytes)m") == 0 else { return nil }
    }

    deinit { umount2(folder.path, Int32(MNT_DETACH)) }

    package func entries(of subfolder: String = "") -> [String] { folder.entries(of: subfolder) }
}
