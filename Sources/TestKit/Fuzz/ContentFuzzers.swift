// The fuzzers of Content: what strangers' files are, what is stripped of images, GIF and PDF.

import Base

extension Fuzzers {
    package static let content = ContentFuzzBodies.all.map { Fuzzer($0.name, $0.body) }
}
