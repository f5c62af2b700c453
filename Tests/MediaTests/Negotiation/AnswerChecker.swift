import Base

/// What must hold between an offer and its answer, found in the lines of the two texts: it shares no code with the
/// parser and the writer, so a mistake that both make is seen here.
struct AnswerChecker {
    private struct Section {
        var head: [Substring]
        var lines: [Substring]

        var kind: Substring { head[0] }
        var isRejected: Bool { head[1] == "0" && !lines.contains("a=bundle-only") }
        var formats: [Substring] { Array(head.dropFirst(3)) }
        func values(_ name: String) -> [Substring] {
            lines.filter { $0.hasPrefix("a=" + name + ":") }.map { $0.dropFirst(name.utf8.count + 3) }
        }
        func has(_ name: String) -> Bool { lines.contains(Substring("a=" + name)) }
    }

    private let session: [[Substring]]
    private let sections: [[Section]]
    /// Whether the answer is one of ours, which keep to more rules than others' do.
    private let isOurs: Bool
    /// Whether nothing was agreed before: then we choose the role in DTLS.
    private let isFirst: Bool
    private(set) var problems: [String] = []

    init(offer: Bytes, answer: Bytes, isOurs: Bool, isFirst: Bool = true) {
        self.isOurs = isOurs
        self.isFirst = isFirst
        var session: [[Substring]] = []
        var sections: [[Section]] = []
        for text in [offer, answer] {
            let lines = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
            let starts = lines.indices.filter { lines[$0].hasPrefix("m=") }
            session.append(Array(lines[..<(starts.first ?? lines.count)]))
            sections.append(
                starts.enumerated().map { number, start in
                    let end = number + 1 < starts.count ? starts[number + 1] : lines.count
                    return Section(
                        head: lines[start].dropFirst(2).split(separator: " "), lines: Array(lines[start..<end]))
                })
        }
        self.session = session
        self.sections = sections
        check()
    }

    private mutating func expect(_ holds: Bool, _ text: String) { if !holds { problems.append(text) } }

    private mutating func check() {
        guard sections[0].count == sections[1].count else {
            problems.append("\(sections[0].count) sections became \(sections[1].count)")
            return
        }
        for (index, (offer, answer)) in zip(sections[0], sections[1]).enumerated() {
            expect(offer.kind == answer.kind, "section \(index) changes its kind")
            expect(answer.head.count > 3, "section \(index) has formats")
            expect(!offer.isRejected || answer.isRejected, "section \(index) was rejected by the offerer")
            guard !answer.isRejected else { continue }
            checkFormats(index, offer, answer)
            checkExtensions(index, offer, answer)
            checkDirection(index, offer, answer)
            checkTransport(index, offer, answer)
            checkLayers(index, offer, answer)
        }
        checkBundle()
    }

    private mutating func checkFormats(_ index: Int, _ offer: Section, _ answer: Section) {
        expect(
            offer.values("mid") == answer.values("mid") || !isOurs && answer.values("mid").isEmpty,
            "section \(index) keeps its mid")
        guard answer.kind != "application" else { return }
        expect(Set(answer.formats).isSubset(of: offer.formats), "section \(index) has formats of its own")
        expect(Set(answer.formats).count == answer.formats.count, "section \(index) repeats formats")
        let offered = Dictionary(
            offer.values("rtpmap").map { ($0.split(separator: " ")[0], $0.split(separator: " ")[1].lowercased()) },
            uniquingKeysWith: { first, _ in first })
        for map in answer.values("rtpmap") {
            let parts = map.split(separator: " ")
            // Static payload types may be without `rtpmap`, and one channel without its number.
            var theirs = offered[parts[0]] ?? parts[1].lowercased()
            var ours = parts[1].lowercased()
            if theirs.hasSuffix("/1") { theirs.removeLast(2) }
            if ours.hasSuffix("/1") { ours.removeLast(2) }
            expect(theirs == ours, "section \(index): \(map) is another codec than \(theirs)")
            expect(answer.formats.contains(parts[0]), "section \(index): \(map) is not in the m-line")
        }
        for parameters in answer.values("fmtp") {
            let parts = parameters.split(separator: " ")
            expect(answer.formats.contains(parts[0]), "section \(index): fmtp of \(parts[0]) is not in the m-line")
            guard isOurs, let last = parts.last, last.hasPrefix("apt=") else { continue }
            expect(answer.formats.contains(last.dropFirst(4)), "section \(index): \(last) repairs nothing")
        }
        let feedback = Set(offer.values("rtcp-fb").map { $0.trimmed })
        for line in answer.values("rtcp-fb").map(\.trimmed) where isOurs {
            let everywhere = "* " + line.split(separator: " ").dropFirst().joined(separator: " ")
            expect(feedback.contains(line) || feedback.contains(everywhere), "section \(index): \(line) not offered")
        }
    }

    private mutating func checkExtensions(_ index: Int, _ offer: Section, _ answer: Section) {
        func table(_ lines: [Substring]) -> [Substring: Substring] {
            var table: [Substring: Substring] = [:]
            for line in lines {
                let parts = line.split(separator: " ")
                if parts.count > 1 { table[parts[1]] = parts[0].split(separator: "/")[0] }
            }
            return table
        }
        let everywhere = session[0].filter { $0.hasPrefix("a=extmap:") }.map { $0.dropFirst(9) }
        let offered = table(everywhere + offer.values("extmap"))
        for (uri, number) in table(answer.values("extmap")) {
            expect(offered[uri] == number, "section \(index): \(uri) has number \(number)")
        }
    }

    private func direction(_ side: Int, _ section: Section) -> (sends: Bool, receives: Bool) {
        for lines in [section.lines, session[side]] {
            if lines.contains("a=sendrecv") { return (true, true) }
            if lines.contains("a=sendonly") { return (true, false) }
            if lines.contains("a=recvonly") { return (false, true) }
            if lines.contains("a=inactive") { return (false, false) }
        }
        return (true, true)
    }

    private mutating func checkDirection(_ index: Int, _ offer: Section, _ answer: Section) {
        guard answer.kind != "application" else { return }
        let theirs = direction(0, offer)
        let ours = direction(1, answer)
        expect(!ours.sends || theirs.receives, "section \(index) sends to who does not receive")
        expect(!ours.receives || theirs.sends, "section \(index) receives from who does not send")
        expect(!isOurs || !ours.sends || !answer.values("msid").isEmpty, "section \(index) sends without msid")
    }

    private mutating func checkTransport(_ index: Int, _ offer: Section, _ answer: Section) {
        func value(_ side: Int, _ section: Section, _ name: String) -> Substring? {
            section.values(name).first
                ?? session[side].first { $0.hasPrefix("a=" + name + ":") }?.dropFirst(name.utf8.count + 3)
        }
        let expected = ["actpass": ["active", "passive"], "active": ["passive"], "passive": ["active"]]
        let theirs = String(value(0, offer, "setup") ?? "actpass")
        let setup = String(value(1, answer, "setup") ?? "none")
        expect(expected[theirs]?.contains(setup) == true, "section \(index) answers setup:\(theirs) with \(setup)")
        for name in ["ice-ufrag", "ice-pwd", "fingerprint"] {
            expect(value(1, answer, name) != nil, "section \(index) has \(name)")
        }
        guard isOurs else { return }
        expect(
            !isFirst || theirs == "passive" || setup == "passive", "section \(index): we are the server where we can")
        expect(session[1].contains("a=ice-lite"), "we are lite")
        expect(answer.kind == "application" || answer.has("rtcp-mux"), "section \(index) has rtcp-mux")
        expect(!answer.has("rtcp-rsize") || offer.has("rtcp-rsize"), "section \(index): rtcp-rsize not offered")
        expect(!answer.has("bundle-only"), "section \(index): an answer is never bundle-only")
    }

    private mutating func checkLayers(_ index: Int, _ offer: Section, _ answer: Section) {
        let sent = offer.values("rid").filter { $0.split(separator: " ")[1] == "send" }.map {
            $0.split(separator: " ")[0]
        }
        for rid in answer.values("rid") {
            let parts = rid.split(separator: " ")
            expect(parts[1] == "recv" && sent.contains(parts[0]), "section \(index): rid \(rid) was not offered")
        }
        for line in answer.values("simulcast") {
            expect(line.hasPrefix("recv "), "section \(index) answers simulcast with recv")
            for name in line.dropFirst(5).split(whereSeparator: { ";,".contains($0) }) {
                let name = name.hasPrefix("~") ? name.dropFirst() : name
                expect(sent.contains(name), "section \(index): layer \(name) was not offered")
            }
        }
    }

    private mutating func checkBundle() {
        func group(_ side: Int) -> [Substring] {
            session[side].first { $0.hasPrefix("a=group:BUNDLE") }.map { Array($0.split(separator: " ").dropFirst()) }
                ?? []
        }
        let answered = group(1)
        expect(Set(answered).isSubset(of: group(0)), "the group has names that were not offered")
        expect(!isOurs || answered == group(0).filter { answered.contains($0) }, "the group keeps its order")
        let accepted = sections[1].filter { !$0.isRejected }
        expect(
            accepted.count < 2 || !isOurs || Set(answered) == Set(accepted.flatMap { $0.values("mid") }),
            "the group is what was accepted")
        let withCandidates = sections[1].filter { !$0.values("candidate").isEmpty }
        expect(!isOurs || withCandidates.count == min(accepted.count, 1), "candidates stand in one section")
    }
}

extension Substring {
    fileprivate var trimmed: String { split(separator: " ").joined(separator: " ") }
}
