// The fuzzers of HTTP heads, bodies, fields, forms and URLs.

import Base
import Wire

extension Fuzzers {
    package static let http = [
        Fuzzer("http", fuzzHead), Fuzzer("chunked", fuzzChunks), Fuzzer("multipart", fuzzForm),
        Fuzzer("query", fuzzQuery), Fuzzer("cookies", fuzzCookies), Fuzzer("ranges", fuzzRanges),
        Fuzzer("fields", fuzzFields), Fuzzer("addresses", fuzzAddresses),
        Fuzzer("upload-headers", fuzzUploadHeaders),
    ]

    /// Sizes of the pieces in which everything is given again.
    fileprivate static let pieceSizes = [1, 2, 5, 64]
}

// MARK: - Heads

private enum HeadAnswer: Equatable {
    case incomplete
    case refused(HTTPParseError)
    case head(consumed: Int, parts: [String], framing: BodyFraming, flags: [Bool])
}

private func fuzzHead(_ bytes: Bytes) {
    var limits = HTTPLimits()
    limits.requestLineBytes = 200
    limits.headerBytes = 600
    limits.fieldCount = 8
    let whole = headAnswer(bytes, pieces: max(1, bytes.count), limits)
    for size in Fuzzers.pieceSizes {
        promise(headAnswer(bytes, pieces: size, limits) == whole, "pieces of \(size) have the same answer")
    }
    if case .head(let consumed, let parts, _, _) = whole {
        promise(consumed <= bytes.count && consumed <= 806, "a head is within its bounds")
        for part in parts {
            promise(!part.utf8.contains { $0 == 13 || $0 == 10 || $0 == 0 }, "no line end gets through")
        }
    }
}

private func headAnswer(_ bytes: Bytes, pieces size: Int, _ limits: HTTPLimits) -> HeadAnswer {
    var parser = RequestHeadParser(limits: limits)
    var total = 0
    do throws(HTTPParseError) {
        while total < bytes.count {
            let piece = Bytes(bytes[total..<min(bytes.count, total + size)])
            let (consumed, parsed) = try parser.consume(piece.span)
            total += consumed
            if let parsed { return summary(parsed, total) }
            promise(consumed == piece.count, "an incomplete head takes all bytes")
        }
        return .incomplete
    } catch {
        return .refused(error)
    }
}

private func summary(_ parsed: ParsedHead, _ consumed: Int) -> HeadAnswer {
    let head = parsed.head
    let fields = head.headers.pairs.flatMap { [$0.name, $0.value] }
    return .head(
        consumed: consumed,
        parts: [head.method.rawValue, head.path, head.query ?? "-", "\(head.minorVersion)", parsed.host ?? "-"]
            + fields,
        framing: parsed.framing,
        flags: [parsed.keepsAlive, parsed.expectsContinue, parsed.upgradesToWebSocket])
}

// MARK: - Bodies

private struct ChunkAnswer: Equatable {
    var data = Bytes()
    var end: Int?
    var error: HTTPParseError?
}

private func fuzzChunks(_ bytes: Bytes) {
    let whole = chunkAnswer(bytes, pieces: max(1, bytes.count))
    for size in Fuzzers.pieceSizes {
        promise(chunkAnswer(bytes, pieces: size) == whole, "pieces of \(size) have the same answer")
    }
    var written = Bytes()
    ChunkWriter.append(bytes, into: &written)
    written += ChunkWriter.bodyEnd
    let back = chunkAnswer(written, pieces: 3)
    promise(back == ChunkAnswer(data: bytes, end: written.count), "what is written is read back")
}

private func chunkAnswer(_ bytes: Bytes, pieces size: Int) -> ChunkAnswer {
    var limits = HTTPLimits()
    limits.chunkExtensionBytes = 40
    limits.trailerBytes = 60
    var decoder = ChunkedDecoder(limits: limits)
    var answer = ChunkAnswer()
    do throws(HTTPParseError) {
        for start in stride(from: 0, to: bytes.count, by: size) {
            let piece = Bytes(bytes[start..<min(bytes.count, start + size)])
            var position = 0
            while case let event = try decoder.next(piece.span, at: &position), event != .incomplete {
                if case .data(let range) = event { answer.data += piece[range] }
                if event == .end {
                    answer.end = start + position
                    return answer
                }
            }
            promise(position == piece.count, "an incomplete body takes all bytes")
        }
    } catch {
        answer.error = error
    }
    return answer
}

private struct FormAnswer: Equatable {
    var parts: [MultipartPart] = []
    var data: [Bytes] = []
    var ended = 0
    var isFinished = false
    var error: HTTPParseError?
}

private func fuzzForm(_ bytes: Bytes) {
    let whole = formAnswer(bytes, pieces: max(1, bytes.count))
    for size in Fuzzers.pieceSizes {
        promise(formAnswer(bytes, pieces: size) == whole, "pieces of \(size) have the same answer")
    }
    promise(whole.data.reduce(0) { $0 + $1.count } <= bytes.count, "no data is made up")
    for part in whole.parts {
        if let name = part.filename { checkFileName(name) }
    }
}

private func formAnswer(_ bytes: Bytes, pieces size: Int) -> FormAnswer {
    var limits = MultipartLimits()
    limits.partCount = 4
    limits.headerBytes = 200
    limits.preambleBytes = 20
    guard var parser = MultipartParser(boundary: "B-B", limits: limits) else { fatalError("a good boundary") }
    var answer = FormAnswer()
    do throws(HTTPParseError) {
        for start in stride(from: 0, to: bytes.count, by: size) {
            try readForm(Bytes(bytes[start..<min(bytes.count, start + size)]), &parser, &answer)
        }
    } catch {
        answer.error = error
    }
    answer.isFinished = parser.isFinished
    return answer
}

private func readForm(
    _ piece: Bytes, _ parser: inout MultipartParser, _ answer: inout FormAnswer
) throws(HTTPParseError) {
    var position = 0
    while true {
        switch try parser.next(piece.span, at: &position) {
        case .partBegan(let part):
            answer.parts.append(part)
            answer.data.append([])
        case .data(let range): answer.data[answer.data.count - 1] += piece[range]
        case .heldBack(let held): answer.data[answer.data.count - 1] += held
        case .partEnded: answer.ended += 1
        case .incomplete, .finished:
            promise(position == piece.count, "all bytes are taken")
            return
        }
    }
}

private func checkFileName(_ name: String) {
    promise(!name.isEmpty && name.utf8.count <= 255 && name != "." && name != "..", "a file name is usable")
    promise(!name.utf8.contains { $0 < 0x20 || $0 == 0x2F || $0 == 0x5C }, "a file name is one name")
    promise(FileName.sanitised(name) == name, "a safe file name stays as it is")
}

// MARK: - URLs

private func fuzzQuery(_ bytes: Bytes) {
    if let query = try? Query(parsing: bytes) {
        promise(query.pairs.count <= Query.maximumPairs, "pairs are bounded")
        // What an empty piece between two & meant is lost: it comes back as nothing.
        let kept = query.pairs.filter { $0.name != "" || $0.value != "" }
        let back = try? Query(parsing: Query(kept).encoded)
        promise(back?.pairs == kept, "what is written is read back")
    }
    let path = "/" + String(decoding: bytes, as: UTF8.self)
    if let segments = try? URLPath.segments(path) {
        promise(segments.count <= URLPath.maximumSegments, "segments are bounded")
        for segment in segments {
            promise(segment != "." && segment != ".." && !segment.utf8.contains(0x2F), "no segment leads elsewhere")
            promise(!segment.utf8.contains { $0 < 0x20 || $0 == 0x7F }, "no segment has control characters")
        }
        let back = segments.map { "/" + PercentEncoding.encode($0) }.joined()
        promise((try? URLPath.segments(back.isEmpty ? "/" : back)) == segments, "what is written is read back")
    }
}

private func fuzzAddresses(_ bytes: Bytes) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let address = IPAddress(text) {
        promise(IPAddress(address.description) == address, "an address is read back from its text")
        promise(IPAddress(bytes: address.bytes) == address, "an address is read back from its bytes")
        promise(address.description.utf8.count <= 39, "the canonical text is short")
    }
    if let network = IPNetwork(text) {
        promise(IPNetwork(network.description) == network, "a network is read back from its text")
        promise(network.contains(network.address), "a network contains its first address")
    }
    if bytes.count >= 16, let address = IPAddress(bytes: Bytes(bytes[..<16])) {
        promise(IPAddress(address.description) == address, "an address is read back from its text")
    }
}

// MARK: - Fields

private func fuzzCookies(_ bytes: Bytes) {
    let lines = bytes.split(separator: 10).map { String(decoding: $0, as: UTF8.self) }
    let cookies = Cookies(lines)
    promise(cookies.count <= 64, "cookies are bounded")
    for line in lines {
        for piece in line.utf8.split(separator: 0x3B) {
            guard let name = piece.split(separator: 0x3D).first.flatMap({ String($0) }) else { continue }
            guard let value = cookies[name], !name.hasPrefix("__") else { continue }
            promise(SetCookie(name, value).headerValue != nil, "a cookie that is read can be set")
            promise(Cookies(["\(name)=\(value)"])[name] == value, "a cookie is read back")
        }
    }
}

private func fuzzRanges(_ bytes: Bytes) {
    let text = String(decoding: bytes, as: UTF8.self)
    for length in [0, 1, 100, 10_000, Int64.max] {
        guard case .parts(let parts) = ByteRanges(text, length: length) else { continue }
        promise(!parts.isEmpty && parts.count <= ByteRanges.maximumCount, "the number of parts is bounded")
        var end: Int64 = -1
        for part in parts {
            promise(part.lowerBound > end && !part.isEmpty, "parts ascend and are not empty")
            end = part.upperBound
        }
        promise(end <= length, "parts are within the length")
    }
}

private func fuzzFields(_ bytes: Bytes) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let type = MediaType(text) {
        promise(MediaType(type.description) == type, "a media type is read back")
    }
    if let tag = EntityTag(text) {
        promise(EntityTag(tag.description) == tag, "an entity tag is read back")
    }
    _ = ContentCoding(accepting: text)
    let disposition = ContentDisposition(text)
    if let name = disposition?.filename.flatMap(FileName.sanitised) {
        checkFileName(name)
        let written = ContentDisposition.attachment(name)
        promise(written.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "a written disposition is ASCII")
        promise(ContentDisposition(written)?.filename == name, "a file name is read back")
    }
    let fields: [(name: String, value: String)] = [
        ("If-Match", text), ("If-None-Match", text), ("If-Range", text), ("If-Modified-Since", text),
        ("X-Forwarded-For", text), ("X-Forwarded-Proto", text),
    ]
    checkConditions(RequestHeaders(fields))
}

private func checkConditions(_ headers: RequestHeaders) {
    let current = Validators(entityTag: EntityTag(opaque: "1"), lastModified: Timestamp(secondsSinceEpoch: 0))
    let outcome = Preconditions.evaluate(.put, headers, current: current)
    promise(outcome != .notModified, "a change is never answered with 304")
    _ = Preconditions.rangeApplies(headers, current: current)
    let peer = IPAddress(v4: 0x7F00_0001)
    let untrusting = ProxyTrust.none.client(peer: peer, isSecure: false, headers)
    promise(untrusting.address == peer && !untrusting.isSecure, "nobody is believed who is not trusted")
    _ = ProxyTrust.hops(3).client(peer: peer, isSecure: false, headers)
}

// MARK: - tus

private func fuzzUploadHeaders(_ bytes: Bytes) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let metadata = UploadMetadata(text) { checkMetadata(metadata, text) }
    if let checksum = UploadChecksum(text) {
        promise(checksum.hash.count == (checksum.algorithm == .sha1 ? 20 : 32), "a checksum is as long as its hash")
        let written = "\(checksum.algorithm.rawValue) \(Base64.encode(checksum.hash))"
        promise(UploadChecksum(written) == checksum, "a checksum that is written is read back")
    }
}

private func checkMetadata(_ metadata: UploadMetadata, _ text: String) {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    promise(parts.count <= UploadMetadata.maximumCount, "there are no more pairs than are taken")
    var written: [String] = []
    for part in parts {
        let name = part.split(separator: " ").first.map(String.init) ?? ""
        promise(!name.isEmpty && metadata.contains(name), "every name of the header is known")
        promise(name.utf8.allSatisfy { (0x21...0x7E).contains($0) }, "a name is visible ASCII")
        guard let value = metadata.text(name) else { continue }
        promise(!value.utf8.contains(0), "no NUL gets through")
        written.append(value.isEmpty ? name : "\(name) \(Base64.encode(Bytes(value.utf8)))")
    }
    guard written.count == parts.count else { return }
    promise(UploadMetadata(written.joined(separator: ",")) == metadata, "metadata that are written are read back")
}
