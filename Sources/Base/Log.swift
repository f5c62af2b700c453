// Structured logging: a constant message and typed fields. Human lines on a terminal, JSON otherwise.
//
// The message is a `StaticString`, so that nothing variable (and nothing personal) can be interpolated into it; what
// varies goes into fields, and what is personal goes into `.private`, which prints as a placeholder above `trace`.

import Glibc
import Synchronization

package enum LogLevel: Int, Comparable, Sendable, CaseIterable {
    case trace, debug, info, warning, error

    package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
    package var name: String { "\(self)" }
    package init?(name: some StringProtocol) {
        guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = level
    }
}

/// One named value of a log line.
package struct LogField: Sendable {
    package enum Value: Sendable {
        case text(String)
        case integer(Int64)
        case number(Double)
        case flag(Bool)
        case personal(String)
    }

    package let name: StaticString
    package let value: Value

    package init(_ name: StaticString, _ value: Value) {
        self.name = name
        self.value = value
    }

    package static func text(_ name: StaticString, _ value: some CustomStringConvertible) -> LogField {
        LogField(name, .text(value.description))
    }
    package static func count(_ name: StaticString, _ value: some BinaryInteger) -> LogField {
        LogField(name, .integer(Int64(clamping: value)))
    }
    package static func flag(_ name: StaticString, _ value: Bool) -> LogField { LogField(name, .flag(value)) }
    package static func milliseconds(_ name: StaticString, _ value: Duration) -> LogField {
        LogField(name, .number(Double(value.microseconds) / 1_000))
    }
    package static func error(_ value: any Error) -> LogField { LogField("error", .text("\(value)")) }
    package static func requestID(_ value: String) -> LogField { LogField("request_id", .text(value)) }
    /// Shown only when the level is `trace`.
    package static func personal<Value>(_ name: StaticString, _ value: Private<Value>) -> LogField {
        LogField(name, .personal("\(value.exposed)"))
    }
}

/// A named source of log lines. Cheap to copy; a disabled line costs one relaxed load.
package struct Logger: Sendable {
    package let label: StaticString

    package init(_ label: StaticString) { self.label = label }

    package func trace(_ message: @autoclosure () -> StaticString, _ fields: @autoclosure () -> [LogField] = []) {
        write(.trace, message, fields)
    }
    package func debug(_ message: @autoclosure () -> StaticString, _ fields: @autoclosure () -> [LogField] = []) {
        write(.debug, message, fields)
    }
    package func info(_ message: @autoclosure () -> StaticString, _ fields: @autoclosure () -> [LogField] = []) {
        write(.info, message, fields)
    }
    package func warning(_ message: @autoclosure () -> StaticString, _ fields: @autoclosure () -> [LogField] = []) {
        write(.warning, message, fields)
    }
    package func error(_ message: @autoclosure () -> StaticString, _ fields: @autoclosure () -> [LogField] = []) {
        write(.error, message, fields)
    }

    private func write(_ level: LogLevel, _ message: () -> StaticString, _ fields: () -> [LogField]) {
        guard LogOutput.isEnabled(level) else { return }
        LogOutput.write(level, label, message(), fields())
    }
}

/// Where all loggers of the process write: one sink, one level.
package enum LogOutput {
    package enum Style: Sendable { case human, json }

    private static let level = Atomic<Int>(LogLevel.info.rawValue)
    private static let style = Mutex<Style>(isatty(STDERR_FILENO) == 1 ? .human : .json)
    /// In a struct: a closure that is a generic value itself is wrapped anew each time that a lock hands it out, and
    /// after some thousand lines its release overflows the stack.
    private struct Sink: Sendable {
        let write: @Sendable (Bytes) -> Void
    }

    /// Tests replace the sink; it is called under a lock, one line at a time, newline included.
    private static let sink = Mutex(Sink(write: standardError))

    package static func configure(level newLevel: LogLevel, style newStyle: Style? = nil) {
        level.store(newLevel.rawValue, ordering: .relaxed)
        if let newStyle { style.withLock { $0 = newStyle } }
    }

    package static func replaceSink(_ newSink: (@Sendable (Bytes) -> Void)?) {
        sink.withLock { $0 = Sink(write: newSink ?? standardError) }
    }

    package static func isEnabled(_ wanted: LogLevel) -> Bool {
        wanted.rawValue >= level.load(ordering: .relaxed)
    }

    static func write(_ level: LogLevel, _ label: StaticString, _ message: StaticString, _ fields: [LogField]) {
        let showPersonal = isEnabled(.trace)
        let line =
            switch style.withLock({ $0 }) {
            case .human: LogLine.human(.now(), level, label, message, fields, showPersonal: showPersonal)
            case .json: LogLine.json(.now(), level, label, message, fields, showPersonal: showPersonal)
            }
        sink.withLock { $0.write(line) }
    }

    @Sendable private static func standardError(_ line: Bytes) {
        // A log that cannot be written must not stop the server: a short or failed write is let go.
        _ = line.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

/// The two renderings of a line, as pure functions.
package enum LogLine {
    package static func human(
        _ time: Timestamp, _ level: LogLevel, _ label: StaticString, _ message: StaticString, _ fields: [LogField],
        showPersonal: Bool
    ) -> Bytes {
        let civil = CivilTime(time)
        var line = Bytes()
        line.appendDecimal(civil.hour, width: 2)
        line.append(UInt8(ascii: ":"))
        line.appendDecimal(civil.minute, width: 2)
        line.append(UInt8(ascii: ":"))
        line.appendDecimal(civil.second, width: 2)
        line.append(UInt8(ascii: "."))
        line.appendDecimal(civil.microsecond / 1_000, width: 3)
        line += Array(" \(level.name) \(label): \(message)".utf8)
        for field in fields {
            line += Array("  \(field.name)=\(plain(field.value, showPersonal))".utf8.map(visible))
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    package static func json(
        _ time: Timestamp, _ level: LogLevel, _ label: StaticString, _ message: StaticString, _ fields: [LogField],
        showPersonal: Bool
    ) -> Bytes {
        var line = Bytes("{\"time\":\"\(time.rfc3339)\",\"level\":\"\(level.name)\",\"source\":\"\(label)\"".utf8)
        line += Array(",\"message\":".utf8)
        appendQuoted("\(message)", to: &line)
        for field in fields {
            line += Array(",\"\(field.name)\":".utf8)
            switch field.value {
            case .integer, .number, .flag: line += Array(plain(field.value, showPersonal).utf8)
            case .text, .personal: appendQuoted(plain(field.value, showPersonal), to: &line)
            }
        }
        line += Array("}\n".utf8)
        return line
    }

    private static func plain(_ value: LogField.Value, _ showPersonal: Bool) -> String {
        switch value {
        case .text(let text): text
        case .integer(let number): "\(number)"
        case .number(let number): number.isFinite ? "\(number)" : "0"
        case .flag(let flag): flag ? "true" : "false"
        case .personal(let text): showPersonal ? text : "‹private›"
        }
    }

    /// Control characters would let a client forge lines or move the cursor of who reads them.
    private static func visible(_ byte: UInt8) -> UInt8 { byte < 0x20 || byte == 0x7F ? UInt8(ascii: "?") : byte }

    private static func appendQuoted(_ text: String, to line: inout Bytes) {
        line.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                line.append(UInt8(ascii: "\\"))
                line.append(byte)
            case 0..<0x20, 0x7F:
                line += Array("\\u00".utf8)
                line += Array(Hex.encode([byte]).utf8)
            default: line.append(byte)
            }
        }
        line.append(UInt8(ascii: "\""))
    }
}
