// Chat sockets of the client: many on one thread, each of which follows a conversation and minds that it hears of
// everything once and in order. The main thread says what is to be done, and waits.

import Base
import Glibc
import Net
import Synchronization

/// The two styles that `/ws` speaks.
enum ChatStyleUnderTest: String, CaseIterable {
    case reference, rooms

    func follow(_ place: ChatPlace) -> String {
        switch self {
        case .reference:
            #"{"type":"subscribe","channels":[{"id":"\#(place.room)","epoch":\#(place.epoch),"offset":\#(place.offset)}]}"#
        case .rooms:
            #"{"event":"join_chatroom","data":"#
                + #"{"chatroom_id":"\#(place.room)","epoch":\#(place.epoch),"offset":\#(place.offset)}}"#
        }
    }

    /// How the answer to that begins.
    var followed: String {
        switch self {
        case .reference: #"{"type":"subscribed""#
        case .rooms: #"{"event":"chatroom_joined""#
        }
    }
}

/// Up to where somebody has heard of everything.
struct ChatPlace: Sendable {
    let room: String
    let epoch: Int64
    var offset: Int64
}

/// The server under test.
final class ChatProcess {
    let process: MediaProcess
    let port: UInt16
    private(set) var tokens: [String] = []

    init(folder: String, core: Int?) throws {
        guard let process = MediaProcess(["chat-server", "--folder", folder], core: core) else {
            throw LoadError("the server could not be started")
        }
        self.process = process
        let words = (process.channel.line() ?? "").split(separator: " ")
        guard words.count == 2, let port = UInt16(words[1]) else { throw LoadError("the server did not start") }
        self.port = port
    }

    private func ask(_ line: String) throws -> [String] {
        process.channel.say(line + "\n")
        let words = (process.channel.line() ?? "").split(separator: " ").map(String.init)
        guard words.first == "ok" else { throw LoadError("the server refused: \(line)") }
        return Array(words.dropFirst())
    }

    private func lines(_ count: Int) throws -> [[String]] {
        try (0..<count).map { _ in
            guard let line = process.channel.line() else { throw LoadError("the server said less than it promised") }
            return line.split(separator: " ").map(String.init)
        }
    }

    func addPeople(_ count: Int) throws {
        _ = try ask("people \(count)")
        tokens += try lines(count).compactMap(\.last)
    }

    func room(_ people: Int) throws -> ChatPlace {
        let words = try ask("room \(people)")
        guard words.count == 3, let epoch = Int64(words[1]), let offset = Int64(words[2]) else {
            throw LoadError("the server made no room")
        }
        return ChatPlace(room: words[0], epoch: epoch, offset: offset)
    }

    /// Returns when they are stored: where the log stands.
    func say(_ count: Int, in place: ChatPlace, every microseconds: Int = 0, writers: Int = 1) throws -> Int64 {
        let words = try ask("say \(place.room) \(count) \(microseconds) \(writers)")
        guard let offset = words.first.flatMap({ Int64($0) }), offset > place.offset else {
            throw LoadError("the server stored nothing")
        }
        return offset
    }

    /// When each of the last `say` was committed.
    func times(in place: ChatPlace) throws -> [Int64: UInt64] {
        let count = try ask("times \(place.room)").first.flatMap { Int($0) } ?? 0
        let pairs = try lines(count).map { (Int64($0[0]) ?? 0, UInt64($0[1]) ?? 0) }
        return Dictionary(pairs) { first, _ in first }
    }
}

/// One socket. Belongs to its loop's thread.
private final class ChatListener {
    let token: String
    let style: ChatStyleUnderTest
    private(set) var place: ChatPlace
    private(set) var isFollowing = false
    var socket: LoadSocket?

    init(_ token: String, _ style: ChatStyleUnderTest, _ place: ChatPlace) {
        (self.token, self.style, self.place) = (token, style, place)
    }

    func has(_ goal: Int64) -> Bool { isFollowing && place.offset >= goal }

    func leave() {
        socket?.reset()
        socket = nil
        isFollowing = false
    }

    /// The event's offset, if it is one. Throws when something is missing, or comes twice.
    func received(_ text: String) throws -> Int64? {
        guard isFollowing else {
            // Before it, the welcome.
            guard text.hasPrefix(style.followed) else { return nil }
            guard text.contains(#""recovered":true"#) else { throw LoadError("the log was not found again: \(text)") }
            isFollowing = true
            return nil
        }
        guard let offset = Self.offset(text) else { throw LoadError("a message that is no event: \(text)") }
        guard offset == place.offset + 1 else { throw LoadError("event \(offset) came after \(place.offset)") }
        place.offset = offset
        return offset
    }

    /// The last number of an event. Looked for from behind: the load client would spend its time on JSON.
    private static func offset(_ text: String) -> Int64? {
        var value: Int64 = 0
        var scale: Int64 = 1
        for digit in text.utf8.dropLast().reversed() {
            guard digit >= 0x30, digit <= 0x39 else { break }
            value += Int64(digit - 0x30) * scale
            scale *= 10
        }
        return scale > 1 ? value : nil
    }
}

/// `@unchecked Sendable`: what changes belongs to the loop's thread, but for `outcome`, which is locked. The main thread
/// asks for something, and waits for its outcome.
final class ChatCrowd: @unchecked Sendable {
    /// Nothing that is waited for takes longer, or the run has failed.
    private static let patience = Duration.seconds(60)

    private let loop: Shard
    private let target: LoadTarget
    private let outcome = Mutex<Result<Instant, LoadError>?>(nil)
    private var listeners: [ChatListener] = []
    private var waiting: [ChatListener] = []
    private var goal: Int64 = 0
    private var missing = 0
    private var notesArrivals = false
    private var arrivals: [(offset: Int64, time: UInt64)] = []

    init(port: UInt16) throws {
        loop = try Shard()
        target = try LoadTarget("ws://127.0.0.1:\(port)/ws")
    }

    var count: Int { listeners.count }

    // MARK: The main thread

    /// Each of these follows the place. Returns when all have heard of everything up to `goal`, with the time that took.
    func open(
        _ guests: [(token: String, style: ChatStyleUnderTest)], at place: ChatPlace, upTo goal: Int64, atOnce: Int
    ) throws -> Duration {
        let begin = Instant.now()
        try submit { [self] in
            let new = guests.map { ChatListener($0.token, $0.style, place) }
            listeners += new
            connect(new, goal, atOnce)
        }
        return try wait() - begin
    }

    /// All lose their connections.
    func cut() throws {
        try submit { [self] in
            for listener in listeners { listener.leave() }
            finish(.success(.now()))
        }
        _ = try wait()
    }

    /// All that have lost their connections come back at once to where each was.
    func comeBack(upTo goal: Int64, atOnce: Int) throws -> Duration {
        let begin = Instant.now()
        try submit { [self] in connect(listeners.filter { $0.socket == nil }, goal, atOnce) }
        return try wait() - begin
    }

    /// A share of them, one in so many, lose their connections.
    func cut(oneIn share: Int) throws {
        try submit { [self] in
            for listener in listeners where Int.random(in: 0..<share) == 0 { listener.leave() }
            finish(.success(.now()))
        }
        _ = try wait()
    }

    /// Returns when all have heard of everything up to `goal`.
    func hear(upTo goal: Int64) throws {
        try submit { [self] in aim(at: goal) }
        _ = try wait()
    }

    /// From now on when each event comes to each of them is kept.
    func noteArrivals(room: Int) throws {
        try submit { [self] in
            notesArrivals = true
            arrivals = []
            arrivals.reserveCapacity(room)
            finish(.success(.now()))
        }
        _ = try wait()
    }

    func takeArrivals() throws -> [(offset: Int64, time: UInt64)] {
        let taken = Mutex<[(offset: Int64, time: UInt64)]>([])
        try submit { [self] in
            taken.withLock { $0 = arrivals }
            (arrivals, notesArrivals) = ([], false)
            finish(.success(.now()))
        }
        _ = try wait()
        return taken.withLock { $0 }
    }

    func end() throws {
        try submit { [self] in
            for listener in listeners { listener.leave() }
            listeners = []
            finish(.success(.now()))
        }
        _ = try wait()
        loop.stop()
    }

    private func submit(_ work: @escaping @Sendable () -> Void) throws {
        // What went wrong while nobody waited is told to who asks next.
        if case .failure(let error) = outcome.withLock({ $0 }) { throw error }
        outcome.withLock { $0 = nil }
        loop.submit(work)
    }

    private func wait() throws -> Instant {
        let end = Instant.now() + Self.patience
        while Instant.now() < end {
            if let outcome = outcome.withLock({ $0 }) { return try outcome.get() }
            usleep(500)
        }
        throw LoadError("the sockets waited for \(Self.patience), and not all have heard of everything")
    }

    // MARK: The loop

    private func finish(_ result: Result<Instant, LoadError>) {
        outcome.withLock { outcome in
            if case .failure = outcome { return }
            outcome = result
        }
    }

    private func aim(at goal: Int64) {
        self.goal = goal
        missing = listeners.count { !$0.has(goal) }
        if missing == 0 { finish(.success(.now())) }
    }

    private func connect(_ some: [ChatListener], _ goal: Int64, _ atOnce: Int) {
        aim(at: goal)
        waiting = some.reversed()
        for _ in 0..<min(atOnce, some.count) { connectNext() }
    }

    private func connectNext() {
        guard let listener = waiting.popLast() else { return }
        do {
            listener.socket = try LoadSocket(
                target, headers: "Authorization: Bearer \(listener.token)\r\n", on: loop,
                opened: { [unowned self, unowned listener] socket in
                    socket.send(listener.style.follow(listener.place))
                    connectNext()
                },
                message: { [unowned self, unowned listener] text in received(text, by: listener) },
                ended: { [unowned self] _, reason in finish(.failure(LoadError("a socket ended: \(reason)"))) })
        } catch {
            finish(.failure(LoadError("\(error)")))
        }
    }

    private func received(_ text: String?, by listener: ChatListener) {
        do {
            guard let text else { throw LoadError("a message that is not text") }
            let had = listener.has(goal)
            let offset = try listener.received(text)
            if let offset, notesArrivals { arrivals.append((offset, Instant.now().nanoseconds)) }
            guard !had, listener.has(goal) else { return }
            missing -= 1
            if missing == 0 { finish(.success(.now())) }
        } catch {
            finish(.failure(error as? LoadError ?? LoadError("\(error)")))
        }
    }
}
