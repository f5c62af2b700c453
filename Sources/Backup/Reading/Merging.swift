// A restore into a folder that holds something, of what it lacks: docs/formats/backup.md, "Reading".

import Base
import Glibc

/// What is there already and stays. Looked at when it is asked for: a server may be at work there.
struct ExistingItems: Sendable {
    private let target: String

    init(_ target: String) { self.target = target }

    /// A link, or a file where the backup has a folder, is in the way of all that would lie below it.
    func contains(_ path: ItemPath, _ kind: ItemKind) throws(BackupError) -> Bool {
        var parent = target
        for name in path.names.dropLast() {
            parent += "/\(name)"
            guard let status = Files.status(of: parent) else { return false }
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw .refused("\(parent) is no folder, and the backup has one there; move it elsewhere")
            }
        }
        guard let status = Files.status(of: "\(target)/\(path)") else { return false }
        let isFolder = status.st_mode & S_IFMT == S_IFDIR
        guard isFolder == (kind == .folder) else {
            throw .refused("\(target)/\(path) is not what the backup has there; move it elsewhere")
        }
        return true
    }
}

extension Staging {
    /// Moves what was restored to where nothing is; what has come to be there meanwhile stays. Killed at any moment, it
    /// has moved some, and the next merge brings the rest.
    func merge() throws(BackupError) -> (moved: UInt64, kept: UInt64) {
        var counts = (moved: UInt64(0), kept: UInt64(0))
        // The marker stays to the end: a merge that is killed leaves a folder that the next one may remove.
        try writeToDisk()
        try Files.makeFolder(target)
        try merge(path, into: target, &counts)
        try Files.sync(Files.folder(of: target))
        try Files.removeTree(path)
        return counts
    }

    private func merge(
        _ from: String, into: String, _ counts: inout (moved: UInt64, kept: UInt64)
    ) throws(BackupError) {
        for name in Files.names(in: from, hidden: true) where name != Self.marker {
            let (source, destination) = ("\(from)/\(name)", "\(into)/\(name)")
            guard let status = Files.status(of: source) else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                try Files.makeFolder(destination)
                try merge(source, into: destination, &counts)
            } else if link(source, destination) == 0 {
                // Not renamed: that would replace what is there.
                unlink(source)
                counts.moved += 1
            } else if errno == EEXIST {
                counts.kept += 1
            } else if errno == EXDEV {
                throw .refused(
                    "\(into) is on another disk than \(path); restore to a folder there, and move it by hand")
            } else {
                throw Files.failure("move \(source) to \(destination)")
            }
        }
        try Files.sync(into)
    }
}
