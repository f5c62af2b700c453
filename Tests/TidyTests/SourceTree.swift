// The repository's files, as these tests read them.

import Glibc

struct SourceFile: Sendable {
    /// From the root of the repository: `Sources/Wire/UTF8.swift`.
    let path: String
    let text: String
    /// The lines without comments and the inside of strings. Reading it takes longer than all rules together.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        self.text = text
        code = path.hasSuffix(".swift") ? SwiftCode.lines(of: text) : []
    }

    var name: String { String(path.split(separator: "/").last ?? "") }
    var lines: [String] { text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
    /// `Wire` for `Sources/Wire/UTF8.swift`.
    var target: String { String(path.split(separator: "/").dropFirst().first ?? "") }
}

/// A place to put right, as a line that an editor can follow.
struct Finding: CustomStringConvertible, Equatable {
    let path: String
    let line: Int
    let reason: String
    var description: String { "\(path):\(line): \(reason)" }
}

enum SourceTree {
    /// The folder that holds Package.swift, whichever links led here.
    static let root: String = {
        var folder = realPath("\(#filePath)")
        while !folder.isEmpty, access("\(folder)/Package.swift", F_OK) != 0 {
            folder = String(folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)])
        }
        return folder
    }()

    static let swift = (files(in: "Sources") + files(in: "Tests")).filter { $0.path.hasSuffix(".swift") }
    static let sources = swift.filter { $0.path.hasPrefix("Sources/") }
    static let pages = (files(in: "docs") + files(in: "", deep: false)).filter { $0.path.hasSuffix(".md") }
    static let tooling = files(in: "scripts") + files(in: "deploy") + files(in: ".ci") + files(in: "", deep: false)

    static func exists(_ path: String) -> Bool { access("\(root)/\(path)", F_OK) == 0 }

    private static func realPath(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Text files below a folder, in order. Vectors and corpora are data, not ours to judge.
    private static func files(in folder: String, deep: Bool = true) -> [SourceFile] {
        var found: [SourceFile] = []
        for name in names(in: "\(root)/\(folder)") where !["Vectors", "Corpus", "__pycache__"].contains(name) {
            let path = folder.isEmpty ? name : "\(folder)/\(name)"
            if isFolder(path) {
                if deep { found += files(in: path) }
            } else if let text = read("\(root)/\(path)") {
                found.append(SourceFile(path: path, text: text))
            }
        }
        return found
    }

    private static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") || name == ".swift-format" || name == ".gitignore" { names.append(name) }
        }
        return names.sorted()
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat("\(root)/\(path)", &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { break }
            bytes += chunk.prefix(count)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
