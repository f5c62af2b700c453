// A conformance suite is a list of named checks against a seam; every implementation of the seam runs all of them.
// A check fails by throwing, so that this target needs no test library.

package struct ConformanceCheck<Subject: Sendable>: Sendable, CustomStringConvertible {
    package let name: String
    package let run: @Sendable (Subject) async throws -> Void

    package init(_ name: String, _ run: @escaping @Sendable (Subject) async throws -> Void) {
        self.name = name
        self.run = run
    }

    package var description: String { name }
}

package struct ConformanceFailure: Error, CustomStringConvertible {
    package let description: String
}

package func require(_ condition: Bool, _ what: @autoclosure () -> String, line: Int = #line) throws {
    guard condition else { throw ConformanceFailure(description: "\(what()) (line \(line))") }
}

package func requireEqual<Value: Equatable>(_ found: Value, _ expected: Value, line: Int = #line) throws {
    guard found != expected else { return }
    let texts = (String(describing: found).prefix(300), String(describing: expected).prefix(300))
    throw ConformanceFailure(description: "found \(texts.0), expected \(texts.1) (line \(line))")
}

/// Passes when `body` throws an error that `matches`.
package func requireError<Failure: Error>(
    _ type: Failure.Type = Failure.self, line: Int = #line, _ body: () async throws -> Void,
    matches: (Failure) -> Bool
) async throws {
    do {
        try await body()
    } catch let error as Failure {
        try require(matches(error), "found the error \(error)", line: line)
        return
    }
    throw ConformanceFailure(description: "no error was thrown (line \(line))")
}
