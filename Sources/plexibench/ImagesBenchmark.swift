// `plexibench images [--count N] [--megapixels M]`: what workers cost for thumbnails and clean images.
//
// The picture is made here and is as hard as a photograph: soft shapes, edges and the noise of a sensor, about 3 bytes
// for 8 pixels. Time is that of the worker's processor, start included, so that neighbours on the machine do not count.

import Base
import CImages
import Content
import Glibc

func benchmarkImages() {
    runToEnd {
        let megapixels = Arguments.integer("megapixels", default: 12)
        // 4 to 3, as telephones have it; 12 million are 4,000 by 3,000.
        let height = Int((Double(megapixels) * 750_000).squareRoot())
        let photograph = try Photograph(width: height * 4 / 3, height: height)
        let count = Arguments.integer("count", default: 40)
        let jpeg = try photograph.jpeg(orientation: 1)
        let size = "\(photograph.width) by \(photograph.height), \(jpeg.count / 1_024) KiB"
        print("JPEG of \(size); \(count) of each, one worker")
        let box = ImageBox(width: 480, height: 480)
        let rate = try await measure("thumbnail of a JPEG", count) {
            _ = try await $0.thumbnail(.bytes(jpeg), box: box)
        }
        _ = try await measure("the JPEG without metadata", count) { _ = try await $0.sanitize(.bytes(jpeg)) }
        let lying = try photograph.jpeg(orientation: 6)
        _ = try await measure("the JPEG turned", max(count / 10, 1)) { _ = try await $0.sanitize(.bytes(lying)) }
        let png = try photograph.png()
        _ = try await measure("thumbnail of a PNG of \(png.count / 1_024) KiB", max(count / 10, 1)) {
            _ = try await $0.thumbnail(.bytes(png), box: box)
        }
        _ = try await measure("header of the JPEG", count) { _ = try await $0.inspect(.bytes(jpeg)) }
        print("thumbnails a minute per core: \(Int(rate))")
    }
}

/// How many a minute one core does.
private func measure(
    _ what: String, _ count: Int, _ body: (ImageWorkers) async throws -> Void
) async throws -> Double {
    var options = ImageWorkers.Options()
    options.workers = 1
    // The worker ends with its last file, and only then its time is known.
    options.filesPerWorker = count
    options.jobTime = .seconds(60)
    let workers = try ImageWorkers(options)
    let (before, begun) = (childrenTime(), Instant.now())
    for _ in 0..<count { try await body(workers) }
    let (spent, passed) = (childrenTime() - before, Instant.now() - begun)
    workers.stop()
    let (each, wall) = (spent / Double(count), passed.inSeconds / Double(count))
    print("\(what): \(milliseconds(each)) of processor, \(milliseconds(wall)) in all")
    return 60 / each
}

private func milliseconds(_ seconds: Double) -> String {
    let tenths = Int(seconds * 10_000 + 0.5)
    return "\(tenths / 10).\(tenths % 10) ms"
}

/// Seconds of children that have ended.
private func childrenTime() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &usage)
    let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
    return Double(seconds) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
}

private struct Photograph {
    struct Unmade: Error {}

    let width: Int
    let height: Int
    private let rows: Bytes

    init(width: Int, height: Int) throws {
        self.width = width
        self.height = height
        var state: UInt32 = 1
        var rows = Bytes(repeating: 255, count: 4 * width * height)
        for y in 0..<height {
            for x in 0..<width {
                state = state &* 1_664_525 &+ 1_013_904_223
                let noise = Int(state >> 28) - 8
                // Shapes of several sizes with edges between them.
                let shape = (x / 190 ^ y / 170) % 7 * 20 + ((x + y) / 37 % 5) * 8
                let soft = x * 60 / width + y * 50 / height
                let place = 4 * (y * width + x)
                for part in 0..<3 { rows[place + part] = UInt8(clamping: shape + soft + part * 13 + noise) }
            }
        }
        self.rows = rows
    }

    func jpeg(orientation: UInt8) throws -> Bytes {
        var writer: OpaquePointer?
        defer { plexi_jpeg_write_close(writer) }
        try check(plexi_jpeg_write_begin(UInt32(width), UInt32(height), 92, nil, 0, &writer))
        try eachRow { plexi_jpeg_write_row(writer, $0) }
        let plain = try taken { plexi_jpeg_write_end(writer, $0, $1) }
        let exif: Bytes = Bytes("Exif\0\0MM\0*".utf8) + [0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation]
        let content = exif + [0, 0, 0, 0, 0, 0]
        return Bytes(plain[..<2]) + [0xFF, 0xE1, 0, UInt8(content.count + 2)] + content + Bytes(plain[2...])
    }

    func png() throws -> Bytes {
        var writer: OpaquePointer?
        defer { plexi_png_write_close(writer) }
        try check(plexi_png_write_begin(UInt32(width), UInt32(height), 0, &writer))
        try eachRow { plexi_png_write_row(writer, $0) }
        return try taken { plexi_png_write_end(writer, $0, $1) }
    }

    private func check(_ code: Int32) throws {
        guard code == 0 else { throw Unmade() }
    }

    private func eachRow(_ write: (UnsafePointer<UInt8>?) -> Int32) throws {
        try rows.withUnsafeBufferPointer { room in
            for y in 0..<height { try check(write(room.baseAddress.map { $0 + 4 * width * y })) }
        }
    }

    private func taken(
        _ end: (UnsafeMutablePointer<UnsafePointer<UInt8>?>, UnsafeMutablePointer<UInt>) -> Int32
    ) throws -> Bytes {
        var bytes: UnsafePointer<UInt8>?
        var count: UInt = 0
        try check(end(&bytes, &count))
        return Bytes(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }
}
