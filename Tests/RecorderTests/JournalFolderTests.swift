import Base
import Glibc
import TestKit
import Testing

@testable import Recorder

@Suite struct JournalFolderTests {
    @Test func `a recording in a real folder, with threads and a real clock`() async throws {
        let folder = try TemporaryFolder()
        let files = try JournalFolder.create(folder.path + "/recording")
        let keys = try TestJournalKeys()
        let start = Instant.now()
        let beginning = JournalBeginning(
            call: UUID(high: 1, low: 2), started: .now(), instant: start, policy: .announce, version: "test")
        let writer = try JournalWriter(UUID(high: 3, low: 4), beginning, in: files, keys: keys.writing)
        for content in [JournalOrderTests.named(), JournalOrderTests.consent(.agreed), JournalOrderTests.track()] {
            #expect(writer.put(content, at: .now()) == .taken)
        }
        for sequence in 1...500 as ClosedRange<UInt64> {
            #expect(writer.put(JournalOrderTests.packet(sequence: sequence), at: .now()) == .taken)
        }
        let manifest = try await writer.finish(.callEnded, at: .now())
        #expect(manifest.totals.packets == 500)
        #expect(folder.entries(of: "recording") == ["00000001.age", "manifest.age"])
        let (read, error) = JournalStage.read(try JournalFolder.open(folder.path + "/recording"), keys)
        #expect(error == nil && read.count == 505)
        var status = stat()
        #expect(stat(folder.path + "/recording/manifest.age", &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(stat(folder.path + "/recording", &status) == 0 && status.st_mode & 0o777 == 0o700)
    }

    @Test func `what a kill has left under way is not seen, and overwritten`() throws {
        let folder = try TemporaryFolder()
        let files = try JournalFolder.create(folder.path + "/recording")
        let hidden = folder.path + "/recording/.00000001.age"
        let descriptor = Glibc.open(hidden, O_CREAT | O_WRONLY, 0o600)
        #expect(Glibc.write(descriptor, "half a segment", 14) == 14)
        close(descriptor)
        #expect(try files.names().isEmpty)
        try files.write([1, 2, 3], to: "00000001.age")
        #expect(try files.names() == ["00000001.age"])
        #expect(try files.read("00000001.age", most: 10) == [1, 2, 3])
        #expect(throws: JournalError.self) { _ = try files.read("00000001.age", most: 2) }
        #expect(try files.read("00000002.age", most: 10) == nil)
    }

    @Test func `a folder is made once, and links and folders are no files`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/recording"
        let files = try JournalFolder.create(path)
        #expect(throws: JournalError.self) { _ = try JournalFolder.create(path) }
        #expect(throws: JournalError.self) { _ = try JournalFolder.open(folder.path + "/nothing") }
        #expect(mkdir(path + "/00000001.age", 0o700) == 0)
        #expect(throws: JournalError.self) { _ = try files.read("00000001.age", most: 10) }
        #expect(symlink("../other", path + "/00000002.age") == 0)
        #expect(throws: JournalError.self) { _ = try files.read("00000002.age", most: 10) }
    }

    @Test func `a disk that is really full is said to be`() throws {
        // Needs the right to mount; without it the same is tried on files in memory.
        guard let disk = try SmallDisk(megabytes: 1) else { return }
        let files = try JournalFolder.create(disk.path + "/recording")
        let segment = Bytes(repeating: 1, count: 400_000)
        try files.write(segment, to: "00000001.age")
        try files.write(segment, to: "00000002.age")
        do throws(JournalError) {
            try files.write(segment, to: "00000003.age")
            Issue.record("the disk has room for 1 MB")
        } catch { #expect("\(error)".contains("the disk is full")) }
        #expect(disk.entries(of: "recording") == ["00000001.age", "00000002.age"], "what was begun is given back")
    }

    @Test func `names of segments are one to one`() {
        #expect(SegmentName.of(1) == "00000001.age" && SegmentName.number("00000001.age") == 1)
        #expect(SegmentName.of(262_144) == "00262144.age")
        for name in ["1.age", "00000000.age", "000000001.age", "00000001.AGE", "0000000a.age", "+0000001.age", ".age"] {
            #expect(SegmentName.number(name) == nil, "\(name)")
        }
    }
}
