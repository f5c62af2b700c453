// The end of a recording that was deleted: docs/protocol/recording.md, "Access".

import Base
import Glibc

extension JournalFolder {
    /// An age header for a hybrid recipient has 1.6 KiB; with several recipients it still begins here.
    private static let headBytes = 16_384

    /// Overwrites the headers, without which the vault's key opens nothing of what may be left of the files' blocks, and
    /// removes the folder. One that is gone already is no failure. File systems that write everything to a new place, and
    /// disks that do so themselves, keep the old header until they need its room: only they can do more about it.
    package static func erase(_ path: String) throws(JournalError) {
        let folder = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard folder >= 0 else {
            if errno == ENOENT { return }
            throw failed("open \(path)")
        }
        defer { close(folder) }
        for name in try everyName(folder, path) {
            try overwrite(name, in: folder, path)
            guard unlinkat(folder, name, 0) == 0 || errno == ENOENT else { throw failed("remove \(path)/\(name)") }
        }
        guard rmdir(path) == 0 else { throw failed("remove \(path)") }
    }

    /// Hidden ones too: a segment that was under way.
    private static func everyName(_ folder: Int32, _ path: String) throws(JournalError) -> [String] {
        let copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0, let list = fdopendir(copy) else { throw failed("list \(path)") }
        defer { closedir(list) }
        var names: [String] = []
        while let entry = readdir(list) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    private static func overwrite(_ name: String, in folder: Int32, _ path: String) throws(JournalError) {
        let file = openat(folder, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else { throw failed("open \(path)/\(name)") }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw failed("look at \(path)/\(name)") }
        let zeros = Bytes(repeating: 0, count: min(headBytes, Int(status.st_size)))
        let count = zeros.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, 0) }
        guard count == zeros.count, fsync(file) == 0 else { throw failed("overwrite \(path)/\(name)") }
    }

    private static func failed(_ operation: String) -> JournalError { .unavailable("\(SystemError(operation))") }
}
