// Why a command could not go on: which part, what happened, what to do. Printed as three short lines.

struct StartFailure: Error, CustomStringConvertible {
    let part: String
    let problem: String
    let remedy: String

    init(_ part: String, _ problem: Any, remedy: String) {
        self.part = part
        self.problem = "\(problem)"
        self.remedy = remedy
    }

    var description: String { "\(part): \(problem)\n  \(remedy)" }
}
