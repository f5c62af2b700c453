// `/docs` (Swagger UI) and `/redoc` (ReDoc) over `/openapi.json`: our own page and start script around their files,
// which the set-up step installs. Nothing is loaded from elsewhere.

import Base
package import Net
import Wire

package struct DocumentationPages: Sendable {
    /// Where the set-up step put the files; `nil` when they are not installed.
    private let assets: StaticFiles?

    package init(assets: StaticFiles?) { self.assets = assets }

    package var hasAssets: Bool { assets != nil }

    /// Swagger UI and ReDoc write style attributes; ReDoc runs its search in a worker made from a blob. Scripts stay
    /// ours and theirs, from files.
    static let contentSecurityPolicy =
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src 'self' blob:"

    /// The only files of the two packages that the pages use.
    static let assetPaths = [
        "swagger-ui/swagger-ui.css", "swagger-ui/swagger-ui-bundle.js", "redoc/bundles/redoc.standalone.js",
    ]

    enum Page: String {
        case swagger, redoc

        fileprivate var body: String {
            switch self {
            case .swagger:
                """
                <link rel="stylesheet" href="/docs/assets/swagger-ui/swagger-ui.css"></head>
                <body><div id="ui"></div>
                <script src="/docs/assets/swagger-ui/swagger-ui-bundle.js"></script>
                <script src="/docs/swagger.js"></script>
                """
            case .redoc:
                """
                </head><body><div id="ui"></div>
                <script src="/docs/assets/redoc/bundles/redoc.standalone.js"></script>
                <script src="/docs/redoc.js"></script>
                """
            }
        }

        fileprivate var script: String {
            switch self {
            case .swagger:
                """
                SwaggerUIBundle({
                  url: "/openapi.json", dom_id: "#ui", deepLinking: true, docExpansion: "none", filter: true,
                  persistAuthorization: false, tryItOutEnabled: true, validatorUrl: null,
                });

                """
            case .redoc: "Redoc.init(\"/openapi.json\", { disableSearch: false }, document.getElementById(\"ui\"));\n"
            }
        }
    }

    func page(_ page: Page) -> Reply {
        guard assets != nil else { return Self.notInstalled }
        return Self.text("text/html; charset=utf-8", Self.html(page.body))
    }

    func script(_ page: Page) -> Reply { Self.text("text/javascript; charset=utf-8", page.script) }

    func asset(_ path: String, _ request: HTTPRequest) throws(RequestFault) -> Reply {
        guard let response = assets?.answer(request.head, at: path.split(separator: "/").map(String.init)[...]) else {
            throw .notFound
        }
        return Reply(status: response.status, headers: response.headers, body: response.body)
    }

    private static func html(_ body: String) -> String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>PlexiChat API</title>
        \(body)
        </body></html>

        """
    }

    private static let notInstalled = Reply(
        status: .serviceUnavailable, headers: ResponseHeaders(["Content-Type": "text/plain; charset=utf-8"]),
        body: .bytes(
            Bytes(
                """
                The pages' files are not installed. Run `make build` once, or use /openapi.json with a viewer of \
                your own.

                """.utf8)))

    private static func text(_ type: String, _ text: String) -> Reply {
        Reply(headers: ResponseHeaders(["Content-Type": type]), body: .bytes(Bytes(text.utf8)))
    }
}
