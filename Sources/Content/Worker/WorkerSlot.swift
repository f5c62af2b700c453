// One place of the pool: a thread, and the worker that it keeps alive.

import Base
import CShims
import Glibc

final class WorkerSlot {
    /// What a worker that dies over and over waits before it is started again: doubled from the first to the second.
    static let firstPause = Duration.milliseconds(50)
    static let longestPause = Duration.seconds(1)

    private let queue: JobQueue
    private let options: ImageWorkers.Options
    private var worker: WorkerProcess?
    private var filesRead = 0
    /// Workers that ended over their file, one after the other.
    private var deaths = 0

    init(_ queue: JobQueue, _ options: ImageWorkers.Options) {
        self.queue = queue
        self.options = options
    }

    /// The thread owns the slot from here on.
    func start() throws(SystemError) {
        let own = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                plexi_name_thread("image-worker")
                // The reference that `start` made for this thread.
                Unmanaged<WorkerSlot>.fromOpaque(argument).takeRetainedValue().loop()
                return nil
            }, own.toOpaque())
        guard code == 0 else {
            own.release()
            throw SystemError("start a thread for images", code: code)
        }
        pthread_detach(thread)
    }

    private func loop() {
        while true {
            switch queue.next(within: options.idleTime) {
            case .job(let job): job.finish(read(job))
            case .timeout: retire()
            case .stopped:
                retire()
                return
            }
        }
    }

    private func read(_ job: Job) -> Result<WorkerResult, ImageError> {
        do throws(ImageError) {
            let worker = try ready()
            let result = try worker.exchange(job, within: options.jobTime)
            deaths = 0
            filesRead += 1
            if filesRead >= options.filesPerWorker { retire() }
            return try .success(checked(result))
        } catch {
            if error.endsWorker {
                deaths += 1
                retire()
            }
            return .failure(error)
        }
    }

    private func ready() throws(ImageError) -> WorkerProcess {
        if let worker, worker.isAlive { return worker }
        retire()
        if deaths > 1 { pause() }
        let new = try WorkerProcess(options)
        worker = new
        return new
    }

    private func pause() {
        let doubled = Self.firstPause * (1 << min(deaths - 2, 8))
        var time = timespec(tv_sec: 0, tv_nsec: 0)
        let nanoseconds = Int(min(doubled, Self.longestPause).nanoseconds)
        time.tv_sec = nanoseconds / 1_000_000_000
        time.tv_nsec = nanoseconds % 1_000_000_000
        nanosleep(&time, nil)
    }

    private func retire() {
        worker?.end()
        worker = nil
        filesRead = 0
    }

    private func checked(_ result: WorkerResult) throws(ImageError) -> WorkerResult {
        switch result.reply.outcome {
        case .done: return result
        case .notAnImage: throw .notAnImage
        case .notADocument: throw .notADocument
        case .unsupported: throw .unsupported("WebP is not read on this machine: install libwebp7")
        case .tooManyPixels: throw .tooManyPixels(limit: options.pixelsMax)
        case .damaged: throw .damaged
        case .tooLarge: throw .tooLarge(limit: options.outputBytesMax)
        case .ready, .noSandbox: throw .workerDied
        }
    }
}

extension ImageError {
    /// What leaves the worker in a state that nobody knows.
    fileprivate var endsWorker: Bool {
        switch self {
        case .timedOut, .workerDied, .unavailable: true
        default: false
        }
    }
}
