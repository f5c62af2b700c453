// What both engines hold alike, and what is therefore refused by both.

extension SQLValue {
    /// PostgreSQL has no NUL in text, SQLite no NaN (it stores NULL instead). A domain refuses them with words of its
    /// own before they come here.
    func requirePortable() throws(StoreError) {
        switch self {
        case .text(let text) where text.utf8.contains(0): throw .misuse("text with a NUL character cannot be stored")
        case .real(let number) where number.isNaN: throw .misuse("a number that is not a number cannot be stored")
        default: return
        }
    }
}
