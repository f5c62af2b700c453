// All tables of this version, and the OpenAPI document made of them.

package import Base

package enum DialectTables {
    package static func make(_ services: Services) -> [DialectTable] {
        // The document shows the operations' rows too, which serve it: hence the closure.
        let operations = OperationsRoutes.table(services) { dialect in
            OpenAPIDocument(make(services), version: services.health.version).render(dialect)
        }
        return [
            DialectTable(.manual, ManualFormat(), operations),
            ReferenceRoutes.table(services),
            DesignRoutes.table(services),
            DialectTable(.calls, CallsFormat(), []),
            RoomsRoutes.table(services),
        ]
    }
}
