// Values in design.md's clothes: `{success, data, meta}`, and `pagination` for lists.

import Accounts
import Base
import Wire

enum DesignPresenter {
    static func reply(_ call: Call, _ data: (inout JSONWriter) -> Void) -> Reply {
        var json = JSONWriter(capacity: 512)
        json.object { json in
            json.field("success", true)
            json.object("data", data)
            meta(call.context, into: &json)
        }
        return .json(json.bytes)
    }

    static func list(_ call: Call, _ page: NumberedPage, _ elements: (inout JSONWriter) -> Void) -> Reply {
        var json = JSONWriter(capacity: 4_096)
        json.object { json in
            json.field("success", true)
            json.array("data", elements)
            json.object("pagination") { json in
                json.field("page", page.number)
                json.field("per_page", page.size)
                json.field("total", page.total)
                json.field("total_pages", page.count)
                json.field("has_next", page.number < page.count)
                json.field("has_prev", page.number > 1)
            }
            meta(call.context, into: &json)
        }
        return .json(json.bytes)
    }

    static func meta(_ context: EnvelopeContext, into json: inout JSONWriter) {
        json.object("meta") { json in
            json.field("timestamp", context.time)
            json.field("request_id", context.requestID)
        }
    }

    static let metaSchema = Schema.object([.required("timestamp", .dateTime), .required("request_id", .text)])

    static func envelope(_ data: Schema) -> Schema {
        .object([.required("success", .boolean), .required("data", data), .required("meta", metaSchema)])
    }

    static func listEnvelope(_ element: Schema) -> Schema {
        .object([
            .required("success", .boolean), .required("data", .array(element, limit: NumberedPage.sizeMax)),
            .required(
                "pagination",
                .object([
                    .required("page", .count), .required("per_page", .count), .required("total", .count),
                    .required("total_pages", .count), .required("has_next", .boolean), .required("has_prev", .boolean),
                ])),
            .required("meta", metaSchema),
        ])
    }
}

enum DesignRoutes {
    static func table(_ services: Services) -> DialectTable {
        DialectTable(
            .design, DesignFormat(), auth(services) + users(services) + profiles(services) + administration(services))
    }
}
