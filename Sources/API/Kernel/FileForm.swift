// The form that brings a file, read as it comes: fields are kept, the file's bytes are handed on and never held.

import Base
import Net
import Wire

/// `@unchecked Sendable`: it has one reader at a time. The operation reads up to the file, then whoever stores the file
/// reads its bytes, on a thread of theirs, while the operation waits, then the operation reads the rest.
final class FileForm: @unchecked Sendable {
    /// Beside the file. The rows have four.
    private static let fieldLimit = 16
    /// A description of a thousand characters, and room.
    private static let fieldBytes = 8 << 10
    /// What fields behind the file may take, when it is guessed how long the file is.
    static let slack: Int64 = 64 << 10
    static let fileField = "file"

    private enum Event {
        case fileBegan
        case data(Bytes)
        case fileEnded
        case finished
    }

    private let body: RequestBody
    private var parser: MultipartParser
    private var piece = Bytes()
    private var position = 0
    private var received: Int64 = 0
    private var field: (name: String, bytes: Bytes)?
    private var isInFile = false
    private var partCount = 0
    private var values: [(name: String, value: String)] = []
    private(set) var file: MultipartPart?

    init(_ request: HTTPRequest) throws(RequestFault) {
        let type = request.head.headers["content-type"].flatMap { MediaType($0) }
        guard let type, let parser = MultipartParser(type) else {
            throw .unsupportedMediaType(expected: "multipart/form-data")
        }
        self.parser = parser
        body = request.body
    }

    func value(_ name: String) -> String? { values.first { $0.name == name }?.value }

    /// What is left of the body for the file, at least and at most. Where nothing was announced, it may be anything.
    var fileSizes: ClosedRange<Int64> {
        guard let length = body.length else { return 0...Int64.max }
        let rest = max(0, length - received + Int64(piece.count - position))
        return max(0, rest - Self.slack)...rest
    }

    // MARK: Reading

    /// Reads up to the file's first byte.
    func findFile() async throws(RequestFault) {
        while let event = try await next() {
            if case .fileBegan = event { return }
        }
        throw .validation(FieldFault(Self.fileField, .required, "is required"))
    }

    /// The next bytes of the file; `nil` at its end.
    func nextBytes() async throws(RequestFault) -> Bytes? {
        guard isInFile else { return nil }
        while let event = try await next() {
            switch event {
            case .data(let bytes): return bytes
            case .fileEnded: return nil
            case .fileBegan, .finished: continue
            }
        }
        return nil
    }

    /// Reads what is behind the file, to the end of the body.
    func finish() async throws(RequestFault) {
        while try await next() != nil {}
    }

    /// `nil` after the end of the body.
    private func next() async throws(RequestFault) -> Event? {
        while true {
            let event = try parse()
            if let event = try understand(event) { return event }
            guard try await refill() else {
                guard parser.isFinished else {
                    throw .malformed(HTTPFault(.badRequest, "the form breaks off before its closing boundary"))
                }
                return nil
            }
        }
    }

    private func parse() throws(RequestFault) -> MultipartParser.Event {
        let bytes = piece
        do throws(HTTPParseError) {
            return try parser.next(bytes.span, at: &position)
        } catch {
            throw .malformed(HTTPFault(error.status, error.reason, field: error.field))
        }
    }

    /// `nil` when more bytes are wanted or nothing of interest was read; then the caller asks again.
    private func understand(_ event: MultipartParser.Event) throws(RequestFault) -> Event? {
        var event = event
        while true {
            switch event {
            case .partBegan(let part): if try begin(part) { return .fileBegan }
            case .data(let range):
                let bytes = range.count == piece.count ? piece : Bytes(piece[range])
                if isInFile { return .data(bytes) }
                try keep(bytes)
            case .heldBack(let bytes):
                if isInFile { return .data(bytes) }
                try keep(bytes)
            case .partEnded:
                if isInFile {
                    isInFile = false
                    return .fileEnded
                }
                try endField()
            case .incomplete, .finished: return nil
            }
            event = try parse()
        }
    }

    /// False at the end of the body.
    private func refill() async throws(RequestFault) -> Bool {
        let next: Bytes?
        do throws(RequestBodyError) {
            next = try await body.next()
        } catch {
            switch error {
            case .tooLarge(let limit): throw .bodyTooLarge(limit: limit)
            case .aborted(let fault): throw .malformed(fault)
            }
        }
        guard let next else { return false }
        (piece, position) = (next, 0)
        received += Int64(next.count)
        return true
    }

    // MARK: Parts

    /// True for the file.
    private func begin(_ part: MultipartPart) throws(RequestFault) -> Bool {
        guard part.name == Self.fileField else {
            partCount += 1
            guard partCount <= Self.fieldLimit else {
                throw .validation(FieldFault("body", .length, "has more than \(Self.fieldLimit) fields"))
            }
            field = (part.name, [])
            return false
        }
        guard part.isFile else {
            throw .validation(FieldFault(Self.fileField, .format, "must be a file, with a file name"))
        }
        guard file == nil else { throw .validation(FieldFault(Self.fileField, .value, "is given twice")) }
        file = part
        isInFile = true
        return true
    }

    private func keep(_ bytes: Bytes) throws(RequestFault) {
        guard let count = field?.bytes.count, let name = field?.name else { return }
        guard bytes.count <= Self.fieldBytes - count else {
            throw .validation(FieldFault(name, .length, "is longer than \(Self.fieldBytes) bytes"))
        }
        field?.bytes += bytes
    }

    private func endField() throws(RequestFault) {
        guard let (name, bytes) = field else { return }
        field = nil
        guard value(name) == nil else { throw .validation(FieldFault(name, .value, "is given twice")) }
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw .validation(FieldFault(name, .format, "must be text in UTF-8"))
        }
        values.append((name, text))
    }
}
