// The body of a request as a service reads it: piece by piece, or whole up to a limit that the route knows.

package import Base
import Synchronization

package struct RequestBody: Sendable {
    private enum Source: Sendable {
        case none
        case whole(WholeBody)
        case stream(BodyStream)
    }

    private let source: Source

    package static let empty = RequestBody(source: .none)

    private init(source: Source) { self.source = source }

    /// A body that is in memory already.
    package init(_ bytes: Bytes) { source = bytes.isEmpty ? .none : .whole(WholeBody(bytes)) }

    init(_ stream: BodyStream) { source = .stream(stream) }

    /// What the client announced; `nil` for a chunked body.
    package var length: Int64? {
        switch source {
        case .none: 0
        case .whole(let body): Int64(body.bytes.count)
        case .stream(let stream): stream.length
        }
    }

    /// The next piece, as it came; `nil` after the last one. One reader at a time. Nothing more is read from the
    /// client than is asked for here, up to a small window.
    package func next() async throws(RequestBodyError) -> Bytes? {
        switch source {
        case .none: nil
        case .whole(let body): body.take()
        case .stream(let stream): try await stream.next()
        }
    }

    /// All of it, or an error when it is longer than `limit`.
    package func collect(upTo limit: Int) async throws(RequestBodyError) -> Bytes {
        if let length, length > Int64(limit) { throw .tooLarge(limit: limit) }
        guard case .stream(let stream) = source else { return try await next() ?? [] }
        var bytes = Bytes()
        if let length = stream.length { bytes.reserveCapacity(Int(length)) }
        while let piece = try await stream.next() {
            guard piece.count <= limit - bytes.count else { throw .tooLarge(limit: limit) }
            bytes += piece
        }
        return bytes
    }
}

private final class WholeBody: Sendable {
    let bytes: Bytes
    private let isTaken = Atomic<Bool>(false)

    init(_ bytes: Bytes) { self.bytes = bytes }

    func take() -> Bytes? { isTaken.exchange(true, ordering: .relaxed) ? nil : bytes }
}

/// Where a body comes from.
protocol BodySource: AnyObject {
    /// The reader waits, or took something: bytes may come again.
    func bodyIsWanted()
}

/// Pieces of one body between the connection that receives them and the task that reads them.
///
/// `@unchecked Sendable`: `length` is constant, everything else is touched on the shard's thread only; a reader on
/// another thread is moved there.
final class BodyStream: @unchecked Sendable {
    private typealias Answer = Result<Bytes?, RequestBodyError>

    let length: Int64?
    private let loop: Shard
    private weak var source: (any BodySource)?
    private var pieces: [Bytes] = []
    private var waiting: CheckedContinuation<Answer, Never>?
    private var failure: HTTPFault?
    private(set) var isFinished = false
    private(set) var bufferedBytes = 0

    init(length: Int64?, loop: Shard, source: any BodySource) {
        self.length = length
        self.loop = loop
        self.source = source
    }

    var hasReader: Bool { waiting != nil }

    // MARK: The connection's side

    func append(_ piece: Bytes) {
        guard !isFinished, failure == nil, !piece.isEmpty else { return }
        if let waiting {
            self.waiting = nil
            return waiting.resume(returning: .success(piece))
        }
        pieces.append(piece)
        bufferedBytes += piece.count
    }

    func finish() {
        isFinished = true
        settle()
    }

    /// Nothing more comes. What was received before is still read first.
    func fail(_ fault: HTTPFault) {
        guard !isFinished, failure == nil else { return }
        failure = fault
        settle()
    }

    private func settle() {
        guard let waiting, let answer = ready() else { return }
        self.waiting = nil
        waiting.resume(returning: answer)
    }

    // MARK: The reader's side

    func next() async throws(RequestBodyError) -> Bytes? {
        if loop.isCurrent, let answer = take() { return try answer.get() }
        let answer: Answer = await withCheckedContinuation { continuation in
            if loop.isCurrent { wait(continuation) } else { loop.submit { self.wait(continuation) } }
        }
        return try answer.get()
    }

    private func wait(_ continuation: CheckedContinuation<Answer, Never>) {
        precondition(waiting == nil, "a request body has one reader at a time")
        if let answer = take() { return continuation.resume(returning: answer) }
        waiting = continuation
        source?.bodyIsWanted()
    }

    private func take() -> Answer? {
        guard let answer = ready() else { return nil }
        if case .success(.some) = answer { source?.bodyIsWanted() }
        return answer
    }

    private func ready() -> Answer? {
        if !pieces.isEmpty {
            let piece = pieces.removeFirst()
            bufferedBytes -= piece.count
            return .success(piece)
        }
        if let failure { return .failure(.aborted(failure)) }
        return isFinished ? .success(nil) : nil
    }
}
