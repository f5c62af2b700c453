// Content as an answer: whole or in parts, with validators, and headers that keep a browser from running it.

import Base
import Chat
import Net
import Store
import Wire

/// Why a download is refused, beside what files know of.
enum DownloadFault: Error, Sendable, Equatable {
    /// 416; the length goes into Content-Range.
    case rangeNotSatisfiable(length: Int64)
    /// 412.
    case preconditionFailed

    /// The same words and codes in all dialects: no document has any.
    var problem: Problem {
        switch self {
        case .rangeNotSatisfiable(let length):
            Problem(
                .rangeNotSatisfiable, "RANGE_NOT_SATISFIABLE", "The content has \(length) bytes",
                details: JSONObject([("length_bytes", .integer(length))]))
        case .preconditionFailed:
            Problem(.preconditionFailed, "PRECONDITION_FAILED", "The content is not what the request says")
        }
    }
}

/// What is sent, and how.
struct Download: Sendable {
    let name: String
    let type: String
    let length: Int64
    let isInline: Bool
    let validators: Validators
    let open: @Sendable (Range<Int64>?) async throws -> BlobContent

    init(
        name: String, type: String, length: Int64, isInline: Bool, validators: Validators,
        open: @escaping @Sendable (Range<Int64>?) async throws -> BlobContent
    ) {
        self.name = name
        self.type = type
        self.length = length
        self.isInline = isInline
        self.validators = validators
        self.open = open
    }

    init(_ file: StoredFile, from service: FileService) {
        name = file.name
        // A page of text in an unknown encoding is read as UTF-8 and as nothing else.
        type = file.type == "text/plain" ? "text/plain; charset=utf-8" : file.type
        length = file.size
        isInline = file.isHarmless
        validators = Validators(entityTag: EntityTag(opaque: file.key.description), lastModified: file.createdAt)
        open = { range in try await service.content(of: file, range) }
    }

    init(_ thumbnail: FileThumbnail, _ file: StoredFile, from service: FileService) {
        name = "thumbnail"
        type = thumbnail.type
        length = thumbnail.size
        isInline = true
        validators = Validators(entityTag: EntityTag(opaque: thumbnail.key.description), lastModified: file.createdAt)
        open = { range in try await service.content(of: thumbnail, range) }
    }

    /// Runs nothing and loads nothing, whatever it is.
    static let policy = "sandbox; default-src 'none'"

    // MARK: The answer

    func reply(to call: Call) async throws -> Reply {
        let headers = call.request.head.headers
        switch Preconditions.evaluate(call.route.method, headers, current: validators) {
        case .failed: throw DownloadFault.preconditionFailed
        case .notModified: return Reply(status: .notModified, headers: validatorHeaders)
        case .proceed: break
        }
        let isPartial = headers.contains("range") && Preconditions.rangeApplies(headers, current: validators)
        switch ByteRanges(isPartial ? headers["range"] : nil, length: length) {
        case .unsatisfiable: throw DownloadFault.rangeNotSatisfiable(length: length)
        case .whole: return Reply(headers: self.headers(type), body: try await body(nil))
        case .parts(let parts) where parts.count == 1:
            var headers = self.headers(type)
            headers.add("Content-Range", ByteRanges.contentRange(parts[0], length: length))
            return Reply(status: .partialContent, headers: headers, body: try await body(parts[0]))
        case .parts(let parts):
            let frames = MultipartRanges(
                parts, of: length, contentType: type, boundary: Hex.encode(UUID.random().bytes))
            let source = RangesSource(frames, open)
            return Reply(
                status: .partialContent, headers: self.headers(frames.contentType),
                body: .stream(length: frames.contentLength) { try await source.next() })
        }
    }

    private var validatorHeaders: ResponseHeaders {
        var headers = ResponseHeaders()
        if let tag = validators.entityTag { headers.add("ETag", tag.description) }
        if let time = validators.lastModified { headers.add("Last-Modified", time.imfFixdate) }
        // Asked again each time: rights change.
        headers.add("Cache-Control", "private, no-cache")
        return headers
    }

    private func headers(_ type: String) -> ResponseHeaders {
        var headers = validatorHeaders
        headers.add("Content-Type", type)
        headers.add("Content-Disposition", ContentDisposition.attachment(name, isInline: isInline))
        headers.add("Accept-Ranges", "bytes")
        headers.add("Cross-Origin-Resource-Policy", "same-site")
        return headers
    }

    /// From the disk by the kernel where that is possible. Who has it open reads on, even when it is deleted.
    private func body(_ range: Range<Int64>?) async throws -> HTTPResponse.Body {
        let content = try await open(range)
        if let place = content.file, let file = try? OpenFile(path: place.path) {
            return .file(FileRegion(file: file, offset: place.offset, length: content.length))
        }
        return .stream(length: content.length, next: { try await content.next() })
    }
}

/// The parts of a `multipart/byteranges` body, one after the other.
///
/// `@unchecked Sendable`: the connection asks for one piece at a time.
private final class RangesSource: @unchecked Sendable {
    private let frames: MultipartRanges
    private let open: @Sendable (Range<Int64>?) async throws -> BlobContent
    private var index = 0
    private var content: BlobContent?
    private var isEnded = false

    init(_ frames: MultipartRanges, _ open: @escaping @Sendable (Range<Int64>?) async throws -> BlobContent) {
        self.frames = frames
        self.open = open
    }

    func next() async throws -> Bytes? {
        if let content {
            if let bytes = try await content.next() { return bytes }
            self.content = nil
            index += 1
        }
        guard index < frames.ranges.count else {
            if isEnded { return nil }
            isEnded = true
            return frames.end
        }
        let range = frames.ranges[index]
        content = try await open(range)
        return frames.head(of: range)
    }
}

extension Route {
    /// A row that answers with content.
    static func download(
        _ path: String, _ access: RouteAccess, _ summary: String, _ operation: @escaping Operation
    ) -> Route {
        Route.get(path, access, summary, limit: .standard, answer: .binary, operation)
            .answering("application/octet-stream").allowing(Download.policy)
    }
}
