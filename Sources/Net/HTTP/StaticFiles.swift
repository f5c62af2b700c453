// Files of one folder over HTTP: validators, ranges, precompressed forms, and no way out of the folder.
//
// Each segment of a path is opened relative to the folder before it, never following a symbolic link, so there is no
// path that could be resolved elsewhere; names that begin with a dot do not exist. Reading an entry of a folder may
// wait for a disk: what is served here is small, and in the page cache after the first request.

package import Base
import Crypto
import Glibc
package import Wire

package struct StaticFiles: Sendable {
    package struct Options: Sendable {
        /// What a folder is answered with.
        package var index = "index.html"
        /// `Cache-Control` of every answer.
        package var cacheControl = "no-cache"

        package init() {}
    }

    private let root: OpenFile
    private let options: Options

    /// `folder` itself may be a link, or lie behind one.
    package init(folder: String, options: Options = Options()) throws(SystemError) {
        root = OpenFile(
            owning: try Syscall.check("open the folder \(folder)") {
                Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            })
        self.options = options
    }

    /// The answer to GET or HEAD of the file at `segments` (from `URLPath.segments`, without what leads to this
    /// folder). `nil` when there is none, or for another method: how that is worded is not decided here.
    package func answer(_ head: RequestHead, at segments: ArraySlice<String>) -> HTTPResponse? {
        guard head.method == .get || head.method == .head else { return nil }
        var names = Array(segments)
        if names.isEmpty || names.last == "" {
            if !names.isEmpty { names.removeLast() }
            names.append(options.index)
        }
        guard names.allSatisfy(Self.isServed), let name = names.last, let folder = descend(names.dropLast()),
            let found = find(name, in: folder, head.headers)
        else { return nil }
        return Self.answer(head, found, options)
    }

    // MARK: Finding

    private struct Found {
        let file: OpenFile
        let status: FileStatus
        let contentType: String
        let isCompressed: Bool
        /// There is a compressed form, whether it was chosen or not.
        let varies: Bool
    }

    private static func isServed(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.first != UInt8(ascii: ".") && !name.utf8.contains { $0 == 0x2F || $0 == 0 }
    }

    private func descend(_ names: ArraySlice<String>) -> OpenFile? {
        var folder = root
        for name in names {
            guard let next = Self.open(name, in: folder, O_DIRECTORY) else { return nil }
            folder = next
        }
        return folder
    }

    private static func open(_ name: String, in folder: OpenFile, _ flags: Int32) -> OpenFile? {
        // Non-blocking: a pipe that somebody put there must not hold the thread until its other end is opened.
        let descriptor = openat(folder.descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags)
        return descriptor >= 0 ? OpenFile(owning: descriptor) : nil
    }

    private static func openRegular(_ name: String, in folder: OpenFile) -> (OpenFile, FileStatus)? {
        guard let file = open(name, in: folder, 0), let status = try? file.status(), status.isRegularFile else {
            return nil
        }
        return (file, status)
    }

    private func find(_ name: String, in folder: OpenFile, _ headers: RequestHeaders) -> Found? {
        guard let (plain, status) = Self.openRegular(name, in: folder) else { return nil }
        let type = ContentTypes.of(name)
        let compressed = AnswerPlan.isText(type) ? Self.openRegular(name + ".gz", in: folder) : nil
        // One that is older than the plain file was forgotten when that was changed.
        guard let (file, compressedStatus) = compressed, compressedStatus.modified >= status.modified else {
            return Found(file: plain, status: status, contentType: type, isCompressed: false, varies: false)
        }
        guard ContentCoding(accepting: headers.list(of: "accept-encoding")) == .gzip else {
            return Found(file: plain, status: status, contentType: type, isCompressed: false, varies: true)
        }
        return Found(file: file, status: compressedStatus, contentType: type, isCompressed: true, varies: true)
    }

    // MARK: Answering

    private static func answer(_ head: RequestHead, _ found: Found, _ options: Options) -> HTTPResponse {
        let time = String(UInt64(bitPattern: found.status.modified.microsecondsSinceEpoch), radix: 16)
        let size = String(found.status.size, radix: 16)
        let tag = EntityTag(opaque: "\(time)-\(size)\(found.isCompressed ? "-gz" : "")")
        let current = Validators(entityTag: tag, lastModified: found.status.modified)
        var headers = ResponseHeaders()
        if let tag { headers.add("ETag", tag.description) }
        headers.add("Last-Modified", found.status.modified.imfFixdate)
        headers.add("Cache-Control", options.cacheControl)
        if found.varies { headers.add("Vary", "Accept-Encoding") }
        switch Preconditions.evaluate(head.method, head.headers, current: current) {
        case .notModified: return HTTPResponse(.notModified, headers: headers)
        case .failed: return HTTPResponse(.preconditionFailed, headers: headers)
        case .proceed: break
        }
        headers.add("Accept-Ranges", "bytes")
        if found.isCompressed { headers.add("Content-Encoding", "gzip") }
        // RFC 9110 §14.2: ranges are for GET only.
        let asksForRange = head.method == .get && Preconditions.rangeApplies(head.headers, current: current)
        let range = asksForRange ? head.headers.list(of: "range") : nil
        return part(ByteRanges(range, length: found.status.size), of: found, headers)
    }

    private static func part(_ ranges: ByteRanges, of found: Found, _ headers: ResponseHeaders) -> HTTPResponse {
        let size = found.status.size
        var headers = headers
        switch ranges {
        case .whole:
            headers.add("Content-Type", found.contentType)
            return HTTPResponse(.ok, headers: headers, body: region(found, 0..<size))
        case .unsatisfiable:
            headers.add("Content-Range", ByteRanges.contentRange(unsatisfiedOf: size))
            return HTTPResponse(.rangeNotSatisfiable, headers: headers)
        case .parts(let parts) where parts.count == 1:
            headers.add("Content-Type", found.contentType)
            headers.add("Content-Range", ByteRanges.contentRange(parts[0], length: size))
            return HTTPResponse(.partialContent, headers: headers, body: region(found, parts[0]))
        case .parts(let parts):
            let frames = MultipartRanges(
                parts, of: size, contentType: found.contentType, boundary: Hex.encode(SecureRandom.bytes(16)))
            headers.add("Content-Type", frames.contentType)
            let source = PartSource(found.file, frames)
            return HTTPResponse(
                .partialContent, headers: headers,
                body: .stream(length: frames.contentLength, next: { try source.next() }))
        }
    }

    private static func region(_ found: Found, _ range: Range<Int64>) -> HTTPResponse.Body {
        range.isEmpty
            ? .bytes([])
            : .file(
                FileRegion(file: found.file, offset: range.lowerBound, length: range.upperBound - range.lowerBound))
    }
}
