// Where a recording's files lie. The seam is where tests make a disk full or slow, and where a process that may open
// nothing is given descriptors instead.

package import Base
import Glibc

package protocol JournalFiles: Sendable {
    /// All names but hidden ones, in no order.
    func names() throws(JournalError) -> [String]
    /// The whole file; `nil` when there is none. A file longer than `most` is refused without reading it.
    func read(_ name: String, most: Int) throws(JournalError) -> Bytes?
    /// When this returns the file is durable under its name; before, nothing has that name. After an error it may be
    /// called again.
    func write(_ bytes: Bytes, to name: String) throws(JournalError)
}

/// A folder, by its descriptor: it stays the one that it was, whatever happens to its path.
package final class JournalFolder: JournalFiles {
    package let path: String
    private let descriptor: Int32

    private init(_ path: String, _ descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Makes the folder, which must not be there, and makes that durable. Those above it must be.
    package static func create(_ path: String) throws(JournalError) -> JournalFolder {
        guard mkdir(path, 0o700) == 0 else { throw failure("make \(path)") }
        let folder = try open(path)
        let parent = Glibc.open(path + "/..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard parent >= 0 else { throw failure("open the folder of \(path)") }
        defer { close(parent) }
        guard fsync(parent) == 0 else { throw failure("write the folder of \(path) to disk") }
        return folder
    }

    package static func open(_ path: String) throws(JournalError) -> JournalFolder {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw failure("open \(path)") }
        return JournalFolder(path, descriptor)
    }

    package func names() throws(JournalError) -> [String] {
        // The list has a place of its own in the folder: a copy of the descriptor would share one.
        let copy = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw Self.failure("list \(path)") }
        guard let list = fdopendir(copy) else {
            let code = errno
            close(copy)
            throw Self.failure("list \(path)", code: code)
        }
        defer { closedir(list) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(list) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw Self.failure("list \(path)") }
        return names
    }

    package func read(_ name: String, most: Int) throws(JournalError) -> Bytes? {
        let file = openat(descriptor, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw Self.failure("open \(path)/\(name)")
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw Self.failure("look at \(path)/\(name)") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .unavailable("\(path)/\(name) is not a file") }
        guard status.st_size <= most else {
            throw .malformed(file: name, reason: "it is longer than the \(most) bytes that it may have")
        }
        return try read(file, Int(status.st_size), name)
    }

    private func read(_ file: Int32, _ count: Int, _ name: String) throws(JournalError) -> Bytes {
        var code: Int32 = 0
        let bytes = Bytes(unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = Glibc.read(file, buffer.baseAddress?.advanced(by: filled), count - filled)
                if got < 0, errno == EINTR { continue }
                if got < 0 { code = errno }
                guard got > 0 else { return }
                filled += got
            }
        }
        if code != 0 { throw Self.failure("read \(path)/\(name)", code: code) }
        return bytes
    }

    package func write(_ bytes: Bytes, to name: String) throws(JournalError) {
        let hidden = "." + name
        // What a write that failed has left of it is begun anew.
        let file = openat(descriptor, hidden, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw Self.failure("make \(path)/\(hidden)") }
        do throws(JournalError) {
            try fill(file, bytes, hidden)
        } catch {
            close(file)
            // A full disk gets back what was of no use.
            unlinkat(descriptor, hidden, 0)
            throw error
        }
        close(file)
        guard renameat(descriptor, hidden, descriptor, name) == 0 else { throw Self.failure("name \(path)/\(name)") }
        guard fsync(descriptor) == 0 else { throw Self.failure("write \(path) to disk") }
    }

    private func fill(_ file: Int32, _ bytes: Bytes, _ name: String) throws(JournalError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(file, $0.baseAddress?.advanced(by: written), $0.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("write \(path)/\(name)") }
            written += count
        }
        guard fsync(file) == 0 else { throw Self.failure("write \(path)/\(name) to disk") }
    }

    private static func failure(_ operation: String, code: Int32 = errno) -> JournalError {
        switch code {
        case ENOSPC, EDQUOT: .unavailable("\(operation): the disk is full; make room, and the recording goes on")
        case EFBIG: .unavailable("\(operation): files may not become that long here; raise the limit (ulimit -f)")
        case EEXIST: .refused("\(operation): it is there already; each recording has a folder of its own")
        default: .unavailable("\(SystemError(operation, code: code))")
        }
    }
}
