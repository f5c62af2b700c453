// The folder of an export: names, what is finished already, and how a file takes its place.
//
// A file is written under a name with a dot before it, synchronised, and renamed. Beside a finished track lies what its
// worker said of it, so that an export that was stopped goes on with the tracks that are missing.

import Base
import Glibc

final class ExportFolder {
    private let path: String
    private let descriptor: Int32

    init(_ path: String) throws(ExportError) {
        self.path = path
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw .output("\(SystemError("make \(path)"))") }
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .output("\(SystemError("open \(path)"))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw .output("\(path): another export is at work here; wait for it, or name another folder")
        }
    }

    deinit { close(descriptor) }

    private static func failure(_ operation: String) -> ExportError {
        switch errno {
        case ENOSPC, EDQUOT: .output("\(operation): the disk is full; make room and export again")
        default: .output("\(SystemError(operation))")
        }
    }

    static func temporary(_ name: String) -> String { ".\(name).part" }
    static func note(_ name: String) -> String { ".\(name).done" }

    func contains(_ name: String) -> Bool { faccessat(descriptor, name, F_OK, 0) == 0 }

    /// A new file under a temporary name; what an export before left there is gone.
    func create(_ name: String) throws(ExportError) -> Int32 {
        let temporary = Self.temporary(name)
        unlinkat(descriptor, temporary, 0)
        let file = openat(descriptor, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw Self.failure("make \(path)/\(temporary)") }
        return file
    }

    /// The temporary file is whole and on disk: it takes its place.
    func keep(_ name: String) throws(ExportError) {
        guard renameat(descriptor, Self.temporary(name), descriptor, name) == 0 else {
            throw Self.failure("rename \(path)/\(Self.temporary(name))")
        }
        guard fsync(descriptor) == 0 else { throw Self.failure("write \(path) to disk") }
    }

    func discard(_ name: String) { unlinkat(descriptor, Self.temporary(name), 0) }

    func remove(_ name: String) { unlinkat(descriptor, name, 0) }

    func write(_ bytes: Bytes, to name: String) throws(ExportError) {
        let file = try create(name)
        defer { close(file) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(file, $0.baseAddress.map { $0 + written }, $0.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("write \(path)/\(name)") }
            written += count
        }
        guard fsync(file) == 0 else { throw Self.failure("write \(path)/\(name) to disk") }
        try keep(name)
    }

    /// `nil` for what is not there, and for what is longer.
    func read(_ name: String, max: Int) -> Bytes? {
        let file = openat(descriptor, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = Bytes(repeating: 0, count: max + 1)
        let count = Glibc.read(file, &bytes, bytes.count)
        return count >= 0 && count <= max ? Bytes(bytes.prefix(count)) : nil
    }

    func length(_ name: String) -> UInt64? {
        var status = stat()
        guard fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return nil
        }
        return UInt64(max(0, status.st_size))
    }

    // MARK: Tracks

    /// Before the track takes its place, so that a track that is there has its note.
    func keep(track name: String, _ summary: TrackSummary, of recording: UUID) throws(ExportError) {
        var note = Bytes("\(recording)\n".utf8)
        note += ExportReply(.done, summary: summary).bytes
        try write(note, to: Self.note(name))
        try keep(name)
    }

    /// `nil` unless the track is there as it was finished.
    func finished(track name: String, of recording: UUID) -> TrackSummary? {
        let head = Bytes("\(recording)\n".utf8)
        guard let note = read(Self.note(name), max: head.count + ExportReply.count), note.starts(with: head),
            let reply = ExportReply(Bytes(note.dropFirst(head.count))), reply.outcome == .done,
            length(name) == reply.summary.bytes
        else { return nil }
        return reply.summary
    }
}
