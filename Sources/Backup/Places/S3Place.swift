// A place in a bucket. S3 is durable when it has answered, so `flush` has nothing to do.

package import Base
package import Store
package import Wire

package struct S3Place: Place {
    package let name: String
    private let objects: S3Objects

    package init(_ options: S3BlobStore.Options, transport: any HTTPTransport) {
        var options = options
        // An object is read in one answer.
        options.windowSize = BackupLimits.object
        name = "\(options.endpoint)/\(options.bucket)/\(options.prefix)"
        objects = S3Objects(options, transport: transport)
    }

    package func put(_ name: String, _ bytes: Bytes) async throws(BackupError) {
        do { try await objects.put(name, bytes) } catch { throw failure(error) }
    }

    package func get(_ name: String) async throws(BackupError) -> Bytes? {
        do { return try await objects.get(name) } catch { throw failure(error) }
    }

    package func delete(_ name: String) async throws(BackupError) {
        do { try await objects.delete(name) } catch { throw failure(error) }
    }

    package func list(_ folder: String?) async throws(BackupError) -> [PlaceFile] {
        var files: [PlaceFile] = []
        var last: String?
        while true {
            let page: [S3Objects.Object]
            do { page = try await objects.list(under: folder.map { $0 + "/" } ?? "", after: last) } catch {
                throw failure(error)
            }
            guard let end = page.last?.name else { return files }
            // A server that does not go on would be asked for ever.
            guard last.map({ $0 < end }) ?? true else { throw .unavailable("\(name) lists its objects in a circle") }
            last = end
            files += page.map { PlaceFile(name: $0.name, length: $0.length) }
            guard files.count <= BackupLimits.filesPerPlace else {
                throw .malformed("\(name) has more than \(BackupLimits.filesPerPlace) files")
            }
        }
    }

    package func flush() async throws(BackupError) {}

    private func failure(_ error: BlobError) -> BackupError {
        switch error {
        case .unavailable(let words), .corrupt(let words): .unavailable("\(name): \(words)")
        case .notFound: .unavailable("\(name): there is no such bucket; make it")
        case .tooLarge, .outOfRange: .malformed("\(name): an object is longer than any file of a repository")
        }
    }
}
