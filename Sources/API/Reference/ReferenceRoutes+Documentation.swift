// reference.md, "Interactive Documentation".

import Base
import Wire

extension ReferenceRoutes {
    static var documentation: [Route] {
        [
            .get("/docs", .everyone, "Swagger UI", limit: .unlimited, answer: .text) { call in
                try call.pages.page(.swagger)
            }.answering("text/html").allowing(DocumentationPages.contentSecurityPolicy),
            .get("/redoc", .everyone, "ReDoc", limit: .unlimited, answer: .text) { call in
                try call.pages.page(.redoc)
            }.answering("text/html").allowing(DocumentationPages.contentSecurityPolicy),
            .get("/docs/swagger.js", .everyone, "Starts Swagger UI", limit: .unlimited, answer: .text) { call in
                try call.pages.script(.swagger)
            }.answering("text/javascript"),
            .get("/docs/redoc.js", .everyone, "Starts ReDoc", limit: .unlimited, answer: .text) { call in
                try call.pages.script(.redoc)
            }.answering("text/javascript"),
        ]
            + DocumentationPages.assetPaths.map { path in
                .get("/docs/assets/" + path, .everyone, "A file of the pages", limit: .unlimited, answer: .text) {
                    call in try call.pages.asset(path, call.request)
                }.answering(path.hasSuffix(".css") ? "text/css" : "text/javascript")
            }
    }
}

extension Call {
    /// The pages, where the operator shows them.
    fileprivate var pages: DocumentationPages {
        get throws(RequestFault) {
            guard let pages = services.documentation else { throw .notFound }
            return pages
        }
    }
}
