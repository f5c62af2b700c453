// The system calls on files that the blob stores need, each with its error in words. They block.

import Base
import Glibc

enum FileCalls {
    static func check(_ operation: @autoclosure () -> String, _ call: () -> Int32) throws(BlobError) -> Int32 {
        while true {
            let result = call()
            if result >= 0 { return result }
            guard errno == EINTR else { throw failure(SystemError(operation())) }
        }
    }

    static func failure(_ error: SystemError) -> BlobError {
        switch error.code {
        case ENOENT: .notFound
        case ENOSPC, EDQUOT: .unavailable("the disk is full")
        default: .unavailable("\(error)")
        }
    }

    static func writeAll(_ bytes: Bytes, to descriptor: Int32) throws(BlobError) {
        var written = 0
        while written < bytes.count {
            let result = bytes.withUnsafeBytes { buffer in
                write(descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written)
            }
            if result < 0, errno == EINTR { continue }
            guard result > 0 else { throw failure(SystemError("write a blob")) }
            written += result
        }
    }

    /// Fewer bytes than asked for only at the end of the file.
    static func read(_ descriptor: Int32, at offset: Int64, count: Int) throws(BlobError) -> Bytes {
        var failed = false
        let bytes = Bytes(unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let result = pread(
                    descriptor, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(offset) + filled)
                if result < 0, errno == EINTR { continue }
                failed = result < 0
                guard result > 0 else { return }
                filled += result
            }
        }
        if failed { throw failure(SystemError("read a blob")) }
        return bytes
    }

    static func sync(folder: String) throws(BlobError) {
        let descriptor = try check("open \(folder)") { open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { close(descriptor) }
        _ = try check("sync \(folder)") { fsync(descriptor) }
    }

    /// True when it was not there before.
    static func makeFolder(_ path: String) throws(BlobError) -> Bool {
        if mkdir(path, 0o700) == 0 { return true }
        guard errno == EEXIST else { throw failure(SystemError("create \(path)")) }
        return false
    }

    static func length(of path: String) throws(BlobError) -> Int64 {
        var status = stat()
        _ = try check("look at \(path)") { stat(path, &status) }
        return Int64(status.st_size)
    }

    /// Sorted names, without those that begin with a dot. None when the folder is not there.
    static func names(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }
}

/// An open descriptor that is closed with its last reference.
final class OpenDescriptor: Sendable {
    let number: Int32
    init(owning number: Int32) { self.number = number }
    deinit { close(number) }
}
