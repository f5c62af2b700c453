// Objects in S3 by names that their owner chooses, whole and in memory: what a backup repository keeps there. Blobs, which
// name themselves and may be long, are `S3BlobStore`'s.

package import Base
package import Wire

package struct S3Objects: Sendable {
    package struct Object: Sendable, Hashable {
        package let name: String
        package let length: Int64
    }

    /// S3 gives no more names at a time.
    private static let pageMax = 1_000

    private let prefix: String
    private let client: S3Client

    /// Of the options, those of parts and of the spool are not used.
    package init(_ options: S3BlobStore.Options, transport: any HTTPTransport) {
        prefix = options.prefix
        client = S3Client(options, transport)
    }

    /// Durable when it returns, and all of it or nothing.
    package func put(_ name: String, _ bytes: Bytes) async throws(BlobError) {
        try await client.send("PUT", name: name, body: .bytes(bytes), expecting: [200])
    }

    /// `nil` when there is none. Longer than the options' window, or than 4 MiB if that is more: an error of the transport.
    package func get(_ name: String) async throws(BlobError) -> Bytes? {
        do throws(BlobError) {
            return try await client.send("GET", name: name, expecting: [200]).response.body
        } catch {
            if error == .notFound { return nil }
            throw error
        }
    }

    package func delete(_ name: String) async throws(BlobError) {
        try await client.send("DELETE", name: name, expecting: [204, 200, 404])
    }

    /// A page of the names that begin with `beginning`, in ascending order, those behind `after`; empty at the end.
    package func list(under beginning: String, after: String?) async throws(BlobError) -> [Object] {
        var query = "list-type=2&max-keys=\(Self.pageMax)&prefix=\(S3Client.escaped(prefix + beginning))"
        if let after { query += "&start-after=\(S3Client.escaped(prefix + after))" }
        let answer = try await client.send("GET", name: nil, query: query, expecting: [200])
        return XMLText.values(of: "Contents", in: answer.text).compactMap { entry in
            guard let key = XMLText.value(of: "Key", in: entry), key.hasPrefix(prefix),
                let length = XMLText.value(of: "Size", in: entry).flatMap({ Int64($0) })
            else { return nil }
            return Object(name: String(key.dropFirst(prefix.count)), length: length)
        }
    }
}
