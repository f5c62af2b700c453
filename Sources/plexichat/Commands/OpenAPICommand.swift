// `plexichat openapi`: the document, from the tables alone; touches no data.

import API
import Base
import Configuration
import Glibc

enum OpenAPICommand {
    @Sendable static func run(_ invocation: Invocation) async -> ExitCode {
        let dialect = invocation.value("dialect")
        guard dialect == nil || Dialect(rawValue: dialect ?? "") != nil else {
            invocation.output.complain(
                "plexichat openapi: the dialects are \(Dialect.allCases.map(\.rawValue).joined(separator: ", "))")
            return .usage
        }
        let document = OpenAPIDocument.ofThisVersion(ProductVersion.text)
            .render(dialect.flatMap(Dialect.init(rawValue:)))
        guard let path = invocation.value("output") else {
            invocation.output.text(String(decoding: document, as: UTF8.self) + "\n")
            return .success
        }
        guard write(document, to: path) else {
            invocation.output.complain("plexichat openapi: \(SystemError("write \(path)"))")
            return .failure
        }
        return .success
    }

    private static func write(_ bytes: Bytes, to path: String) -> Bool {
        guard let file = fopen(path, "w") else { return false }
        let written = bytes.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) }
        return fclose(file) == 0 && written == bytes.count
    }
}
