// reference.md, "Interactive Documentation".

import Base
import Wire

extension ReferenceRoutes {
    static func documentation(_ services: Services) -> [Route] {
        let pages = services.documentation
        return [
            .get("/docs", .everyone, "Swagger UI", limit: .unlimited, answer: .text) { _ in pages.page(.swagger) }
                .allowing(DocumentationPages.contentSecurityPolicy),
            .get("/redoc", .everyone, "ReDoc", limit: .unlimited, answer: .text) { _ in pages.page(.redoc) }
                .allowing(DocumentationPages.contentSecurityPolicy),
            .get("/docs/swagger.js", .everyone, "Starts Swagger UI", limit: .unlimited, answer: .text) { _ in
                pages.script(.swagger)
            },
            .get("/docs/redoc.js", .everyone, "Starts ReDoc", limit: .unlimited, answer: .text) { _ in
                pages.script(.redoc)
            },
        ]
            + DocumentationPages.assetPaths.map { path in
                .get("/docs/assets/" + path, .everyone, "A file of the pages", limit: .unlimited, answer: .text) {
                    call in try pages.asset(path, call.request)
                }
            }
    }
}
