// Values in rooms.md's clothes: `{success, data, message}`.

import Accounts
import Base
import Wire

enum RoomsPresenter {
    /// An answer with data; `message` where the document has one.
    static func reply(
        message: String? = nil, status: HTTPStatus? = nil, _ data: (inout JSONWriter) -> Void
    ) -> Reply {
        var json = JSONWriter(capacity: 512)
        json.object { json in
            json.field("success", true)
            json.object("data", data)
            if let message { json.field("message", message) }
        }
        var reply = Reply.json(json.bytes)
        reply.status = status
        return reply
    }

    /// An answer that only says that it was done.
    static func done(_ message: String) -> Reply {
        var json = JSONWriter()
        json.object { json in
            json.field("success", true)
            json.field("message", message)
        }
        return .json(json.bytes)
    }

    static func envelope(_ data: Schema) -> Schema {
        .object([.required("success", .boolean), .required("data", data), .optional("message", .text)])
    }

    static let doneEnvelope = Schema.object([.required("success", .boolean), .required("message", .text)])
}

enum RoomsRoutes {
    static func table(_ services: Services) -> DialectTable {
        DialectTable(.rooms, RoomsFormat(), auth(services) + users(services) + health(services))
    }
}
