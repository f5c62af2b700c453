// tus 1.0, the protocol of resumable uploads: its headers. The rows are DesignRoutes+Uploads.swift.

import Base
import Chat
import Crypto
import Net
import Store
import Wire

enum Tus {
    static let root = "/v1/files/uploads"
    static let version = "1.0.0"
    static let contentType = "application/offset+octet-stream"
    private static let extensions = "creation,creation-with-upload,termination,expiration,checksum"

    enum Fault: Error, Sendable, Equatable {
        /// 412: the header is missing, or asks for another version.
        case version

        var problem: Problem {
            Problem(
                .preconditionFailed, "TUS_VERSION", "Tus-Resumable must be \(Tus.version)",
                details: JSONObject([("supported", .string(Tus.version))]))
        }
    }

    static func isRoot(_ segments: [String]) -> Bool { segments.starts(with: ["v1", "files", "uploads"]) }

    static func serves(_ route: Route) -> Bool { route.path.hasPrefix(root) }

    /// What a request must have, as the API's description tells it.
    static func headerParameters(of method: HTTPMethod) -> [Parameter] {
        var list = [Parameter("Tus-Resumable", .choice([version]), "412 for another one, or none")]
        if method == .post { list.append(Parameter("Upload-Length", .integer(1...Int64.max), "Bytes of the file")) }
        if method == .patch { list.append(Parameter("Upload-Offset", .count, "Where this piece begins")) }
        return list
    }

    static func addVersion(to headers: inout ResponseHeaders) {
        headers.add("Tus-Resumable", version)
        headers.add("Tus-Version", version)
    }

    /// For OPTIONS.
    static func addAbilities(_ access: FileAccess?, to headers: inout ResponseHeaders) {
        guard let access else { return }
        addVersion(to: &headers)
        headers.add("Tus-Extension", extensions)
        headers.add("Tus-Max-Size", "\(access.service.options.maxSize)")
        headers.add(
            "Tus-Checksum-Algorithm", UploadChecksum.Algorithm.allCases.map(\.rawValue).joined(separator: ","))
    }

    static func headers(of upload: ResumableUpload) -> ResponseHeaders {
        var headers = ResponseHeaders()
        headers.add("Upload-Offset", "\(upload.received)")
        headers.add("Upload-Length", "\(upload.length)")
        switch upload.outcome {
        case .underWay: headers.add("Upload-Expires", upload.expiresAt.imfFixdate)
        case .file(let id): headers.add("File-Id", "\(id)")
        case .ended: break
        }
        return headers
    }
}

extension Call {
    func requireTus() throws(Tus.Fault) {
        guard request.head.headers["tus-resumable"] == Tus.version else { throw .version }
    }

    /// A number of bytes in a header.
    func byteCount(_ header: StaticString, _ name: String) throws(RequestFault) -> Int64 {
        guard let text = request.head.headers[header] else {
            throw .validation(FieldFault(name, .required, "is required"))
        }
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int64(text) else {
            throw .validation(FieldFault(name, .format, "must be a number of bytes"))
        }
        return count
    }

    func newUpload() throws -> NewFile {
        guard let text = request.head.headers["upload-metadata"], !text.isEmpty else { return NewFile() }
        guard let metadata = UploadMetadata(text) else {
            throw RequestFault.validation(FieldFault("Upload-Metadata", .format, "must be names with values in Base64"))
        }
        var file = NewFile(
            name: metadata.text("filename"), declaredType: metadata.text("filetype"),
            summary: metadata.text("description"))
        file.isSealed = try Self.isSealed(metadata.text("encrypted"))
        if metadata.contains("channel_id") {
            guard let id = ConversationID(metadata.text("channel_id") ?? "") else {
                throw ChatError.notFound(.conversation)
            }
            file.conversation = id
        }
        return file
    }

    /// Adds the body to an upload. What a connection that breaks has brought is kept, unless there is a checksum, which
    /// it could not fit.
    func append(
        to id: FileUploadID, at offset: Int64
    ) async throws -> (upload: ResumableUpload, file: StoredFile?) {
        let body = request.body
        guard let text = request.head.headers["upload-checksum"] else {
            return try await files.append(
                to: id, at: offset, from: { try? await body.next() }, by: try principal)
        }
        guard let checksum = UploadChecksum(text) else {
            throw RequestFault.validation(
                FieldFault("Upload-Checksum", .format, "must be sha256 or sha1, and the hash in Base64"))
        }
        let weak = checksum.algorithm == .sha1 ? SHA1Tap() : nil
        return try await files.append(
            to: id, at: offset,
            from: {
                do throws(RequestBodyError) {
                    let bytes = try await body.next()
                    if let bytes { weak?.update(bytes) }
                    return bytes
                } catch {
                    switch error {
                    case .tooLarge(let limit): throw RequestFault.bodyTooLarge(limit: limit)
                    case .aborted(let fault): throw RequestFault.malformed(fault)
                    }
                }
            },
            isExpected: { blob in (weak?.finish() ?? blob.key.hash) == checksum.hash }, by: try principal)
    }
}

/// `@unchecked Sendable`: bytes come one piece after the other, and the hash is asked for after the last.
private final class SHA1Tap: @unchecked Sendable {
    private var stream = SHA1Stream()

    func update(_ bytes: Bytes) { stream.update(bytes) }
    func finish() -> Bytes { stream.finish() }
}
