import Base
import CShims
import Glibc
import Testing

@testable import Content

@Suite(.serialized, .enabled(if: WorkerPrograms.real != nil, "plexichat is not built beside the tests"))
struct ImageWorkersTests {
    private let box = ImageBox(width: 32, height: 32)

    @Test func `images are inspected, made small and cleaned in another process`() async throws {
        let workers = try ImageWorkers(WorkerPrograms.options())
        let input = try Pictures.jpeg(Pictures.quarters(width: 80, height: 48), exif: 6)
        let info = try await workers.inspect(.bytes(input))
        #expect(info.format == .jpeg && info.width == 48 && info.height == 80 && info.orientation == 6)
        let thumbnail = try await workers.thumbnail(.bytes(input), box: box)
        #expect(thumbnail.format == .jpeg && thumbnail.width == 19 && thumbnail.height == 32)
        let clean = try await workers.sanitize(.bytes(input))
        #expect(clean.width == 48 && clean.height == 80)
        #expect(try ImageFacts(clean.bytes, pixelsMax: 10_000).orientation == .upright)
        #expect(await workers.problem() == nil)
        workers.stop()
    }

    @Test func `a file is read through its descriptor, and stays as it was`() async throws {
        let workers = try ImageWorkers(WorkerPrograms.options())
        let input = try Encoder.png(Pictures.quarters(width: 50, height: 40))
        let file = try #require(tmpfile())
        defer { fclose(file) }
        fwrite(input, 1, input.count, file)
        fflush(file)
        let place = lseek(fileno(file), 0, Int32(SEEK_CUR))
        #expect(try await workers.inspect(.descriptor(fileno(file))).width == 50)
        #expect(lseek(fileno(file), 0, Int32(SEEK_CUR)) == place)
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        await #expect(throws: ImageError.notAnImage) { try await workers.inspect(.descriptor(ends[0])) }
        for end in ends { close(end) }
        workers.stop()
    }

    @Test func `a document tells its pages`() async throws {
        let workers = try ImageWorkers(WorkerPrograms.options())
        let pdf =
            "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Count 12>>endobj 3 0 obj<</Title(T)>>endobj trailer<</Root 1 0 R/Info 3 0 R>>"
        let info = try await workers.document(.bytes(Bytes(pdf.utf8)))
        #expect(info == DocumentInfo(pages: 12, title: "T"))
        await #expect(throws: ImageError.notADocument) { try await workers.document(.bytes([1, 2, 3])) }
        workers.stop()
    }

    @Test func `bad files are refused by name, and the worker lives on`() async throws {
        let workers = try ImageWorkers(WorkerPrograms.options { $0.workers = 1 })
        let good = try Pictures.jpeg(Pictures.quarters(width: 40, height: 40))
        _ = try await workers.inspect(.bytes(good))
        let before = WorkerPrograms.processes
        await #expect(throws: ImageError.notAnImage) { try await workers.thumbnail(.bytes([]), box: box) }
        await #expect(throws: ImageError.damaged) {
            try await workers.thumbnail(.bytes(Bytes(good.dropLast(200))), box: box)
        }
        let bomb =
            Bytes("GIF89a".utf8) + [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0] + Pictures.gifImage(width: 1, height: 1, [0])
        await #expect(throws: ImageError.tooManyPixels(limit: 50_000_000)) {
            try await workers.thumbnail(.bytes(bomb + [0x3B]), box: box)
        }
        #expect(WorkerPrograms.processes == before)
        workers.stop()
    }

    @Test(.enabled(if: plexi_sandbox_limits_memory() == 1, "a sanitiser's memory has no limit"))
    func `memory has a limit, and what wants more is an error and no death`() async throws {
        // Interlaced rows have to be held whole: 7,000 by 7,000 are 196 MB, more than this worker has.
        let header = Pictures.big(7_000) + Pictures.big(7_000) + [8, 6, 0, 0, 1]
        let input =
            Bytes([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) + Pictures.chunk("IHDR", header)
            + Pictures.chunk("IDAT", [0x78, 0x9C, 3, 0, 0, 0, 0, 1]) + Pictures.chunk("IEND", [])
        let workers = try ImageWorkers(WorkerPrograms.options { $0.memoryBytes = 180 << 20 })
        await #expect(throws: ImageError.tooManyPixels(limit: 50_000_000)) {
            try await workers.thumbnail(.bytes(input), box: box)
        }
        workers.stop()
    }

    @Test func `workers that are killed under load are started again, and all others are answered`() async throws {
        let workers = try ImageWorkers(WorkerPrograms.options { $0.waitingMax = 400 })
        let input = try Pictures.jpeg(Pictures.quarters(width: 600, height: 400))
        _ = try await workers.inspect(.bytes(input))
        let killer = Task.detached {
            var killed = 0
            while !Task.isCancelled {
                for process in WorkerPrograms.processes where kill(process, SIGKILL) == 0 { killed += 1 }
                try? await Task.sleep(for: .milliseconds(150))
            }
            return killed
        }
        let outcomes = await withTaskGroup(of: Bool?.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    do throws(ImageError) {
                        return try await workers.thumbnail(.bytes(input), box: ImageBox(width: 32, height: 32)).width
                            == 32
                    } catch {
                        return error == .workerDied || error.isTemporary ? false : nil
                    }
                }
            }
            return await group.reduce(into: [Bool?]()) { $0.append($1) }
        }
        killer.cancel()
        #expect(await killer.value > 0)
        #expect(outcomes.count == 200)
        // Nothing fails for another reason than that its worker was killed.
        #expect(!outcomes.contains(nil))
        #expect(outcomes.contains(true))
        #expect(try await workers.thumbnail(.bytes(input), box: box).width == 32)
        workers.stop()
    }

    @Test func `a worker is replaced after so many files`() async throws {
        let workers = try ImageWorkers(
            WorkerPrograms.options {
                $0.workers = 1
                $0.filesPerWorker = 3
            })
        let input = try Encoder.png(Pictures.quarters(width: 4, height: 4))
        var seen: Set<Int32> = []
        for _ in 0..<7 {
            _ = try await workers.inspect(.bytes(input))
            seen.formUnion(WorkerPrograms.processes)
        }
        #expect(seen.count >= 2)
        workers.stop()
    }

    @Test func `a worker without work ends`() async throws {
        let workers = try ImageWorkers(WorkerPrograms.options { $0.idleTime = .milliseconds(50) })
        _ = try await workers.inspect(.bytes(Encoder.png(Pictures.quarters(width: 4, height: 4))))
        for _ in 0..<100 where !WorkerPrograms.processes.isEmpty { try await Task.sleep(for: .milliseconds(20)) }
        #expect(WorkerPrograms.processes.isEmpty)
        workers.stop()
    }
}

/// Workers that do not behave.
@Suite(.serialized) struct HostileWorkerTests {
    private let image = Bytes("GIF89a".utf8)

    private func outcome(_ options: ImageWorkers.Options) async throws -> ImageError? {
        let workers = try ImageWorkers(options)
        defer { workers.stop() }
        do throws(ImageError) {
            _ = try await workers.sanitize(.bytes(image))
            return nil
        } catch {
            return error
        }
    }

    @Test func `one that hangs is killed`() async throws {
        var options = WorkerPrograms.shell(WorkerPrograms.waits + "exec sleep 1000")
        options.jobTime = .milliseconds(200)
        #expect(try await outcome(options) == .timedOut)
        #expect(WorkerPrograms.processes.isEmpty)
    }

    @Test func `one that ends over its file is told so`() async throws {
        #expect(try await outcome(WorkerPrograms.shell(WorkerPrograms.waits + "exit 1")) == .workerDied)
    }

    @Test func `one that answers nonsense is not believed`() async throws {
        let script =
            WorkerPrograms.waits + "printf 'nonsense nonsense nonsense nonsense nonsense nonsense' >&3; exec sleep 1000"
        #expect(try await outcome(WorkerPrograms.shell(script)) == .workerDied)
    }

    @Test func `one that claims too much is not believed`() async throws {
        var huge = WorkerReply(.done)
        huge.format = ImageFormat.png.rawValue
        (huge.width, huge.height) = (65_535, 65_535)
        var long = huge
        (long.width, long.height, long.payloadCount) = (1, 1, 1 << 40)
        var text = long
        text.payloadCount = 4
        for (reply, more) in [(huge, ""), (long, ""), (text, "<svg")] {
            let script = WorkerPrograms.waits + "printf \"$reply\(more)\" >&3; exec sleep 1000"
            #expect(try await outcome(WorkerPrograms.shell(script, reply)) == .workerDied)
        }
    }

    @Test func `one that does not start is said so`() async throws {
        guard case .unavailable? = try await outcome(WorkerPrograms.shell("exit 0")) else {
            Issue.record("a shell that ends is no worker")
            return
        }
        guard case .unavailable(let words)? = try await outcome(WorkerPrograms.options { $0.program = "/nonexistent" })
        else {
            Issue.record("there is no such program")
            return
        }
        #expect(words.contains("/nonexistent"))
    }

    @Test func `a kernel that refuses the sandbox is said so`() async throws {
        var refusal = WorkerReply(.noSandbox)
        refusal.detail = Int(ENOSYS)
        guard case .unavailable(let words)? = try await outcome(WorkerPrograms.shell("printf \"$reply\" >&3", refusal))
        else {
            Issue.record("without a sandbox there is no worker")
            return
        }
        #expect(words.contains("sandbox"))
    }

    @Test func `what waits is bounded, and answered when the pool stops`() async throws {
        var options = WorkerPrograms.shell(WorkerPrograms.waits + "exec sleep 1000")
        options.waitingMax = 2
        options.jobTime = .seconds(2)
        let workers = try ImageWorkers(options)
        let image = image
        let errors = await withTaskGroup(of: ImageError?.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    do throws(ImageError) {
                        _ = try await workers.sanitize(.bytes(image))
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            group.addTask {
                try? await Task.sleep(for: .milliseconds(500))
                workers.stop()
                return .unavailable("stop")
            }
            return await group.reduce(into: [ImageError?]()) { $0.append($1) }
        }
        #expect(errors.count { $0 == .busy } >= 3)
        #expect(errors.count { $0 == .stopping } >= 1)
        #expect(errors.count { $0 == .timedOut } == 1)
        #expect(!errors.contains(nil))
    }

    @Test func `messages come back as they went`() throws {
        let request = WorkerRequest(
            operation: .thumbnail, box: ImageBox(width: 3, height: 4_096), byteCount: 1 << 40, pixelsMax: 5,
            outputMax: 6)
        #expect(WorkerRequest(request.bytes) == request)
        #expect(request.bytes.count == WorkerRequest.count)
        var reply = WorkerReply(.done)
        (reply.format, reply.orientation, reply.width, reply.height) = (2, 8, 65_535, 1)
        (reply.hasAlpha, reply.isAnimated, reply.payloadCount, reply.detail) = (true, false, 77, 12)
        #expect(WorkerReply(reply.bytes, payloadMax: 77) == reply)
        #expect(WorkerReply(reply.bytes, payloadMax: 76) == nil)
        for index in 0..<8 {
            var wrong = reply.bytes
            wrong[index] = 0xFF
            #expect(WorkerReply(wrong, payloadMax: 77) == nil || index == 5)
        }
    }

    @Test func `boxes keep proportions and never make anything larger`() {
        let box = ImageBox(width: 320, height: 240)
        #expect(box.fitting(width: 4_000, height: 3_000) == (320, 240))
        #expect(box.fitting(width: 3_000, height: 4_000) == (180, 240))
        #expect(box.fitting(width: 100, height: 50) == (100, 50))
        #expect(box.fitting(width: 60_000, height: 1) == (320, 1))
        #expect(ImageBox(width: 0, height: 1 << 40) == ImageBox(width: 1, height: 4_096))
    }
}
