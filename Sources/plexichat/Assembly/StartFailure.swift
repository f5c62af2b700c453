// Why a command could not go on: which part, what happened, what to do. Printed as three short lines.

import Accounts
import Store

struct StartFailure: Error, CustomStringConvertible {
    let part: String
    let problem: String
    let remedy: String

    init(_ part: String, _ problem: Any, remedy: String) {
        self.part = part
        self.problem = Self.words(problem)
        self.remedy = remedy
    }

    private static func words(_ problem: Any) -> String {
        switch problem {
        case let error as StoreError: error.words
        case AccountError.store(let error): error.words
        case AccountError.validation(let fault): "\(fault.field.rawValue): \(fault.message)"
        case BlobError.unavailable(let words), BlobError.corrupt(let words): words
        default: "\(problem)"
        }
    }

    var description: String { "\(part): \(problem)\n  \(remedy)" }
}
