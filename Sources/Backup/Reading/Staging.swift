// The folder beside the target, which takes its place when all of it is there.

import CShims
import Glibc

struct Staging: Sendable {
    /// Says that the folder is a restore's, and may be removed by the next one.
    static let marker = ".plexichat-restoring"

    let path: String
    let target: String
    private let exchanges: Bool

    /// Throws when the target holds something and may be neither replaced nor added to.
    init(_ target: String, overwrites: Bool, merges: Bool = false) throws(BackupError) {
        var target = target
        while target.hasSuffix("/"), target.count > 1 { target.removeLast() }
        self.target = target
        path = target + ".restoring"
        guard let status = Files.status(of: target) else {
            exchanges = false
            return
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw .refused("\(target) is not a folder") }
        let isEmpty = Files.names(in: target, hidden: true).isEmpty
        guard isEmpty || overwrites || merges else {
            throw .refused("\(target) is not empty; restore to another folder, or ask to overwrite it or to merge")
        }
        exchanges = !isEmpty && overwrites
    }

    /// Makes the folder; what an earlier restore left is removed.
    func begin() throws(BackupError) {
        if Files.status(of: path) != nil {
            guard Files.status(of: "\(path)/\(Self.marker)") != nil else {
                throw .refused("\(path) is in the way, and was not left by a restore; move it elsewhere")
            }
            try Files.removeTree(path)
        }
        try Files.makeFolder(path)
        try Files.write([], to: "\(path)/\(Self.marker)")
    }

    /// All of it is durable.
    func writeToDisk() throws(BackupError) { try Self.syncFileSystem(of: path) }

    /// Durable first, then in one step.
    func switchOver() throws(BackupError) {
        guard unlink("\(path)/\(Self.marker)") == 0 else { throw Files.failure("finish \(path)") }
        try Self.syncFileSystem(of: path)
        if exchanges {
            guard plexi_exchange_paths(path, target) == 0 else {
                throw Files.failure("exchange \(path) and \(target)")
            }
        } else {
            try Files.rename(path, target)
        }
        try Files.sync(Files.folder(of: target))
        if exchanges { try Files.removeTree(path) }
    }

    /// Thousands of files: one call for all of them costs less than one each.
    private static func syncFileSystem(of folder: String) throws(BackupError) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Files.failure("open \(folder)") }
        defer { close(descriptor) }
        guard plexi_sync_file_system(descriptor) == 0 else { throw Files.failure("write \(folder) to disk") }
    }

    /// The target stays as it was. Only what `begin` made is removed.
    func abandon() {
        guard Files.status(of: "\(path)/\(Self.marker)") != nil else { return }
        try? Files.removeTree(path)
    }
}
