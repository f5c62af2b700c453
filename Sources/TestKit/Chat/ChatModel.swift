// Chat as a few dictionaries: what a random sequence of operations must come to, written without a look at how the
// service does it. Each operation is tried on both; the answer, refusals included, and the state must be the same.

import Accounts
import Base
import Chat

package struct ChatModel {
    private struct Entry {
        let id: MessageID
        let sender: Int
        var text: String
        var version: Int64 = 1
        var isDeleted = false
        var reactions: Set<String> = []
    }

    private let chat: TestChat
    private let people: [Principal]
    private let id: ConversationID
    private let isPublic: Bool
    private var random: SplitMix
    private var roles: [Int: MemberRole] = [0: .owner]
    private var removed: Set<Int> = []
    private var messages: [Entry] = []
    private var read: [Int: Int] = [0: 0]
    private var events = 0
    /// What was done, for whoever has to find out why it went wrong.
    private var history: [String] = []

    package init(_ chat: TestChat, seed: UInt64) async throws {
        self.chat = chat
        random = SplitMix(seed: seed)
        isPublic = Bool.random(using: &random)
        var people: [Principal] = []
        for name in ["ann", "ben", "cat", "dan", "eve"] { people.append(try await chat.person(name)) }
        self.people = people
        id = try await chat.room(people[0], type: .channel, visibility: isPublic ? .public : .private)
    }

    package mutating func run(steps: Int) async throws {
        for _ in 0..<steps {
            if Int.random(in: 0..<4, using: &random) == 0 { chat.clock.advance(by: .seconds(1)) }
            try await step()
        }
        try await compare()
    }

    // MARK: Operations

    private mutating func step() async throws {
        let (actor, target) = (pick(people.count), pick(people.count))
        switch pick(14) {
        case 0...3: try await send(actor)
        case 4: try await edit(actor)
        case 5: try await delete(actor)
        case 6, 7: try await react(actor)
        case 8: try await join(actor)
        case 9: try await add(actor, target)
        case 10: try await remove(actor, target)
        case 11: try await leave(actor)
        case 12: try await setRole(actor, target)
        default: try await acknowledge(actor)
        }
    }

    private mutating func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

    /// Does it on the service, and holds the answer against what the model expects.
    private mutating func attempt(
        _ name: String, _ expected: ChatError?, _ body: () async throws -> Void
    ) async throws -> Bool {
        history.append(name)
        var found: ChatError?
        do { try await body() } catch let error as ChatError { found = error }
        guard found == expected else {
            throw ConformanceFailure(
                description: "\(history.suffix(12).joined(separator: "; ")): found \(String(describing: found)), "
                    + "expected \(String(describing: expected))")
        }
        return found == nil
    }

    /// To whoever is no member.
    private func stranger(_ actor: Int) -> ChatError? {
        if roles[actor] != nil { return nil }
        return isPublic ? .forbidden(.notMember) : .notFound(.conversation)
    }

    private func lacking(_ actor: Int, _ ability: Abilities, from rank: MemberRole) -> ChatError? {
        guard let role = roles[actor] else { return stranger(actor) }
        return role >= rank ? nil : .forbidden(.lacks(ability))
    }

    private mutating func send(_ actor: Int) async throws {
        let text = "text \(messages.count) of \(actor)"
        var sent: MessageID?
        let (chat, id, person) = (chat, id, people[actor])
        guard
            try await attempt(
                "\(actor) sends", stranger(actor), { sent = try await chat.say(text, in: id, by: person).id }),
            let sent
        else { return }
        messages.append(Entry(id: sent, sender: actor, text: text))
        read[actor] = messages.count
        events += 1
    }

    private mutating func edit(_ actor: Int) async throws {
        guard !messages.isEmpty else { return }
        let index = pick(messages.count)
        let message = messages[index]
        let version: Int64? = [nil, message.version, message.version + 1][pick(3)]
        var expected: ChatError?
        if roles[actor] == nil {
            expected = .notFound(.message)
        } else if message.sender != actor {
            expected = .forbidden(.notAuthor)
        } else if message.isDeleted {
            expected = .notFound(.message)
        } else if let version, version != message.version {
            expected = .versionConflict(current: message.version)
        }
        let edit = MessageEdit(.plain(message.text + "!"), expectedVersion: version)
        let (chat, person) = (chat, people[actor])
        let name = "\(actor) edits \(index + 1)"
        guard try await attempt(name, expected, { _ = try await chat.service.edit(message.id, edit, by: person) })
        else { return }
        messages[index].text += "!"
        messages[index].version += 1
        events += 1
    }

    private mutating func delete(_ actor: Int) async throws {
        guard !messages.isEmpty else { return }
        let index = pick(messages.count)
        let message = messages[index]
        var expected: ChatError?
        if let role = roles[actor] {
            if message.sender != actor, role < .moderator {
                expected = .forbidden(.lacks(.manageMessages))
            } else if message.isDeleted {
                expected = .notFound(.message)
            }
        } else {
            expected = .notFound(.message)
        }
        let (chat, person) = (chat, people[actor])
        let name = "\(actor) deletes \(index + 1)"
        guard try await attempt(name, expected, { try await chat.service.deleteMessage(message.id, by: person) })
        else { return }
        messages[index].isDeleted = true
        messages[index].reactions = []
        events += 1
    }

    private mutating func react(_ actor: Int) async throws {
        guard !messages.isEmpty else { return }
        let index = pick(messages.count)
        let message = messages[index]
        let emoji = ["👍", "🎉"][pick(2)]
        let key = "\(actor)\(emoji)"
        let takesBack = Bool.random(using: &random)
        let isThere = message.reactions.contains(key)
        var expected: ChatError?
        if roles[actor] == nil || !takesBack && message.isDeleted {
            expected = .notFound(.message)
        } else if takesBack && !isThere {
            expected = .notFound(.reaction)
        }
        let (chat, person) = (chat, people[actor])
        let name = "\(actor) \(takesBack ? "takes back" : "reacts") \(emoji) on \(index + 1)"
        let isDone = try await attempt(name, expected) {
            if takesBack {
                try await chat.service.unreact(emoji, from: message.id, by: person)
            } else {
                _ = try await chat.service.react(emoji, to: message.id, by: person)
            }
        }
        guard isDone, takesBack == isThere else { return }
        if takesBack { messages[index].reactions.remove(key) } else { messages[index].reactions.insert(key) }
        events += 1
    }

    private mutating func join(_ actor: Int) async throws {
        var expected: ChatError?
        if roles[actor] == nil {
            if !isPublic {
                expected = .notFound(.conversation)
            } else if removed.contains(actor) {
                expected = .forbidden(.removed)
            }
        }
        let (chat, id, person) = (chat, id, people[actor])
        guard try await attempt("\(actor) joins", expected, { _ = try await chat.service.join(id, by: person) }),
            roles[actor] == nil
        else { return }
        enter(actor)
    }

    private mutating func enter(_ user: Int) {
        roles[user] = .member
        removed.remove(user)
        read[user] = messages.count
        events += 1
    }

    private mutating func add(_ actor: Int, _ target: Int) async throws {
        let refusal = lacking(actor, .manageMembers, from: .moderator)
        let expected = refusal ?? (roles[target] != nil ? .alreadyMember : nil)
        let (chat, id, person, user) = (chat, id, people[actor], people[target].user)
        let name = "\(actor) adds \(target)"
        guard try await attempt(name, expected, { _ = try await chat.service.addMember(user, to: id, by: person) })
        else { return }
        enter(target)
    }

    private mutating func remove(_ actor: Int, _ target: Int) async throws {
        if actor == target { return try await leave(actor) }
        var expected = lacking(actor, .manageMembers, from: .moderator)
        if expected == nil, let own = roles[actor] {
            if let role = roles[target] {
                if own != .owner, role >= own { expected = .forbidden(.rank) }
            } else {
                expected = .notFound(.member)
            }
        }
        let (chat, id, person, user) = (chat, id, people[actor], people[target].user)
        let origin = TestAccounts.origin()
        let isDone = try await attempt("\(actor) removes \(target)", expected) {
            try await chat.service.removeMember(user, from: id, by: person, origin: origin)
        }
        guard isDone else { return }
        roles[target] = nil
        removed.insert(target)
        events += 1
    }

    private mutating func leave(_ actor: Int) async throws {
        // The last one would end it, and the test with it.
        if roles.count == 1, roles[actor] != nil { return }
        var expected = stranger(actor)
        if roles[actor] == .owner, roles.values.count(where: { $0 == .owner }) == 1 {
            expected = .forbidden(.lastOwner)
        }
        let (chat, id, person) = (chat, id, people[actor])
        guard try await attempt("\(actor) leaves", expected, { try await chat.service.leave(id, by: person) }) else {
            return
        }
        roles[actor] = nil
        events += 1
    }

    private mutating func setRole(_ actor: Int, _ target: Int) async throws {
        let role = MemberRole.allCases[pick(4)]
        var expected = lacking(actor, .administer, from: .admin)
        if expected == nil, let own = roles[actor] {
            if let old = roles[target] {
                let isLastOwner = old == .owner && roles.values.count { $0 == .owner } == 1
                if old == role {
                } else if own != .owner, max(old, role) >= own {
                    expected = .forbidden(.rank)
                } else if isLastOwner {
                    expected = .forbidden(.lastOwner)
                }
            } else {
                expected = .notFound(.member)
            }
        }
        let (chat, id, person, other) = (chat, id, people[actor], people[target])
        let isDone = try await attempt("\(actor) makes \(target) \(role)", expected) {
            try await chat.raise(other, to: role, in: id, by: person)
        }
        guard isDone, roles[target] != role else { return }
        roles[target] = role
        events += 1
    }

    private mutating func acknowledge(_ actor: Int) async throws {
        guard !messages.isEmpty else { return }
        let index = pick(messages.count)
        let (chat, message, person) = (chat, messages[index].id, people[actor])
        let expected: ChatError? = roles[actor] == nil ? .notFound(.message) : nil
        let isDone = try await attempt("\(actor) reads \(index + 1)", expected) {
            try await chat.service.acknowledge(.read, upTo: message, by: person)
        }
        guard isDone else { return }
        read[actor] = max(read[actor] ?? 0, index + 1)
    }

    // MARK: The state

    private func compare() async throws {
        guard let member = roles.keys.min() else { throw ConformanceFailure(description: "nobody is left") }
        let reader = people[member]
        var found: [Message] = []
        while true {
            let query = HistoryQuery(.afterSequence(found.last?.sequence ?? 0), limit: 7)
            let page = try await chat.service.history(of: id, query, for: reader)
            found += page.messages
            try requireEqual(page.total, Int64(messages.count))
            if !page.hasMore { break }
        }
        try requireEqual(found.map(\.id), messages.map(\.id))
        try requireEqual(found.map(\.text), messages.map { $0.isDeleted ? "(removed)" : $0.text })
        try requireEqual(found.map(\.version), messages.map(\.version))
        for (message, entry) in zip(found, messages) {
            let reactions = Set(
                message.reactions.map { reaction in
                    "\(people.firstIndex { $0.user == reaction.user } ?? -1)\(reaction.emoji)"
                })
            try requireEqual(reactions, entry.reactions)
        }
        let members = try await chat.service.members(of: id, offset: 0, limit: 50, for: reader)
        try requireEqual(members.total, roles.count)
        var ranks: [Int: MemberRole] = [:]
        for entry in members.items {
            ranks[people.firstIndex { $0.user == entry.member.user } ?? -1] = entry.member.role
        }
        try requireEqual(ranks, roles)
        for user in roles.keys {
            let view = try await chat.service.conversation(id, for: people[user])
            try requireEqual(view.unreadCount, Int64(messages.count - (read[user] ?? 0)))
        }
        try await compareLog(reader)
    }

    /// The log has each change once and in order, and what went out live is the log.
    private func compareLog(_ reader: Principal) async throws {
        let log = try await chat.service.conversation(id, for: reader).conversation.log
        try requireEqual(log.lastOffset, Int64(events))
        let offsets = Array(1...Int64(max(1, events))).prefix(events)
        try requireEqual(chat.world.offsets(id), Array(offsets))
        var position = LogPosition(epoch: log.epoch, offset: 0)
        var seen: [Int64] = []
        while true {
            let page = try await chat.service.events(of: id, after: position, for: reader)
            try require(page.isRecovered, "the log is not all there")
            seen += page.events.compactMap { $0.position?.offset }
            position = page.position
            if !page.hasMore { break }
        }
        // Joining of somebody who has left since is passed over.
        try require(Set(seen).isSubset(of: offsets) && seen == seen.sorted(), "the log is out of order")
        try requireEqual(position.offset, Int64(events))
    }
}
