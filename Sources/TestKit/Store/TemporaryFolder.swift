// A folder for one test, gone with it.

import Glibc

package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/plexi-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ConformanceFailure(description: "no temporary folder") }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit { if path.contains("/plexi-test-") { Self.remove(path) } }

    /// Names in the folder, sorted, without `.` and `..`.
    package func entries(of subfolder: String = "") -> [String] { Self.entries(path + "/" + subfolder) }

    private static func entries(_ path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Only a folder itself is descended into: what a link leads to, even one that cannot be removed, is not ours.
    private static func remove(_ path: String) {
        for name in entries(path) {
            let child = path + "/" + name
            var status = stat()
            guard lstat(child, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR { remove(child) } else { unlink(child) }
        }
        rmdir(path)
    }
}
