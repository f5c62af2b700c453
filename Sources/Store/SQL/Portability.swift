// What both engines hold alike, and what is therefore refused by both.

import Glibc

extension SQLValue {
    /// PostgreSQL has no NUL in text, SQLite no NaN (it stores NULL instead). A domain refuses them with words of its
    /// own before they come here.
    func requirePortable() throws(StoreError) {
        switch self {
        case .text(let text) where text.hasNUL: throw .misuse("text with a NUL character cannot be stored")
        case .real(let number) where number.isNaN: throw .misuse("a number that is not a number cannot be stored")
        default: return
        }
    }
}

extension String {
    /// Every text that is written or asked for passes here, so the C library's search is worth its pointer.
    fileprivate var hasNUL: Bool {
        utf8.withContiguousStorageIfAvailable { utf8 in
            utf8.baseAddress.map { memchr($0, 0, utf8.count) != nil } ?? false
        } ?? utf8.contains(0)
    }
}
