// An option that an operator cannot set is none, and a key that nothing reads is a promise that nobody keeps. The
// assembly that joins the two is in a program, which no test can import: its text is read.

import Testing

@Suite struct OptionTests {
    /// `name` and what it begins with (`= 100`, `: Duration?`), of each stored property that others may set.
    private static func properties(of path: String, in type: String) throws -> [String: String] {
        let file = try #require(SourceTree.sources.first { $0.path == path }, "\(path) is not there")
        let lines = file.lines
        let start = try #require(lines.firstIndex { $0.contains("struct \(type): Sendable {") }, "no \(type)")
        let indentation = lines[start].prefix { $0 == " " }
        let body = lines[start...].dropFirst().prefix { $0 != "\(indentation)}" }
        var found: [String: String] = [:]
        for line in body {
            guard let declaration = line.firstRange(of: "package var ") else { continue }
            let rest = line[declaration.upperBound...]
            let name = rest.prefix { $0 != ":" && $0 != " " }
            found[String(name)] = String(rest.dropFirst(name.count))
        }
        return found
    }

    private static let assembly = "Sources/plexichat/Assembly/ChatAssembly.swift"

    private static func assembled() throws -> String {
        try #require(SourceTree.sources.first { $0.path == assembly }, "\(assembly) is not there").text
    }

    @Test func `each option of chat has its key, with the same default`() throws {
        let options = try Self.properties(of: "Sources/Chat/Service/ChatOptions.swift", in: "ChatOptions")
        let keys = try Self.properties(of: "Sources/Configuration/Keys/Chat.swift", in: "Chat")
        let text = try Self.assembled()
        #expect(options.count > 20)
        for (name, initial) in options {
            #expect(keys[name] == initial, "\(name) has no key, or another default than ChatOptions")
            #expect(text.contains("options.\(name) = chat.\(name)\n"), "\(Self.assembly) does not pass \(name) on")
        }
    }

    @Test func `each key of chat is one row, and passed on`() throws {
        let keys = try Self.properties(of: "Sources/Configuration/Keys/Chat.swift", in: "Chat")
        let table = try #require(SourceTree.sources.first { $0.path == "Sources/Configuration/Keys/Chat.swift" }).text
        let text = try Self.assembled()
        #expect(keys.count > 20)
        for name in keys.keys {
            #expect(table.contains("\\.chat.\(name),"), "\(name) has no row")
            #expect(text.contains("= chat.\(name)\n"), "\(Self.assembly) does not use chat.\(name)")
        }
    }

    @Test func `what chat sockets may be set to begins as it is without a configuration`() throws {
        let limits = try Self.properties(of: "Sources/Chat/Live/LiveLimits.swift", in: "LiveLimits")
        let keys = try Self.properties(of: "Sources/Configuration/Keys/Chat.swift", in: "Chat")
        for (limit, key) in [
            ("socketsPerUser", "socketsPerUser"), ("followed", "followedPerSocket"),
            ("typingInterval", "typingInterval"), ("presenceMembers", "presenceMembers"),
        ] {
            #expect(limits[limit] != nil && limits[limit] == keys[key], "\(limit)")
        }
        #expect(limits["messagesPerMinute"] == " = 100", "rate_limits.design.socket_messages begins with 100/min")
    }
}
