// Paging by number, as reference, design and rooms have it.

import Wire

struct NumberedPage: Sendable {
    /// No document allows more rows in one answer.
    static let sizeMax = 100
    /// Beyond this, counting past the rows costs more than any client can want.
    static let numberMax: Int64 = 1_000_000

    let number: Int
    let size: Int
    /// Rows in all; known after the query.
    var total = 0

    init(_ call: Call, size name: String, default size: Int) {
        number = call.queryInteger("page", default: 1)
        self.size = call.queryInteger(name, default: size)
    }

    init(number: Int, size: Int) {
        self.number = number
        self.size = size
    }

    var offset: Int { (number - 1) * size }
    var count: Int { (total + size - 1) / size }

    static func parameters(size name: String, default size: Int) -> [Parameter] {
        [
            Parameter("page", .integer(1...numberMax), "Begins with 1"),
            Parameter(name, .integer(1...Int64(sizeMax)), "Rows in a page; \(size) where it is not given"),
        ]
    }

    func with(total: Int) -> NumberedPage {
        var page = self
        page.total = total
        return page
    }
}
