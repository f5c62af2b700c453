// Where a command writes, and how it asks for a secret.

package import Base
import Glibc

/// Standard output and standard error, or what a test puts in their place.
package struct Output: Sendable {
    private let writeOut: @Sendable (String) -> Void
    private let writeError: @Sendable (String) -> Void

    package init(out: @escaping @Sendable (String) -> Void, error: @escaping @Sendable (String) -> Void) {
        writeOut = out
        writeError = error
    }

    package static let standard = Output(
        out: { Output.write($0, to: STDOUT_FILENO) }, error: { Output.write($0, to: STDERR_FILENO) })

    /// A line of the answer.
    package func line(_ text: String) { writeOut(text + "\n") }
    /// An answer that ends its own lines.
    package func text(_ text: String) { writeOut(text) }
    /// A line about what went wrong.
    package func complain(_ text: String) { writeError(text + "\n") }

    /// What replaces itself on the terminal beside the answer: a bar that moves.
    package func status(_ text: String) { writeError(text) }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Bytes(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // Nobody reads any more (`plexichat … | head`): there is no one to tell.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}

/// Passwords and tokens are never arguments: every user of the machine can read those.
package enum SecretPrompt {
    /// A longer line is no password.
    private static let lengthMax = 4_096

    /// One line: typed without echo on a terminal, else from standard input. `nil` when there is none.
    package static func read(_ prompt: String, output: Output) -> Secret? {
        guard isatty(STDIN_FILENO) == 1 else { return readLine(STDIN_FILENO) }
        output.complain(prompt)
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer { tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings) }
        return readLine(STDIN_FILENO)
    }

    /// Byte by byte, so that what follows the line stays for who reads next.
    private static func readLine(_ descriptor: Int32) -> Secret? {
        var line = Bytes()
        var byte: UInt8 = 0
        while line.count < lengthMax {
            let count = Glibc.read(descriptor, &byte, 1)
            if count < 0, errno == EINTR { continue }
            if count <= 0 || byte == UInt8(ascii: "\n") { break }
            line.append(byte)
        }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return line.isEmpty ? nil : Secret(line)
    }
}
