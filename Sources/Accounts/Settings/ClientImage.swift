// Images of settings: what is known of one, and what makes a stranger's bytes one that may be kept.

package import Base
package import Content
package import Store
package import Wire

/// What stands as the value under the key of an image: written by the server, read by everybody.
package struct ClientImage: Sendable, Equatable {
    /// `pending`: kept while the scanner was away. `infected` is what was found when its scan was made up for.
    package enum Scan: String, Sendable { case clean, skipped, pending, infected }

    package let type: String
    package let size: Int64
    package let blob: BlobKey
    package let width: Int
    package let height: Int
    package internal(set) var scan: Scan

    func value(for key: ClientSettingKey) -> JSONValue {
        .object(
            JSONObject([
                ("type", .string("image")), ("path", .string("/client-settings/images/\(key)")),
                ("content_type", .string(type)), ("size", .integer(size)), ("sha256", .string(blob.description)),
                ("width", .integer(Int64(width))), ("height", .integer(Int64(height))),
                ("virus_scan_status", .string(scan.rawValue)),
            ]))
    }

    /// `nil` for a value that is no image's.
    package init?(_ value: JSONValue) {
        guard let type = value["content_type"]?.stringValue, let size = value["size"]?.integerValue,
            let blob = value["sha256"]?.stringValue.flatMap({ BlobKey($0) }),
            let width = value["width"]?.integerValue, let height = value["height"]?.integerValue,
            let scan = value["virus_scan_status"]?.stringValue.flatMap(Scan.init(rawValue:))
        else { return nil }
        self.init(
            type: type, size: size, blob: blob, width: Int(clamping: width), height: Int(clamping: height), scan: scan)
    }

    init(type: String, size: Int64, blob: BlobKey, width: Int, height: Int, scan: Scan) {
        self.type = type
        self.size = size
        self.blob = blob
        self.width = width
        self.height = height
        self.scan = scan
    }
}

/// An image as it may be kept: without metadata, upright.
package struct CleanImage: Sendable, Equatable {
    package let bytes: Bytes
    package let type: String
    package let width: Int
    package let height: Int
    package let scan: ClientImage.Scan

    package init(bytes: Bytes, type: String, width: Int, height: Int, scan: ClientImage.Scan) {
        self.bytes = bytes
        self.type = type
        self.width = width
        self.height = height
        self.scan = scan
    }
}

/// Why bytes are no image that may be kept.
package enum ClientImageRefusal: Error, Sendable, Equatable {
    /// By their content; what the client calls them does not count.
    case typeNotAllowed
    case virus
    /// Truncated, too many pixels, an image and something else at once: in words for who sent it.
    case damaged(String)
    /// What has to look at it is away.
    case unavailable(String)
}

/// Looks at what comes. The server's own process decodes nothing of it.
package protocol ClientImageInspector: Sendable {
    func clean(_ bytes: Bytes, allowed: Set<String>) async throws(ClientImageRefusal) -> CleanImage

    /// Makes up for a scan: `pending` while the scanner is away, `skipped` where there is none any more.
    func scan(_ source: @escaping BlobSource) async -> ClientImage.Scan
}

/// Type by the bytes, then the scanner, then a worker's copy without metadata.
package struct ContentImageInspector: ClientImageInspector {
    private let workers: ImageWorkers?
    private let scanner: (any VirusScanner)?
    private let holds: Bool

    /// Without workers no image is taken; without a scanner none is scanned. `holds`: while the scanner is away images
    /// are kept as `pending`, and not refused.
    package init(workers: ImageWorkers?, scanner: (any VirusScanner)?, holds: Bool = false) {
        self.workers = workers
        self.scanner = scanner
        self.holds = holds
    }

    package func clean(_ bytes: Bytes, allowed: Set<String>) async throws(ClientImageRefusal) -> CleanImage {
        let found = ContentSniffer.sniff(
            prefix: Bytes(bytes.prefix(ContentSniffer.prefixBytes)),
            suffix: Bytes(bytes.suffix(ContentSniffer.suffixBytes)))
        guard found.type.isReadableImage, allowed.contains(found.type.name) else { throw .typeNotAllowed }
        guard !found.isPolyglot else { throw .damaged("is an image and something else at once") }
        let scan = try await scan(bytes)
        guard let workers else { throw .unavailable("This server does not look into images (files.thumbnails)") }
        let made: MadeImage
        do throws(ImageError) {
            made = try await workers.sanitize(.bytes(bytes))
        } catch {
            throw error.isTemporary ? .unavailable(error.description) : .damaged("is \(error.description)")
        }
        return CleanImage(
            bytes: made.bytes, type: made.format.type.name, width: made.width, height: made.height, scan: scan)
    }

    private func scan(_ bytes: Bytes) async throws(ClientImageRefusal) -> ClientImage.Scan {
        switch Self.scan(await scanner?.scan(bytes)) {
        case .infected: throw .virus
        case .pending where !holds: throw .unavailable("The virus scanner is away")
        case let scan: return scan
        }
    }

    package func scan(_ source: @escaping BlobSource) async -> ClientImage.Scan {
        Self.scan(await scanner?.scan(source))
    }

    private static func scan(_ verdict: ScanVerdict?) -> ClientImage.Scan {
        switch verdict {
        case nil: .skipped
        case .clean: .clean
        case .infected: .infected
        case .unavailable: .pending
        }
    }
}
