// All tables of this version, and the OpenAPI document made of them.

package enum DialectTables {
    package static let all: [DialectTable] = [
        ManualRoutes.table,
        ReferenceRoutes.table,
        DesignRoutes.table,
        CallsRoutes.table,
        RoomsRoutes.table,
        MediaRoutes.table,
    ]
}

extension OpenAPIDocument {
    package static func ofThisVersion(_ version: String) -> OpenAPIDocument {
        OpenAPIDocument(DialectTables.all, version: version)
    }
}
