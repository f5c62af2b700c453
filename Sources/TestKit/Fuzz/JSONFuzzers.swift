// The fuzzers of JSON, CBOR and UTF-8.

import Base
import Wire

extension Fuzzers {
    package static let json = [Fuzzer("json", fuzzJSON), Fuzzer("cbor", fuzzCBOR), Fuzzer("utf8", fuzzUTF8)]
}

/// What was read is written, and read back as the same; an error lies within the text.
private func fuzzJSON(_ bytes: Bytes) {
    let limits = JSONLimits(depth: 8, values: 200)
    do throws(JSONError) {
        let value = try JSONValue(parsing: bytes, limits: limits)
        promise(UTF8Validator.isValid(bytes), "only UTF-8 is accepted")
        let written = value.encoded
        let again = try? JSONValue(parsing: written, limits: limits)
        promise(again == value, "what is written is read back as the same value")
        promise(again?.encoded == written, "and written again as the same bytes")
    } catch {
        promise((0...bytes.count).contains(error.offset), "an error lies within the text")
        promise(error.line >= 1 && error.column >= 1, "lines and columns count from 1")
    }
}

/// Values one after the other take the same bytes as each alone, and never more than there are.
private func fuzzCBOR(_ bytes: Bytes) {
    var reader = CBORReader(bytes, limits: CBORLimits(depth: 4, values: 100))
    while !reader.isAtEnd {
        let start = reader.offset
        guard let value = try? reader.next() else { break }
        promise(reader.offset > start && reader.offset <= bytes.count, "a value has bytes of its own")
        let alone = try? CBORValue(parsing: Bytes(bytes[start..<reader.offset]), limits: CBORLimits())
        promise(alone == value, "a value alone is the same value")
    }
}

/// The standard library's verdict, whole and in pieces.
private func fuzzUTF8(_ bytes: Bytes) {
    let expected = String(validating: bytes, as: UTF8.self) != nil
    promise(UTF8Validator.isValid(bytes) == expected, "the verdict is the standard library's")
    for size in [1, 3, 8] {
        var validator = UTF8Validator()
        var isValid = true
        for start in stride(from: 0, to: bytes.count, by: size) where isValid {
            isValid = validator.accept(bytes.span.extracting(start..<min(bytes.count, start + size)))
        }
        promise((isValid && validator.isComplete) == expected, "pieces of \(size) have the same verdict")
    }
}
