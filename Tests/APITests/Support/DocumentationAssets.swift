import Glibc
import Net
import TestKit
import Testing

@testable import API

/// Stand-ins for the files of Swagger UI and ReDoc, which the set-up step installs.
struct DocumentationAssets {
    let pages: DocumentationPages
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        for path in DocumentationPages.assetPaths {
            var made = folder.path
            for part in path.split(separator: "/").dropLast() {
                made += "/\(part)"
                mkdir(made, 0o700)
            }
            let file = try #require(fopen("\(folder.path)/\(path)", "w"))
            fputs("/**/", file)
            fclose(file)
        }
        pages = DocumentationPages(assets: try StaticFiles(folder: folder.path))
    }
}
