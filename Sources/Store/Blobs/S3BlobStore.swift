// Blobs as objects in S3, or in what speaks like it (MinIO, Garage, Ceph, moto).
//
// The name of a blob is known only when all of it has been seen, so an upload is spooled to a local file first; it is
// also what makes a failed request repeatable. A request is signed with the hash of its body, which S3 verifies.

package import Base
import Glibc
package import Wire

package final class S3BlobStore: BlobStore {
    package struct Options: Sendable {
        /// E.g. `https://s3.eu-central-1.amazonaws.com`, without a slash at its end. Buckets are addressed as paths.
        package var endpoint: String
        package var bucket: String
        package var region: String
        package var accessKey: String
        package var secretKey: Secret
        /// Put before every key, e.g. `plexichat/`.
        package var prefix = ""
        /// Where uploads are spooled. Needs room for those under way.
        package var spoolFolder: String
        /// A longer blob is uploaded in parts of this size. S3 wants at least 5 MiB, and at most 10,000 parts.
        package var partSize: Int64 = 16 << 20
        /// A read is a series of requests for so many bytes. Higher: fewer requests; lower: less memory per reader.
        package var windowSize = 1 << 20
        /// Times that a request is sent when S3 is not reachable, busy or broken.
        package var attempts = 4
        /// For one request with a body of one part.
        package var timeout = Duration.seconds(60)
        package var concurrentPuts = 64

        package init(
            endpoint: String, bucket: String, region: String, accessKey: String, secretKey: Secret, spoolFolder: String
        ) {
            self.endpoint = endpoint
            self.bucket = bucket
            self.region = region
            self.accessKey = accessKey
            self.secretKey = secretKey
            self.spoolFolder = spoolFolder
        }
    }

    private let options: Options
    private let client: S3Client
    private let threads: FileThreads
    private let puts: Places

    /// Creates the spool's folder, and removes what an earlier process left there.
    package init(_ options: Options, transport: any HTTPTransport) throws(BlobError) {
        self.options = options
        client = S3Client(options, transport)
        puts = Places(options.concurrentPuts)
        _ = try FileCalls.makeFolder(options.spoolFolder)
        Spool.sweep(options.spoolFolder)
        do throws(StoreError) {
            threads = try FileThreads(count: 2)
        } catch {
            throw .unavailable(error.words)
        }
    }

    deinit { threads.stop() }

    // MARK: In

    package func put(
        limit: Int64, from source: @escaping BlobSource, admit: @escaping BlobAdmission
    ) async throws -> BlobInfo {
        guard puts.take() else { throw BlobError.unavailable("too many uploads at once") }
        defer { puts.giveBack() }
        return try await withTaskExecutorPreference(threads) { try await store(limit, source, admit) }
    }

    @concurrent private func store(
        _ limit: Int64, _ source: BlobSource, _ admit: BlobAdmission
    ) async throws -> BlobInfo {
        var spool = try Spool(in: options.spoolFolder, partSize: options.partSize)
        while let bytes = try await source() { try spool.append(bytes, limit: limit) }
        let blob = try spool.finish()
        try await admit(BlobInfo(key: blob.key, length: blob.length))
        // The same name is the same content.
        if try await info(blob.key)?.length != blob.length {
            if blob.parts.count > 1 {
                try await upload(blob, inPartsFrom: spool.path)
            } else {
                try await upload(blob, from: spool.path)
            }
        }
        return BlobInfo(key: blob.key, length: blob.length)
    }

    private func upload(_ blob: SpooledBlob, from path: String) async throws(BlobError) {
        let body: OutgoingRequest.Body =
            blob.length == 0 ? .bytes([]) : .file(path: path, offset: 0, length: blob.length)
        try await client.send("PUT", blob.key, body: body, hash: blob.key.description, expecting: [200])
    }

    private func upload(_ blob: SpooledBlob, inPartsFrom path: String) async throws(BlobError) {
        guard blob.parts.count <= 10_000 else { throw .tooLarge(limit: options.partSize * 10_000) }
        let begun = try await client.send("POST", blob.key, query: "uploads=", expecting: [200])
        guard let id = XMLText.value(of: "UploadId", in: begun.text).map(S3Client.escaped) else {
            throw .unavailable("S3 gave no upload an identifier")
        }
        do throws(BlobError) {
            var tags: [String] = []
            for (index, part) in blob.parts.enumerated() {
                tags.append(try await upload(part, number: index + 1, of: blob.key, id, path))
            }
            try await complete(blob.key, id, tags)
        } catch {
            // What is not aborted is kept, and paid for, until the bucket's own rules remove it.
            _ = try? await client.send("DELETE", blob.key, query: "uploadId=\(id)", expecting: [204, 404])
            throw error
        }
    }

    private func upload(
        _ part: SpooledBlob.Part, number: Int, of key: BlobKey, _ id: String, _ path: String
    ) async throws(BlobError) -> String {
        let answer = try await client.send(
            "PUT", key, query: "partNumber=\(number)&uploadId=\(id)",
            body: .file(path: path, offset: part.offset, length: part.length), hash: part.hash, expecting: [200])
        guard let tag = answer.response.header("etag") else { throw .unavailable("S3 gave no tag for a part") }
        return tag
    }

    private func complete(_ key: BlobKey, _ id: String, _ tags: [String]) async throws(BlobError) {
        var document = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for (index, tag) in tags.enumerated() {
            document += "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(tag)</ETag></Part>"
        }
        document += "</CompleteMultipartUpload>"
        let answer = try await client.send(
            "POST", key, query: "uploadId=\(id)", body: .bytes(Bytes(document.utf8)), expecting: [200])
        // S3 begins its answer before it knows: 200 may be followed by an error.
        if let code = XMLText.value(of: "Code", in: answer.text) { throw .unavailable("S3: \(code)") }
    }

    // MARK: Out

    package func read(_ key: BlobKey, range: Range<Int64>?) async throws(BlobError) -> BlobContent {
        guard let info = try await info(key) else { throw .notFound }
        let part = try FolderBlobStore.clamp(range, to: info.length)
        let position = Position(part.lowerBound)
        return BlobContent(
            totalLength: info.length, length: part.upperBound - part.lowerBound, file: nil,
            next: { [client, options] () async throws(BlobError) in
                let start = position.value
                guard start < part.upperBound else { return nil }
                let end = min(start + Int64(options.windowSize), part.upperBound)
                let answer = try await client.send(
                    "GET", key, headers: [("range", "bytes=\(start)-\(end - 1)")], expecting: [206, 200])
                guard answer.response.body.count == end - start else {
                    throw .corrupt("S3 gave another number of bytes than it was asked for")
                }
                position.value = end
                return answer.response.body
            })
    }

    package func info(_ key: BlobKey) async throws(BlobError) -> BlobInfo? {
        let answer = try await client.send("HEAD", key, expecting: [200, 404])
        guard answer.response.status == 200 else { return nil }
        guard let length = answer.response.header("content-length").flatMap({ Int64($0) }) else {
            throw .unavailable("S3 does not say how long an object is")
        }
        return BlobInfo(key: key, length: length)
    }

    package func delete(_ key: BlobKey) async throws(BlobError) {
        try await client.send("DELETE", key, expecting: [204, 200, 404])
    }

    package func list(after: BlobKey?, limit: Int) async throws(BlobError) -> [BlobInfo] {
        var page: [BlobInfo] = []
        var last = after
        while page.count < limit {
            // S3 gives a thousand at a time at most.
            let part = try await listOnce(after: last, limit: min(limit - page.count, 1_000))
            page += part
            guard !part.isEmpty else { break }
            last = part.last?.key
        }
        return page
    }

    private func listOnce(after: BlobKey?, limit: Int) async throws(BlobError) -> [BlobInfo] {
        var query = "list-type=2&max-keys=\(limit)&prefix=\(S3Client.escaped(options.prefix))"
        // The parameters are signed in the order of their names.
        if let after { query += "&start-after=\(S3Client.escaped(options.prefix + after.description))" }
        let answer = try await client.send("GET", nil, query: query, expecting: [200])
        return XMLText.values(of: "Contents", in: answer.text).compactMap { entry in
            guard let name = XMLText.value(of: "Key", in: entry), name.hasPrefix(options.prefix),
                let key = BlobKey(name.dropFirst(options.prefix.count)),
                let length = XMLText.value(of: "Size", in: entry).flatMap({ Int64($0) })
            else { return nil }
            return BlobInfo(key: key, length: length)
        }
    }

    package func health() async -> BlobHealth {
        do throws(BlobError) {
            _ = try await listOnce(after: nil, limit: 1)
            return BlobHealth()
        } catch .unavailable(let words), .corrupt(let words) {
            return BlobHealth(problem: words)
        } catch {
            return BlobHealth(problem: "S3 has no bucket \(options.bucket)")
        }
    }
}
