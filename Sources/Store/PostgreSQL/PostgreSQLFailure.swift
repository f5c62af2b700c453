// What PostgreSQL answered, in the words of `StoreError`.

import Base
import CPQ

struct PostgreSQLFailure: Error {
    enum Remedy {
        case none
        /// The transaction as a whole may succeed when it is run again: 40001, 40P01.
        case runTransactionAgain
        /// The prepared statement is gone or no longer fits the schema: prepare it anew.
        case prepareAgain
        /// The connection went away while the statement was under way: nobody knows yet what became of it.
        case askAgain
    }

    let error: StoreError
    var remedy = Remedy.none

    static func unavailable(_ words: String) -> PostgreSQLFailure {
        PostgreSQLFailure(error: .unavailable(words))
    }

    static func lost(_ words: String = "") -> PostgreSQLFailure {
        PostgreSQLFailure(
            error: .unavailable("the connection to PostgreSQL was lost" + (words.isEmpty ? "" : ": " + words)),
            remedy: .askAgain)
    }

    static func misuse(_ words: String) -> PostgreSQLFailure { PostgreSQLFailure(error: .misuse(words)) }

    init(error: StoreError, remedy: Remedy = .none) {
        self.error = error
        self.remedy = remedy
    }

    init(_ result: OpaquePointer) {
        self.init(
            Fields(
                state: Self.text(plexi_pq_error_state(result)), message: Self.text(plexi_pq_error_message(result)),
                detail: Self.text(plexi_pq_error_detail(result)), table: Self.text(plexi_pq_error_table(result)),
                column: Self.text(plexi_pq_error_column(result)),
                constraint: Self.text(plexi_pq_error_constraint(result)),
                function: Self.text(plexi_pq_error_function(result))))
    }

    struct Fields {
        var state = ""
        var message = ""
        var detail = ""
        var table = ""
        var column = ""
        var constraint = ""
        var function = ""
    }

    /// The classes are those of PostgreSQL's appendix A.
    init(_ fields: Fields) {
        let words = "PostgreSQL: \(fields.message) (\(fields.state))"
        switch fields.state {
        case "40001", "40P01":
            self.init(
                error: .unavailable("the transaction met others that changed the same rows"),
                remedy: .runTransactionAgain)
        case "26000": self.init(error: .misuse(words), remedy: .prepareAgain)
        case "0A000" where fields.function == "RevalidateCachedQuery":
            self.init(error: .misuse(words), remedy: .prepareAgain)
        case "57014": self.init(error: .unavailable("the statement took longer than is allowed"))
        case "53100": self.init(error: .unavailable("PostgreSQL's disk is full"))
        case "25006": self.init(error: .misuse("a read outside of a transaction cannot write"))
        default: self.init(error: Self.error(fields, words))
        }
    }

    private static func error(_ fields: Fields, _ words: String) -> StoreError {
        switch fields.state.prefix(2) {
        case "23": .conflict(constraint: constraint(fields))
        // Connection, resources, operator's intervention, I/O, and states that the driver's own doing cannot cause.
        case "08", "53", "55", "57", "58", "25": .unavailable(words)
        case "28": .unavailable(words)
        case "XX": .corrupt(words)
        default: .misuse(words)
        }
    }

    /// As SQLite names them: `users.username`; the index for expressions; just "foreign key"; the name of a CHECK.
    private static func constraint(_ fields: Fields) -> String {
        switch fields.state {
        case "23502": return "\(fields.table).\(fields.column)"
        case "23503": return "foreign key"
        case "23505":
            guard let columns = keyColumns(fields.detail) else { return fields.constraint }
            return columns.map { "\(fields.table).\($0)" }.joined(separator: ", ")
        default: return fields.constraint
        }
    }

    /// `Key (a, b)=(1, 2) already exists.`: the sentence is translated, the brackets are not. `nil` for an expression,
    /// whose columns carry brackets of their own.
    private static func keyColumns(_ detail: String) -> [String]? {
        guard let open = detail.firstIndex(of: "("), let close = detail.firstRange(of: ")=(") else { return nil }
        guard open < close.lowerBound else { return nil }
        let inside = detail[detail.index(after: open)..<close.lowerBound]
        guard !inside.contains("("), !inside.contains(")") else { return nil }
        return inside.split(separator: ", ").map(String.init)
    }

    private static func text(_ characters: UnsafeMutablePointer<CChar>?) -> String {
        characters.map { String(cString: $0) } ?? ""
    }
}
