// Images and documents, read by separate processes: a bounded pool. Start here.
//
// Each worker is this very program again, which closed every descriptor but one socket, gave up every right but its
// memory, and then decodes what it is handed: one file at a time, as a descriptor that can only be read. A worker that
// takes too long is killed; one that dies is started again; each is replaced after a while. A thread of the server
// waits for each, so nothing here needs a loop.

package import Base
import CShims
import Glibc

package final class ImageWorkers: Sendable {
    package struct Options: Sendable {
        /// Processes at most; they are started when there is work for them.
        package var workers = min(Int(plexi_available_cores()), 4)
        /// Files that wait; one more is `busy`. A thumbnail takes some 20 ms, so this is about a second of work.
        package var waitingMax = 64
        /// For one file, after which its worker is killed.
        package var jobTime = Duration.seconds(10)
        /// What a worker may take to start.
        package var startTime = Duration.seconds(10)
        /// 8,660 by 5,773: beyond any telephone's camera. Decoded whole they are 200 MB.
        package var pixelsMax = 50_000_000
        package var inputBytesMax = 64 << 20
        /// A turned image is encoded anew and may grow.
        package var outputBytesMax = 96 << 20
        /// Of a worker's addresses: the input, the pixels, what a progressive JPEG needs beside them, and the program.
        package var memoryBytes = 1 << 30
        /// Files after which a worker is replaced, so that a leak or a hidden guest does not stay.
        package var filesPerWorker = 500
        /// A worker without work ends after this.
        package var idleTime = Duration.seconds(60)
        /// What is run, and how it is told what it is. `/proc/self/exe` is this program even after an upgrade.
        package var program = "/proc/self/exe"
        package var arguments = ["plexichat", ImageWorkerMain.command]

        package init() {}
    }

    /// What is stripped without being decoded may have more pixels: telephones make pictures of 200,000,000.
    package static let strippedPixelsMax = 250_000_000

    private let options: Options
    private let queue: JobQueue

    /// Starts threads, and no process yet. `stop` ends them.
    package init(_ options: Options = Options()) throws(SystemError) {
        precondition(options.workers > 0 && options.waitingMax > 0, "a pool needs a worker and a place to wait")
        self.options = options
        queue = JobQueue(capacity: options.waitingMax)
        do throws(SystemError) {
            for _ in 0..<options.workers { try WorkerSlot(queue, options).start() }
        } catch {
            queue.stop()
            throw error
        }
    }

    deinit { queue.stop() }

    /// What waits is answered with `unavailable`, what is being read is finished, workers end.
    package func stop() { queue.stop() }

    // MARK: - Work

    /// What the header says, checked against the pixel bound; nothing is decoded.
    package func inspect(_ source: ImageSource) async throws(ImageError) -> ImageInfo {
        let result = try await run(.inspect, source, payloadMax: 0)
        return try result.info(pixelsMax: options.pixelsMax)
    }

    /// A smaller image, upright, without metadata: JPEG, or PNG where pixels are transparent. Of animations the first
    /// picture.
    package func thumbnail(_ source: ImageSource, box: ImageBox) async throws(ImageError) -> MadeImage {
        // PNG of noise is the longest that can come of it.
        let most = 5 * box.width * box.height + 65_536
        let result = try await run(.thumbnail, source, box: box, payloadMax: most)
        let image = try result.image(pixelsMax: box.width * box.height)
        guard image.width <= box.width, image.height <= box.height, [.jpeg, .png].contains(image.format) else {
            throw .workerDied
        }
        return image
    }

    /// The image without metadata (places, times, names, cameras, hidden previews, whatever stands behind its end),
    /// upright. Its pixels are not encoded anew unless it has to be turned. One of more pixels than are decoded
    /// (`Options.pixelsMax`) is not turned: a JPEG keeps its orientation, and nothing else, of its EXIF.
    package func sanitize(_ source: ImageSource, pixelsMax: Int? = nil) async throws(ImageError) -> MadeImage {
        let most = pixelsMax ?? options.pixelsMax
        let result = try await run(.sanitize, source, pixelsMax: most, payloadMax: options.outputBytesMax)
        return try result.image(pixelsMax: most)
    }

    /// Pages, title and author of a PDF.
    package func document(_ source: ImageSource) async throws(ImageError) -> DocumentInfo {
        let result = try await run(.document, source, payloadMax: DocumentInfo.wireMax)
        guard let info = DocumentInfo(wire: result.payload) else { throw .workerDied }
        return info
    }

    /// Whether workers can be had here: `nil`, or what is wrong and what to do. For the doctor and for start-up.
    package func problem() async -> String? {
        do throws(ImageError) {
            _ = try await inspect(.bytes(Self.dot))
            return nil
        } catch {
            return error.description
        }
    }

    /// A GIF of one pixel.
    private static let dot: Bytes =
        Bytes("GIF89a".utf8) + [1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2]
        + [0x44, 1, 0, 0x3B]

    private func run(
        _ operation: WorkerOperation, _ source: ImageSource, box: ImageBox? = nil, pixelsMax: Int? = nil,
        payloadMax: Int
    ) async throws(ImageError) -> WorkerResult {
        let (descriptor, count) = try open(source)
        let request = WorkerRequest(
            operation: operation, box: box, byteCount: count, pixelsMax: pixelsMax ?? options.pixelsMax,
            outputMax: payloadMax)
        let result: Result<WorkerResult, ImageError> = await withCheckedContinuation { continuation in
            let job = Job(request: request, descriptor: descriptor, payloadMax: payloadMax) {
                continuation.resume(returning: $0)
            }
            switch queue.add(job) {
            case .taken: break
            case .full: continuation.resume(returning: .failure(.busy))
            case .stopped: continuation.resume(returning: .failure(.stopping))
            }
        }
        close(descriptor)
        return try result.get()
    }

    /// A descriptor of the worker's own that only reads: a worker that was taken over cannot change the file.
    private func open(_ source: ImageSource) throws(ImageError) -> (descriptor: Int32, count: Int) {
        let original: Int32
        switch source {
        case .bytes(let bytes):
            guard bytes.count <= options.inputBytesMax else { throw .tooLarge(limit: options.inputBytesMax) }
            original = bytes.withUnsafeBytes { plexi_sealed_memory($0.baseAddress, UInt($0.count)) }
            guard original >= 0 else { throw .unavailable("\(SystemError("keep an image in memory"))") }
        case .descriptor(let descriptor): original = descriptor
        }
        let descriptor = plexi_reopen_for_reading(original)
        let code = errno
        if case .bytes = source { close(original) }
        guard descriptor >= 0 else { throw .unavailable("\(SystemError("open a file again", code: code))") }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw .notAnImage
        }
        guard status.st_size <= options.inputBytesMax else {
            close(descriptor)
            throw .tooLarge(limit: options.inputBytesMax)
        }
        return (descriptor, Int(status.st_size))
    }
}

extension ImageError {
    static let stopping = ImageError.unavailable("the server is stopping")
}

/// A reply that was checked as far as any reply can be.
struct WorkerResult {
    let reply: WorkerReply
    let payload: Bytes

    func info(pixelsMax: Int) throws(ImageError) -> ImageInfo {
        guard let info = reply.info(pixelsMax: pixelsMax) else { throw .workerDied }
        return info
    }

    func image(pixelsMax: Int) throws(ImageError) -> MadeImage {
        let info = try info(pixelsMax: pixelsMax)
        // What is served as an image has to begin as that image.
        guard ImageFormat(firstBytes: payload.prefix(16)) == info.format else { throw .workerDied }
        return MadeImage(bytes: payload, format: info.format, width: info.width, height: info.height)
    }
}
