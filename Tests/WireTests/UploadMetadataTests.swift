import Base
import Testing
import Wire

@Suite struct UploadMetadataTests {
    @Test func `names with values in Base64 are read, and names without`() throws {
        let metadata = try #require(UploadMetadata("filename aGVsbG8udHh0,is_confidential,empty "))
        #expect(metadata.text("filename") == "hello.txt")
        #expect(metadata.text("is_confidential")?.isEmpty == true)
        #expect(metadata.contains("empty"))
        #expect(metadata.text("other") == nil)
        #expect(!metadata.contains("other"))
    }

    @Test(arguments: [
        "", ",", "a,", "a b c", "a YQ==,a YQ==", "a ?", "a YQ", "ä YQ==", "a\u{7F} YQ==",
        (0..<33).map { "k\($0)" }.joined(separator: ","),
    ])
    func `what is malformed, twice or too much is refused`(_ text: String) {
        #expect(UploadMetadata(text) == nil)
    }

    @Test func `a value that is no text is none`() throws {
        let metadata = try #require(UploadMetadata("a \(Base64.encode([0xFF])),b \(Base64.encode([0x61, 0]))"))
        #expect(metadata.text("a") == nil)
        #expect(metadata.text("b") == nil)
        #expect(metadata.contains("a"))
    }

    @Test func `a checksum is of a known kind and as long as its kind`() throws {
        let hash = Base64.encode(Bytes(repeating: 7, count: 32))
        #expect(try #require(UploadChecksum("sha256 \(hash)")).hash == Bytes(repeating: 7, count: 32))
        #expect(UploadChecksum("sha1 \(Base64.encode(Bytes(repeating: 7, count: 20)))")?.algorithm == .sha1)
        for wrong in ["sha1 \(hash)", "md5 \(hash)", "SHA256 \(hash)", "sha256", "", "sha256 ?", "sha256 \(hash) x"] {
            #expect(UploadChecksum(wrong) == nil, "\(wrong)")
        }
    }
}
