// Files exchanged with the `age` program, in both directions: an implementation that is not ours, where it is installed.

import Base
import Crypto
import Glibc
import Testing
import Vault

@Suite(.serialized, .enabled(if: AgeProgram.path != nil, "the age program is not installed"))
struct AgeProgramTests {
    private static let counts = [0, 1, 65_536, 65_537, 300_000]

    private func plaintext(_ count: Int) -> Bytes { Bytes((0..<count).map { UInt8(truncatingIfNeeded: $0 * 7 >> 2) }) }

    @Test(arguments: counts, [false, true])
    func `age opens what we encrypt for X25519`(_ count: Int, _ armored: Bool) throws {
        let folder = try AgeFolder()
        let identity = AgeIdentity.x25519(X25519PrivateKey())
        try folder.write("key", try #require(identity.text).exposedBytes + [10])
        try folder.write("file", try Age.encrypt(plaintext(count), to: [identity.recipient], armored: armored))
        #expect(try AgeProgram.run(["-d", "-i", "key", "-o", "plain", "file"], in: folder) == 0)
        #expect(try folder.read("plain") == plaintext(count))
    }

    @Test(arguments: counts, [false, true])
    func `we open what age encrypts for X25519`(_ count: Int, _ armored: Bool) throws {
        let folder = try AgeFolder()
        let identity = AgeIdentity.x25519(X25519PrivateKey())
        try folder.write("plain", plaintext(count))
        let arguments = (armored ? ["-a"] : []) + ["-r", try #require(identity.recipient.text), "-o", "file", "plain"]
        #expect(try AgeProgram.run(arguments, in: folder) == 0)
        #expect(try Age.decrypt(try folder.read("file"), with: [identity]) == plaintext(count))
    }

    @Test func `age opens what we encrypt with a passphrase`() throws {
        let folder = try AgeFolder()
        let passphrase = "correct horse battery"
        let recipient = AgeRecipient.passphrase(Secret(text: passphrase), workFactor: 10)
        try folder.write("file", try Age.encrypt(plaintext(70_000), to: [recipient]))
        #expect(try AgeProgram.run(["-d", "-o", "plain", "file"], in: folder, answers: passphrase) == 0)
        #expect(try folder.read("plain") == plaintext(70_000))
    }

    @Test func `we open what age encrypts with a passphrase`() throws {
        let folder = try AgeFolder()
        let passphrase = "correct horse battery"
        try folder.write("plain", plaintext(70_000))
        #expect(try AgeProgram.run(["-p", "-o", "file", "plain"], in: folder, answers: passphrase) == 0)
        let file = try folder.read("file")
        #expect(try Age.decrypt(file, with: [.passphrase(Secret(text: passphrase))]) == plaintext(70_000))
        #expect(throws: AgeError.noIdentityMatches) {
            try Age.decrypt(file, with: [.passphrase(Secret(text: "another"))])
        }
    }

    @Test(.enabled(if: AgeProgram.knowsHybridKeys, "the age program is older than 1.3"), arguments: counts)
    func `hybrid files go both ways`(_ count: Int) throws {
        let folder = try AgeFolder()
        let identity = AgeIdentity.hybrid(XWingPrivateKey())
        try folder.write("key", try #require(identity.text).exposedBytes + [10])
        try folder.write("file", try Age.encrypt(plaintext(count), to: [identity.recipient]))
        #expect(try AgeProgram.run(["-d", "-i", "key", "-o", "plain", "file"], in: folder) == 0)
        #expect(try folder.read("plain") == plaintext(count))
        let recipient = try #require(identity.recipient.text)
        #expect(try AgeProgram.run(["-r", recipient, "-o", "theirs", "plain"], in: folder) == 0)
        #expect(try Age.decrypt(try folder.read("theirs"), with: [identity]) == plaintext(count))
    }

    @Test func `age refuses what was damaged, as we do`() throws {
        let folder = try AgeFolder()
        let (file, identity) = try sampleFile(plaintext(70_000))
        try folder.write("key", try #require(identity.text).exposedBytes + [10])
        for damaged in [Bytes(file.dropLast()), Bytes(file.dropLast(4_500)), file + [0]] {
            try folder.write("file", damaged)
            #expect(throws: AgeError.self) { try Age.decrypt(damaged, with: [identity]) }
            #expect(try AgeProgram.run(["-d", "-i", "key", "-o", "plain", "file"], in: folder) != 0)
        }
    }
}

enum AgeProgram {
    /// PLEXI_AGE, or the first on PATH.
    static let path: String? = {
        if let named = getenv("PLEXI_AGE") { return String(cString: named) }
        let folders = getenv("PATH").map { String(cString: $0) } ?? ""
        return folders.split(separator: ":").map { "\($0)/age" }.first { access($0, X_OK) == 0 }
    }()

    /// `age --version` says `v1.3.0` or `1.1.1`.
    static let knowsHybridKeys: Bool = {
        guard path != nil, let folder = try? AgeFolder(), (try? run(["--version"], in: folder)) == 0,
            let text = try? folder.read("output")
        else { return false }
        let parts = String(decoding: text, as: UTF8.self).drop { !$0.isNumber }.split(separator: ".").prefix(2)
        let numbers = parts.compactMap { Int($0) }
        return numbers.count == 2 && (numbers[0] > 1 || numbers[1] >= 3)
    }()

    /// POSIX_SPAWN_SETSID, which Glibc's module leaves out.
    private static let setSession: Int16 = 0x80

    /// scrypt on a busy machine, generously.
    private static let patience = Duration.seconds(60)

    /// The exit status. What it says goes to `output` in the folder. `answers` is typed at each prompt, on a terminal of
    /// the program's own, for it reads passphrases from nowhere else.
    static func run(_ arguments: [String], in folder: AgeFolder, answers: String? = nil) throws -> Int32 {
        let program = try #require(path)
        // The files are named within the folder, which is nobody's current one.
        let words = arguments.map {
            folder.names.contains($0) || ["plain", "file", "theirs"].contains($0) ? "\(folder.path)/\($0)" : $0
        }
        let terminal = answers == nil ? nil : try AgeTerminal()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let terminal {
            posix_spawn_file_actions_addopen(&actions, 0, terminal.name, O_RDWR, 0)
            posix_spawn_file_actions_adddup2(&actions, 0, 1)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 1, "\(folder.path)/output", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        }
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A session of its own: the first terminal that it opens is then its controlling one.
        posix_spawnattr_setflags(&attributes, setSession)
        var process = pid_t()
        var list = ([program] + words).map { strdup($0) } + [nil]
        defer { for word in list { free(word) } }
        try #require(posix_spawn(&process, program, &actions, &attributes, &list, environ) == 0)
        return try wait(for: process, terminal, answers)
    }

    private static func wait(for process: pid_t, _ terminal: AgeTerminal?, _ answer: String?) throws -> Int32 {
        let end = Instant.now() + patience
        var status: Int32 = 0
        while waitpid(process, &status, WNOHANG) == 0 {
            guard Instant.now() < end else {
                kill(process, SIGKILL)
                waitpid(process, &status, 0)
                throw AgeError.badKey("the age program did not end")
            }
            if let terminal, let answer { terminal.answerPrompts(with: answer) } else { usleep(2_000) }
        }
        // WIFEXITED and WEXITSTATUS are macros.
        return status & 0x7F == 0 ? status >> 8 & 0xFF : -1
    }
}

/// A pseudo-terminal, from the side of who types.
private final class AgeTerminal {
    private let descriptor: Int32
    let name: String
    private var tail = Bytes()

    /// TIOCSPTLCK and TIOCGPTN.
    private static let (setLock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)

    init() throws {
        let descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        var (locked, number): (Int32, Int32) = (0, -1)
        // What unlockpt and ptsname do: Glibc's module leaves them out.
        let isOpen = ioctl(descriptor, Self.setLock, &locked) == 0 && ioctl(descriptor, Self.getNumber, &number) == 0
        self.descriptor = descriptor
        name = "/dev/pts/\(number)"
        try #require(descriptor >= 0 && isOpen)
    }

    deinit { close(descriptor) }

    /// Waits a moment for output, and types when it ends like a question.
    func answerPrompts(with answer: String) {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 20) > 0, entry.revents & Int16(POLLIN) != 0 else {
            usleep(2_000)
            return
        }
        var piece = Bytes(repeating: 0, count: 1_024)
        let count = read(descriptor, &piece, piece.count)
        guard count > 0 else { return }
        tail = Bytes((tail + piece.prefix(count)).suffix(256))
        guard tail.suffix(2) == Bytes(": ".utf8)[...] else { return }
        tail = []
        let line = Bytes("\(answer)\n".utf8)
        #expect(write(descriptor, line, line.count) == line.count)
    }
}

/// A folder that goes with the test.
final class AgeFolder {
    private let folder: TemporaryFolder
    var path: String { folder.path }
    var names: [String] { folder.names }

    init() throws { folder = try TemporaryFolder() }

    func write(_ name: String, _ bytes: Bytes) throws { _ = try folder.write(name, bytes, mode: 0o600) }

    func read(_ name: String) throws -> Bytes {
        let file = try #require(fopen("\(path)/\(name)", "r"), "\(name) is missing")
        defer { fclose(file) }
        var bytes = Bytes()
        var chunk = Bytes(repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }
}
