// plexifuzz: hands a fuzzer of TestKit to libFuzzer, which brings its own `main`.
//
//     FUZZ=1 swift build -c release --sanitize fuzzer --product plexifuzz
//     FUZZER=http SWIFT_BACKTRACE=enable=no .build/release/plexifuzz Tests/Corpus/http

import Base
import Glibc
import TestKit

/// Chosen once by the environment; without a known name there is nothing to run.
private let chosen: Fuzzer = {
    let name = getenv("FUZZER").map { String(cString: $0) } ?? ""
    guard let fuzzer = Fuzzers.named(name) else {
        print("FUZZER must be one of \(Fuzzers.all.map(\.name).joined(separator: ", "))")
        exit(2)
    }
    return fuzzer
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    chosen.body(Bytes(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}
