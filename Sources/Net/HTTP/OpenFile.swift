// A file descriptor with an owner.

package import Base
import Glibc

/// An open file; the descriptor is closed when the last reference goes.
package final class OpenFile: Sendable {
    package let descriptor: Int32

    /// Takes the descriptor over.
    package init(owning descriptor: Int32) { self.descriptor = descriptor }

    /// Opens an existing file for reading.
    package convenience init(path: String) throws(SystemError) {
        self.init(owning: try Syscall.check("open \(path)") { open(path, O_RDONLY | O_CLOEXEC) })
    }

    deinit { close(descriptor) }

    package func status() throws(SystemError) -> FileStatus {
        var status = stat()
        try Syscall.check("stat an open file") { fstat(descriptor, &status) }
        return FileStatus(status)
    }

    /// Up to `count` bytes from `offset`; fewer only at the file's end.
    package func read(at offset: Int64, count: Int) throws(SystemError) -> Bytes {
        var failure: SystemError?
        let bytes = Bytes(unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(SystemError) {
                while filled < count {
                    let rest = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
                    let position = off_t(offset) + off_t(filled)
                    let result = try Syscall.transfer("read a file") {
                        pread(descriptor, rest.baseAddress, rest.count, position)
                    }
                    guard let result, result > 0 else { return }
                    filled += result
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}

/// What the file system says about a file.
package struct FileStatus: Sendable, Equatable {
    package let size: Int64
    package let modified: Timestamp
    package let isRegularFile: Bool
    package let isFolder: Bool

    init(_ status: stat) {
        size = Int64(status.st_size)
        let seconds = Int64(status.st_mtim.tv_sec)
        modified = Timestamp(
            microsecondsSinceEpoch: seconds &* 1_000_000 &+ Int64(status.st_mtim.tv_nsec) / 1_000)
        isRegularFile = status.st_mode & S_IFMT == S_IFREG
        isFolder = status.st_mode & S_IFMT == S_IFDIR
    }
}
