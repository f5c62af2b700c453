// The rules that the compiler cannot hold, as functions from a file to what is wrong in it.

enum Rules {
    // MARK: - Imports

    /// Imports point to a smaller number only. docs/architecture.md explains the layers.
    static let layers = [
        "Base": 0, "Wire": 1, "Crypto": 1, "Net": 2, "Store": 2, "Vault": 2, "Content": 2, "Configuration": 2,
        "Accounts": 3, "Media": 3, "Relay": 3, "Tasks": 3, "Chat": 4, "Signaling": 5, "Backup": 5, "API": 6, "TestKit": 7,
        "plexichat": 8, "plexibench": 8, "plexifuzz": 8,
    ]

    /// Who may import which C.
    static let cModules: [String: Set<String>] = [
        "CShims": [
            "Base", "Crypto", "Accounts", "Net", "Store", "Vault", "Content", "Media", "Relay", "Backup", "TestKit",
            "plexichat", "plexibench",
        ],
        "COpenSSL": ["Crypto"], "CArgon2": ["Crypto"], "CCurl": ["Net"], "CZlib": ["Net", "Content"],
        "CImages": ["Content", "plexibench"], "CZstd": ["Backup"],
        "CFloor": ["plexibench"], "CSQLite": ["Store"], "CPQ": ["Store"], "CYAML": ["Configuration"],
    ]

    /// Modules of the toolchain. Foundation is not among them: it is 60 MB, and slow where it matters.
    static let toolchain: Set<String> = ["Swift", "Glibc", "Synchronization", "_Volatile"]

    static func imports(_ file: SourceFile) -> [Finding] {
        let isTest = file.path.hasPrefix("Tests/")
        return modules(importedBy: file).compactMap { module, line in
            if toolchain.contains(module) || (module == "Testing" && isTest) { return nil }
            if isTest, layers[module] != nil || cModules[module] != nil { return nil }
            if cModules[module]?.contains(file.target) == true { return nil }
            if let below = layers[module], let own = layers[file.target], below < own { return nil }
            return Finding(path: file.path, line: line, reason: "may not import \(module)")
        }
    }

    static func modules(importedBy file: SourceFile) -> [(String, Int)] {
        file.code.enumerated().compactMap { index, line in
            let words = line.split(separator: " ")
            guard let position = words.firstIndex(of: "import") else { return nil }
            let isDeclaration = words[..<position].allSatisfy {
                $0.hasPrefix("@") || ["package", "public", "internal", "private", "fileprivate"].contains($0)
            }
            guard isDeclaration, let module = words[(position + 1)...].last?.split(separator: ".").first else {
                return nil
            }
            return (String(module), index + 1)
        }
    }

    // MARK: - Code

    /// What a line of code may not hold, and where.
    private static func lines(
        _ file: SourceFile, _ reason: String, where isWrong: (String) -> Bool
    ) -> [Finding] {
        file.code.enumerated().compactMap { index, line in
            isWrong(line) ? Finding(path: file.path, line: index + 1, reason: reason) : nil
        }
    }

    /// Commands write to `Output`, the server to its log.
    static func prints(_ file: SourceFile) -> [Finding] {
        guard !["plexibench", "plexifuzz"].contains(file.target) else { return [] }
        return lines(file, "prints; use Output or a Logger") { line in
            ["print(", "debugPrint(", "dump("].contains { call in
                line.ranges(of: call).contains { range in
                    let before = line[..<range.lowerBound].last
                    return before.map { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "." } ?? true
                        && !line[..<range.lowerBound].hasSuffix("func ")
                }
            }
        }
    }

    /// What the wire sends may be anything, so in Wire nothing may insist.
    static func insistence(_ file: SourceFile) -> [Finding] {
        guard file.path.hasPrefix("Sources/Wire/") else { return [] }
        return lines(file, "insists with `!`; what comes from the wire must not trap") { line in
            zip(line.utf8.dropLast(), line.utf8.dropFirst()).enumerated().contains { index, pair in
                guard pair.1 == UInt8(ascii: "!"), isEndOfOperand(pair.0) else { return false }
                let next = line.utf8.dropFirst(index + 2).first
                return next != UInt8(ascii: "=")
            }
        }
    }

    private static func isEndOfOperand(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: ")"), UInt8(ascii: "]"): true
        default: false
        }
    }

    /// A generic `package` function is never specialised in another target: 20 times slower, with an allocation a call.
    static func genericPackageFunctions(_ file: SourceFile) -> [Finding] {
        guard ["Base", "Wire"].contains(file.target), file.path.hasPrefix("Sources/") else { return [] }
        let code = file.code
        return code.indices.compactMap { index in
            guard let name = genericName(code, index) else { return nil }
            let attributes = (code[max(0, index - 1)] + code[index])
            if attributes.contains("@inlinable") { return nil }
            return Finding(
                path: file.path, line: index + 1, reason: "`\(name)` is generic, `package` and not @inlinable")
        }
    }

    /// The name of a generic `package` function that is declared in this line.
    private static func genericName(_ code: [String], _ index: Int) -> String? {
        let words = code[index].split(separator: " ")
        guard words.first == "package" || words.dropFirst().first == "package" else { return nil }
        guard
            let keyword = words.firstIndex(where: { $0 == "func" || $0.hasPrefix("init") || $0.hasPrefix("subscript") })
        else { return nil }
        let head = head(code, from: index)
        let start = words[keyword] == "func" ? words[keyword + 1] : words[keyword]
        let name = start.prefix { $0 != "(" && $0 != "<" }
        // An operator's name may begin with `<`.
        guard name.first?.isLetter == true else { return nil }
        let isGeneric = start.dropFirst(name.count).hasPrefix("<") || head.contains(" some ") || head.contains("(some ")
        return isGeneric ? String(name) : nil
    }

    /// A declaration up to its body: parameters may take several lines.
    private static func head(_ code: [String], from index: Int) -> String {
        var head = ""
        for line in code[index...].prefix(8) {
            head += line + " "
            if line.contains("{") { break }
        }
        return String(head.prefix { $0 != "{" })
    }

    // MARK: - Size

    /// A screen, generously: beyond it a reader forgets the beginning.
    static let functionLinesMax = 70
    /// One subject may be long; two do not belong in one file.
    static let fileLinesMax = 900

    static func size(_ file: SourceFile) -> [Finding] {
        var findings: [Finding] = []
        let code = file.code
        if code.count > fileLinesMax {
            findings.append(
                Finding(path: file.path, line: 1, reason: "\(code.count) lines; \(fileLinesMax) are allowed"))
        }
        for index in code.indices where declaresFunction(code[index]) {
            guard let end = bodyEnd(code, from: index), end - index + 1 > functionLinesMax else { continue }
            let reason = "a function of \(end - index + 1) lines; \(functionLinesMax) are allowed"
            findings.append(Finding(path: file.path, line: index + 1, reason: reason))
        }
        return findings
    }

    /// The line of the closing brace. `nil` for a body on one line, and for a requirement without one.
    private static func bodyEnd(_ code: [String], from index: Int) -> Int? {
        let indentation = code[index].prefix { $0 == " " }
        for line in code[index...] {
            if line.hasSuffix("{") { break }
            // The next declaration: this one had no body.
            if line.hasSuffix("}") || line.isEmpty { return nil }
        }
        // The formatter puts the brace under the declaration's first letter.
        return code[index...].firstIndex { $0 == indentation + "}" }
    }

    private static func declaresFunction(_ line: String) -> Bool {
        let words = line.split(separator: " ")
        return words.contains("func") || words.contains { $0.hasPrefix("init(") || $0.hasPrefix("init?(") }
    }

    /// The first lines of a file say what it is for.
    static func opening(_ file: SourceFile) -> [Finding] {
        if file.text.hasPrefix("// ") || file.name == "Package.swift" { return [] }
        return [Finding(path: file.path, line: 1, reason: "opens without a comment that says what it is for")]
    }

    /// A file that holds nothing is left over.
    static func emptiness(_ file: SourceFile) -> [Finding] {
        let hasCode = file.code.contains { line in
            !line.allSatisfy { $0 == " " } && !line.split(separator: " ").contains("import")
        }
        let isPage = file.text.hasPrefix("//") && file.name == "\(file.target).swift"
        return hasCode || isPage ? [] : [Finding(path: file.path, line: 1, reason: "holds nothing")]
    }

    // MARK: - Safety

    /// A link to the machine's own folders, in a folder that a test clears afterwards, empties them when the clearing
    /// follows links. Link to another folder of the test instead.
    static func linksToTheMachine(_ file: SourceFile) -> [Finding] {
        guard file.path.hasPrefix("Tests/") || file.target == "TestKit" else { return [] }
        return file.lines.enumerated().compactMap { index, line in
            guard line.contains("symlink(" + "\"/") else { return nil }
            return Finding(path: file.path, line: index + 1, reason: "links to a folder of the machine")
        }
    }

    // MARK: - Words

    /// Notes to self belong in the tracker, machines' paths nowhere. Written in pieces, for this file is read too.
    static let forbiddenWords = [
        "TO" + "DO", "FIX" + "ME", "HA" + "CK:", "/wo" + "rk/", "/Us" + "ers/", "white" + "list", "black" + "list",
        "snapshot." + "debian",
    ]

    static func words(_ file: SourceFile) -> [Finding] {
        file.lines.enumerated().flatMap { index, line in
            forbiddenWords.filter { line.contains($0) }.map { word in
                Finding(path: file.path, line: index + 1, reason: "contains `\(word)`")
            }
        }
    }
}
