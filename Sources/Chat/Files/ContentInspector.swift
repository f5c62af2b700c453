// What `Content` knows of files, as files ask for it.

package import Base
package import Content
import Glibc
package import Store

package struct ContentInspector: FileInspector {
    /// A picture that fits a list and a message, on screens of twice the density.
    private static let thumbnailBox = ImageBox(width: 480, height: 480)
    /// What is read into memory where the store has no file to be opened (S3). Larger ones have no thumbnail there.
    private static let bytesMax: Int64 = 16 << 20

    /// A larger picture is not cleaned, and so not taken: no more is read by a worker either.
    private static let cleanMax = Int64(ImageWorkers.Options().inputBytesMax)

    private let images: ImageWorkers?
    private let scanner: (any VirusScanner)?
    private static let log = Logger("files")

    package init(images: ImageWorkers?, scanner: (any VirusScanner)?) {
        self.images = images
        self.scanner = scanner
    }

    package var sniffedBytes: (prefix: Int, suffix: Int) {
        (ContentSniffer.prefixBytes, ContentSniffer.suffixBytes)
    }

    /// By the bytes alone: what the client says of them does not make them anything else.
    package func type(prefix: Bytes, suffix: Bytes, declared: String?, name: String) -> String {
        ContentSniffer.sniff(prefix: prefix, suffix: suffix).type.name
    }

    package func examine(
        _ type: String, size: Int64, _ content: @escaping @Sendable () async throws(BlobError) -> BlobContent
    ) async -> FileFindings {
        let isImage = ContentType(type, .image).isReadableImage
        guard let images, isImage || type == ContentType.pdf.name else { return FileFindings() }
        do {
            let opened = try await content()
            let source = try await OpenContent(opened, limit: Self.bytesMax)
            guard let image = source.image else { return FileFindings() }
            let findings = isImage ? try await examine(image, images) : try await document(image, images)
            return withExtendedLifetime(source) { findings }
        } catch {
            // A damaged picture is a file all the same.
            Self.log.info("a file could not be looked into", [.text("type", type), .error(error)])
            return FileFindings()
        }
    }

    private func examine(_ source: ImageSource, _ images: ImageWorkers) async throws(ImageError) -> FileFindings {
        let info = try await images.inspect(source)
        let details = FileDetails(width: info.width, height: info.height)
        do {
            let made = try await images.thumbnail(source, box: Self.thumbnailBox)
            return FileFindings(details: details, thumbnail: (made.format.type.name, made.bytes))
        } catch {
            return FileFindings(details: details)
        }
    }

    private func document(_ source: ImageSource, _ images: ImageWorkers) async throws(ImageError) -> FileFindings {
        let info = try await images.document(source)
        return FileFindings(details: FileDetails(pages: info.pages, title: info.title, author: info.author))
    }

    package func clean(
        _ type: String, _ content: @escaping @Sendable () async throws(BlobError) -> BlobContent
    ) async throws(FileError) -> Bytes? {
        guard let images, ContentType(type, .image).isReadableImage else { return nil }
        let source: OpenContent
        do throws(BlobError) {
            let opened = try await content()
            guard opened.length <= Self.cleanMax else { throw .tooLarge(limit: Self.cleanMax) }
            source = try await OpenContent(opened, limit: Self.cleanMax)
        } catch {
            throw FileError(error)
        }
        guard let image = source.image else { throw .tooLarge(limit: Self.cleanMax) }
        do throws(ImageError) {
            let made = try await images.sanitize(image, pixelsMax: ImageWorkers.strippedPixelsMax)
            return withExtendedLifetime(source) { made.bytes }
        } catch {
            switch error {
            case .tooLarge(let limit): throw .tooLarge(limit: Int64(limit))
            case .busy, .unavailable: throw .unavailable(error.description)
            default: throw .unreadableImage(error.description)
            }
        }
    }

    package func scan(_ source: @escaping BlobSource) async -> FileScanVerdict? {
        switch await scanner?.scan(source) {
        case nil: nil
        case .clean: .clean
        case .infected(let name): .infected(name)
        case .unavailable(let reason): .unavailable(reason)
        }
    }
}

/// Content for a worker: the file itself where there is one, else its bytes where they are few.
///
/// It keeps the file open: the descriptor is good as long as this lives.
private final class OpenContent: Sendable {
    let image: ImageSource?
    private let descriptor: Int32

    init(_ content: BlobContent, limit: Int64) async throws(BlobError) {
        let descriptor = content.file.map { unsafe open($0.path, O_RDONLY | O_CLOEXEC) } ?? -1
        var bytes: Bytes?
        if descriptor < 0, content.length <= limit {
            var all = Bytes()
            while let piece = try await content.next() { all += piece }
            bytes = all
        }
        self.descriptor = descriptor
        image = descriptor >= 0 ? .descriptor(descriptor) : bytes.map(ImageSource.bytes)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}
