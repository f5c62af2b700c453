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
    private var observer: (@Sendable (Bytes?) -> Void)?

    package static let empty = RequestBody(source: .none)

    private init(source: Source) { self.source = source }

    /// The same body; `observer` is told of every piece when it is read, and of the end by `nil`, on its reader's thread.
    package func observed(by observer: @escaping @Sendable (Bytes?) -> Void) -> RequestBody {
        var body = self
        body.observer = observer
        return body
    }

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
        let piece: Bytes?
        switch source {
        case .none: piece = nil
        case .whole(let body): piece = body.take()
        case .stream(let stream): piece = try await stream.next()
        }
        observer?(piece)
        return piece
    }

    /// All of it, or an error when it is longer than `limit`.
    package func collect(upTo limit: Int) async throws(RequestBodyError) -> Bytes {
        if let length, length > Int64(limit) { throw .tooLarge(limit: limit) }
        guard case .stream(let stream) = source else { return try await next() ?? [] }
        var bytes = Bytes()
        if let length = stream.length { bytes.reserveCapacity(Int(length)) }
        while let piece = try await next() {
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
/// A reader on another thread costs two changes of threads each time it asks, more than what it does with 64 KiB. So it
/// gets all that is there, and what comes while it waits at the end of the turn that brought it.
///
/// `@unchecked Sendable`: `length` is constant, `fetched` belongs to the one reader, everything else is touched on the
/// shard's thread only; a reader on another thread is moved there.
final class BodyStream: TurnEndObserver, @unchecked Sendable {
    /// One piece at least, or the end.
    private typealias Answer = Result<Batch?, RequestBodyError>

    private struct Batch {
        let first: Bytes
        /// Those behind it, the last one first.
        var rest: [Bytes] = []
    }

    let length: Int64?
    private let loop: Shard
    private weak var source: (any BodySource)?
    private var pieces: [Bytes] = []
    private var fetched: [Bytes] = []
    private var waiting: CheckedContinuation<Answer, Never>?
    private var failure: HTTPFault?
    private(set) var isFinished = false
    private(set) var bufferedBytes = 0
    /// Its reader is on another thread.
    private(set) var isReadElsewhere = false
    private var isFlushPlanned = false

    init(length: Int64?, loop: Shard, source: any BodySource) {
        self.length = length
        self.loop = loop
        self.source = source
    }

    var hasReader: Bool { waiting != nil }

    // MARK: The connection's side

    func append(_ piece: Bytes) {
        guard !isFinished, failure == nil, !piece.isEmpty else { return }
        if let waiting, !isReadElsewhere {
            self.waiting = nil
            return waiting.resume(returning: .success(Batch(first: piece)))
        }
        pieces.append(piece)
        bufferedBytes += piece.count
        guard waiting != nil, !isFlushPlanned else { return }
        isFlushPlanned = true
        loop.flushAtEndOfTurn(self)
    }

    func turnEnded() {
        isFlushPlanned = false
        guard waiting != nil, !pieces.isEmpty else { return }
        settle()
        source?.bodyIsWanted()
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
        if let piece = fetched.popLast() { return piece }
        if loop.isCurrent, let answer = take() { return try unpack(answer) }
        let answer: Answer = await withCheckedContinuation { continuation in
            if loop.isCurrent {
                wait(continuation, elsewhere: false)
            } else {
                loop.submit { self.wait(continuation, elsewhere: true) }
            }
        }
        return try unpack(answer)
    }

    private func unpack(_ answer: Answer) throws(RequestBodyError) -> Bytes? {
        guard let batch = try answer.get() else { return nil }
        fetched = batch.rest
        return batch.first
    }

    private func wait(_ continuation: CheckedContinuation<Answer, Never>, elsewhere: Bool) {
        precondition(waiting == nil, "a request body has one reader at a time")
        isReadElsewhere = elsewhere
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
        if !pieces.isEmpty { return .success(takePieces()) }
        if let failure { return .failure(.aborted(failure)) }
        return isFinished ? .success(nil) : nil
    }

    private func takePieces() -> Batch {
        guard isReadElsewhere, pieces.count > 1 else {
            let piece = pieces.removeFirst()
            bufferedBytes -= piece.count
            return Batch(first: piece)
        }
        var rest = pieces
        rest.reverse()
        pieces.removeAll(keepingCapacity: true)
        bufferedBytes = 0
        return Batch(first: rest.removeLast(), rest: rest)
    }
}
