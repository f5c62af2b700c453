// A folder with what is below it: files and folders. Links, sockets and devices are left out, and counted.

import Base
import Glibc
import Wire

package actor FolderSource: BackupSource {
    /// A file that was changed so shortly before it was looked at may be changed again without its times showing it.
    private static let settled = 2

    private struct Level {
        let folder: String
        let path: ItemPath?
        var names: [String]
        var next = 0
    }

    private let root: String
    private let top: ItemPath
    private let leavingOut: Set<String>
    private var levels: [Level] = []
    private var hasBegun = false
    /// Links and the like that were met.
    package private(set) var leftOut = 0

    /// `top` is the path that the folder itself gets. `leavingOut`: paths on this machine that are not descended into.
    package init(_ root: String, as top: ItemPath, leavingOut: Set<String> = []) {
        self.root = root
        self.top = top
        self.leavingOut = leavingOut
    }

    package func expectedBytes() -> UInt64? { Self.bytes(below: root, depth: 0) }

    private static func bytes(below folder: String, depth: Int) -> UInt64 {
        guard depth < BackupLimits.pathDepth else { return 0 }
        return Files.names(in: folder, hidden: true).reduce(0) { sum, name in
            guard let status = Files.status(of: "\(folder)/\(name)") else { return sum }
            switch status.st_mode & S_IFMT {
            case S_IFREG: return sum + UInt64(status.st_size)
            case S_IFDIR: return sum + bytes(below: "\(folder)/\(name)", depth: depth + 1)
            default: return sum
            }
        }
    }

    package func next() throws(BackupError) -> SourceItem? {
        if !hasBegun {
            hasBegun = true
            guard let status = Files.status(of: root), status.st_mode & S_IFMT == S_IFDIR else {
                throw .unavailable("\(root) is not a folder that can be backed up")
            }
            return enter(root, top, status)
        }
        while let level = levels.last {
            guard level.next < level.names.count else {
                levels.removeLast()
                continue
            }
            levels[levels.count - 1].next += 1
            if let item = try item(level.names[level.next], level) { return item }
        }
        return nil
    }

    private func item(_ name: String, _ level: Level) throws(BackupError) -> SourceItem? {
        let file = "\(level.folder)/\(name)"
        guard !leavingOut.contains(file), let status = Files.status(of: file) else { return nil }
        guard let path = (level.path ?? top).appending(name) else {
            throw .refused("\(file) cannot be backed up: its path is too long or too deep, or not UTF-8")
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return Self.file(file, path, status)
        case S_IFDIR: return enter(file, path, status)
        default:
            leftOut += 1
            return nil
        }
    }

    private func enter(_ folder: String, _ path: ItemPath, _ status: stat) -> SourceItem {
        levels.append(Level(folder: folder, path: path, names: Files.names(in: folder, hidden: true)))
        return SourceItem(
            path: path, kind: .folder, mode: UInt16(status.st_mode & 0o777), changed: Self.time(status.st_mtim),
            mark: []
        ) { () throws(BackupError) -> ItemBytes? in { () throws(BackupError) -> Bytes? in nil } }
    }

    package func close() { levels = [] }

    // MARK: Files

    private static func time(_ time: timespec) -> Timestamp {
        FormTime.clamped(
            Timestamp(microsecondsSinceEpoch: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000))
    }

    /// Size, times, number and device: changed together with the bytes, unless somebody sets clocks.
    private static func mark(_ status: stat) -> Bytes {
        let now = Glibc.time(nil)
        guard now - status.st_ctim.tv_sec > settled, now - status.st_mtim.tv_sec > settled else { return [] }
        var mark = Bytes()
        for number in [
            Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
            status.st_ctim.tv_nsec,
        ] { mark.append(bigEndian: UInt64(bitPattern: Int64(number))) }
        mark.append(bigEndian: UInt64(status.st_ino))
        mark.append(bigEndian: UInt64(status.st_dev))
        return mark
    }

    static func file(_ file: String, _ path: ItemPath, _ status: stat) -> SourceItem {
        SourceItem(
            path: path, kind: .file, mode: UInt16(status.st_mode & 0o777), changed: time(status.st_mtim),
            mark: mark(status)
        ) { () throws(BackupError) -> ItemBytes? in try reader(file) }
    }

    /// The bytes of a file, from its beginning to where it ends when that is reached.
    static func reader(_ path: String) throws(BackupError) -> ItemBytes? {
        guard let file = try Files.open(path) else { return nil }
        let position = FilePosition()
        return { () throws(BackupError) -> Bytes? in
            let bytes = try file.read(at: position.offset, count: BackupLimits.block, path)
            position.offset += Int64(bytes.count)
            return bytes.isEmpty ? nil : bytes
        }
    }
}

/// Where a reader is.
///
/// `@unchecked`: an item's bytes are pulled by one task, one call after the other.
final class FilePosition: @unchecked Sendable {
    var offset: Int64 = 0
}
