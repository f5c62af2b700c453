// A place in a folder.
//
// A file is written under a name of its own in `.incoming`, and renamed. It is not synchronised then: a backup writes
// hundreds, and needs all of them durable before the first record speaks of them, not each at once. `flush` does that.

package import Base
import Glibc
import Synchronization

package final class FolderPlace: Place {
    /// Files that wait for a flush at most; more are synchronised at once. Higher: fewer stops while a backup is written;
    /// lower: less for the last flush to do.
    private static let unflushedMax = 256

    package let name: String
    private let root: String

    private struct State {
        var files: Set<String> = []
        var folders: Set<String> = []
    }
    private let unflushed = Mutex(State())

    private static let folders = ["", "/.incoming", "/config", "/records", "/indexes", "/packs", "/locks", "/keys"]

    /// `making`: the folder becomes a place when it is none; its parent must be there. Without, a folder that is no place
    /// throws: the disk that should be mounted there may not be. Removes what an earlier process left half-written.
    package init(_ path: String, making: Bool) throws(BackupError) {
        root = path
        name = path
        guard making || Files.status(of: path + "/config") != nil else {
            throw .unavailable(
                "\(path) is no place of a repository; is its disk mounted? `plexichat backup create --new` makes it one"
            )
        }
        for folder in Self.folders {
            try Files.makeFolder(path + folder)
        }
        // A name in there belongs to a process that writes; an hour is longer than any write of 16 MiB.
        for left in Files.names(in: path + "/.incoming", hidden: true) {
            let file = path + "/.incoming/" + left
            if let age = Files.secondsSinceChange(file), age > 3_600 { unlink(file) }
        }
    }

    package func put(_ name: String, _ bytes: Bytes) async throws(BackupError) {
        let temporary = "\(root)/.incoming/\(UUID.random())"
        let target = "\(root)/\(name)"
        do throws(BackupError) {
            try Files.write(bytes, to: temporary)
            try makeFolder(of: target)
            try Files.rename(temporary, target)
        } catch {
            unlink(temporary)
            throw error
        }
        let isFull = unflushed.withLock { state in
            state.files.insert(target)
            state.folders.insert(Files.folder(of: target))
            return state.files.count >= Self.unflushedMax
        }
        if isFull { try await flush() }
    }

    private func makeFolder(of target: String) throws(BackupError) {
        let folder = Files.folder(of: target)
        guard try Files.makeFolder(folder) else { return }
        let parent = Files.folder(of: folder)
        _ = unflushed.withLock { $0.folders.insert(parent) }
    }

    package func get(_ name: String) async throws(BackupError) -> Bytes? {
        let path = "\(root)/\(name)"
        guard let file = try Files.open(path) else { return nil }
        let length = try file.length(path)
        guard length <= Int64(BackupLimits.object) else {
            throw .damaged(file: name, place: root, reason: "it is longer than any file of a repository")
        }
        return try file.read(at: 0, count: Int(length), path)
    }

    package func delete(_ name: String) async throws(BackupError) {
        let path = "\(root)/\(name)"
        guard unlink(path) != 0 else {
            unflushed.withLock { state in
                state.files.remove(path)
                state.folders.insert(Files.folder(of: path))
            }
            return
        }
        guard errno == ENOENT else { throw Files.failure("delete \(path)") }
    }

    package func list(_ folder: String?) async throws(BackupError) -> [PlaceFile] {
        var files: [PlaceFile] = []
        if let folder {
            try list(folder, into: &files)
            return files
        }
        for folder in ["config", "records", "indexes", "locks", "keys"] { try list(folder, into: &files) }
        for folder in Files.names(in: root + "/packs") { try list("packs/" + folder, into: &files) }
        return files
    }

    private func list(_ folder: String, into files: inout [PlaceFile]) throws(BackupError) {
        for name in Files.names(in: "\(root)/\(folder)") {
            guard files.count < BackupLimits.filesPerPlace else {
                throw .malformed("\(root) has more than \(BackupLimits.filesPerPlace) files")
            }
            // It may have gone meanwhile: a lock, say.
            guard let length = Files.length(of: "\(root)/\(folder)/\(name)") else { continue }
            files.append(PlaceFile(name: "\(folder)/\(name)", length: length))
        }
    }

    package func flush() async throws(BackupError) {
        let state = unflushed.withLock { state in
            defer { state = State() }
            return state
        }
        do throws(BackupError) {
            for file in state.files { try Files.sync(file) }
            for folder in state.folders { try Files.sync(folder) }
        } catch {
            // It is not durable, and the next flush must not say that it is.
            unflushed.withLock { now in
                now.files.formUnion(state.files)
                now.folders.formUnion(state.folders)
            }
            throw error
        }
    }
}
