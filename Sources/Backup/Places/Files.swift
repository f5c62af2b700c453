// The system calls on files that backups need, each with its error in words. They block.

import Base
import Glibc

enum Files {
    static func failure(_ operation: String, code: Int32 = errno) -> BackupError {
        switch code {
        case ENOSPC, EDQUOT: .unavailable("\(operation): the disk is full; make room and try again")
        default: .unavailable("\(SystemError(operation, code: code))")
        }
    }

    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// True when it was not there before.
    @discardableResult
    static func makeFolder(_ path: String, mode: mode_t = 0o700) throws(BackupError) -> Bool {
        if mkdir(path, mode) == 0 { return true }
        guard errno == EEXIST else { throw failure("make \(path)") }
        return false
    }

    /// `nil` when there is no such file. A link is not followed, and nothing but a file is opened.
    static func open(_ path: String) throws(BackupError) -> OpenFile? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("open \(path)")
        }
        let file = OpenFile(owning: descriptor)
        guard try file.status(path).st_mode & S_IFMT == S_IFREG else { throw .unavailable("\(path) is not a file") }
        return file
    }

    static func create(_ path: String, mode: mode_t = 0o600) throws(BackupError) -> OpenFile {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw failure("make \(path)") }
        return OpenFile(owning: descriptor)
    }

    static func write(_ bytes: Bytes, to path: String) throws(BackupError) {
        try create(path).write(bytes, at: 0, path)
    }

    static func rename(_ from: String, _ to: String) throws(BackupError) {
        guard Glibc.rename(from, to) == 0 else { throw failure("rename \(from) to \(to)") }
    }

    /// A file or a folder.
    static func sync(_ path: String) throws(BackupError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            // Deleted since: nothing is left to keep.
            if errno == ENOENT { return }
            throw failure("open \(path)")
        }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("write \(path) to disk") }
    }

    static func status(of path: String) -> stat? {
        var status = stat()
        return lstat(path, &status) == 0 ? status : nil
    }

    static func length(of path: String) -> Int64? {
        guard let status = status(of: path), status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int64(status.st_size)
    }

    static func secondsSinceChange(_ path: String) -> Int? {
        status(of: path).map { time(nil) - $0.st_mtim.tv_sec }
    }

    /// Sorted by bytes, without `.` and `..`. None when there is no such folder.
    static func names(in path: String, hidden: Bool = false) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." || (!hidden && name.hasPrefix(".")) { continue }
            names.append(name)
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// A folder with all that is in it. A link is removed, never followed.
    static func removeTree(_ path: String) throws(BackupError) {
        for name in names(in: path, hidden: true) {
            let child = "\(path)/\(name)"
            if let status = status(of: child), status.st_mode & S_IFMT == S_IFDIR {
                try removeTree(child)
            } else if unlink(child) != 0, errno != ENOENT {
                throw failure("delete \(child)")
            }
        }
        guard rmdir(path) == 0 || errno == ENOENT else { throw failure("delete \(path)") }
    }
}

/// An open file that is closed with its last reference.
final class OpenFile: Sendable {
    let descriptor: Int32

    init(owning descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }

    func status(_ path: String) throws(BackupError) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Files.failure("look at \(path)") }
        return status
    }

    func length(_ path: String) throws(BackupError) -> Int64 { Int64(try status(path).st_size) }

    /// Fewer bytes than asked for only at the end.
    func read(at offset: Int64, count: Int, _ path: String) throws(BackupError) -> Bytes {
        var code: Int32 = 0
        let bytes = Bytes(unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(
                    descriptor, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(offset) + filled)
                if got < 0, errno == EINTR { continue }
                if got < 0 { code = errno }
                guard got > 0 else { return }
                filled += got
            }
        }
        if code != 0 { throw Files.failure("read \(path)", code: code) }
        return bytes
    }

    func write(_ bytes: Bytes, at offset: Int64, _ path: String) throws(BackupError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                pwrite(
                    descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written,
                    off_t(offset) + written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Files.failure("write \(path)") }
            written += count
        }
    }

    func sync(_ path: String) throws(BackupError) {
        guard fsync(descriptor) == 0 else { throw Files.failure("write \(path) to disk") }
    }
}
