// Where the objects of a PDF lie: cross-reference tables, streams and object streams (ISO 32000-1, 7.5), and, where they
// are broken, a search through the file as every viewer does it.

import Base
import CZlib

struct PDFFile {
    private enum Place {
        case at(Int)
        case inStream(Int, index: Int)
    }

    /// More objects than any real document has; their places are held in memory.
    static let objectsMax = 500_000
    /// A file that was changed and saved again adds a section each time.
    static let sectionsMax = 512
    /// Of one stream and of all together, unpacked. A stream of zeros grows a thousandfold.
    static let unpackedMax = 16 << 20
    static let unpackedTotalMax = 64 << 20
    /// References that lead to references.
    static let hopsMax = 8
    /// Where the end of the file says that the table begins.
    static let tailBytes = 2_048

    private let bytes: Bytes
    private var places: [Int: Place] = [:]
    private(set) var trailer: [String: PDFValue] = [:]
    private var unpackedLeft = PDFFile.unpackedTotalMax
    private var openStreams: [Int: (bytes: Bytes, places: [Int])] = [:]

    /// `nil` for what is no PDF.
    init?(_ bytes: Bytes) {
        guard bytes.prefix(ContentSniffer.pdfHeaderBytes)[...].firstIndex(of: "%PDF-") != nil else { return nil }
        self.bytes = bytes
        readSections()
        if trailer["Root"] == nil || root == nil { search() }
    }

    private var root: PDFValue? {
        var copy = self
        return copy.resolve(trailer["Root"]).flatMap { $0.dictionary != nil ? $0 : nil }
    }

    // MARK: - Objects

    /// The value itself, wherever it lies.
    mutating func resolve(_ value: PDFValue?) -> PDFValue? {
        var value = value
        for _ in 0..<Self.hopsMax {
            guard let number = value?.reference else { return value }
            value = object(number)
        }
        return nil
    }

    private mutating func object(_ number: Int) -> PDFValue? {
        switch places[number] {
        case .at(let place):
            var reader = PDFReader(bytes, at: place)
            guard let found = reader.object(), found.number == number else { return nil }
            return found.value
        case .inStream(let stream, let index): return object(in: stream, index)
        case nil: return nil
        }
    }

    private mutating func object(in stream: Int, _ index: Int) -> PDFValue? {
        if openStreams[stream] == nil { openStreams[stream] = open(stream) }
        guard let open = openStreams[stream], index < open.places.count else { return nil }
        var reader = PDFReader(open.bytes, at: open.places[index])
        return reader.value()
    }

    private mutating func open(_ stream: Int) -> (bytes: Bytes, places: [Int])? {
        // An object stream lies in the file itself.
        guard case .at(let place)? = places[stream] else { return nil }
        var reader = PDFReader(bytes, at: place)
        guard case .stream(let dictionary, let start)? = reader.object()?.value,
            let unpacked = unpack(dictionary, start), let count = dictionary["N"]?.number,
            let first = dictionary["First"]?.number, (0...Self.objectsMax).contains(count), first >= 0
        else { return nil }
        var numbers = PDFReader(unpacked)
        var offsets: [Int] = []
        for _ in 0..<count {
            guard numbers.count() != nil, let offset = numbers.count() else { break }
            offsets.append(first + offset)
        }
        return (unpacked, offsets)
    }

    // MARK: - Streams

    /// `nil` when it is packed in a way that cross-references never are, or is broken or too large.
    private mutating func unpack(_ dictionary: [String: PDFValue], _ start: Int) -> Bytes? {
        let filter = dictionary["Filter"]
        let names = filter?.array.map { $0.compactMap(\.name) } ?? filter?.name.map { [$0] } ?? []
        let length = dictionary["Length"]?.number.map { min(max($0, 0), bytes.count - start) }
        guard start <= bytes.count else { return nil }
        let packed = bytes[start..<(start + (length ?? bytes.count - start))]
        guard !names.isEmpty else { return length == nil ? nil : Bytes(packed.prefix(Self.unpackedMax)) }
        guard names == ["FlateDecode"] || names == ["Fl"] else { return nil }
        guard let plain = inflate(packed, limit: min(Self.unpackedMax, unpackedLeft)) else { return nil }
        unpackedLeft -= plain.count
        let parameters = dictionary["DecodeParms"].flatMap { $0.array?.first ?? $0 }?.dictionary ?? [:]
        return Self.unpredict(plain, parameters)
    }

    private func inflate(_ packed: ArraySlice<UInt8>, limit: Int) -> Bytes? {
        var stream = z_stream()
        guard limit > 0, plexi_inflate_init(&stream, 15) == Z_OK else { return nil }
        defer { inflateEnd(&stream) }
        var plain: Bytes = []
        var piece = Bytes(repeating: 0, count: 65_536)
        let isWhole = packed.withUnsafeBufferPointer { input in
            stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.avail_in = UInt32(clamping: input.count)
            while true {
                let (code, count) = piece.withUnsafeMutableBufferPointer { room in
                    stream.next_out = room.baseAddress
                    stream.avail_out = UInt32(room.count)
                    return (CZlib.inflate(&stream, Z_NO_FLUSH), room.count - Int(stream.avail_out))
                }
                plain += piece[..<count]
                guard plain.count <= limit else { return false }
                if code == Z_STREAM_END { return true }
                // Without its end a stream may still hold what is looked for.
                if code != Z_OK || count == 0 { return !plain.isEmpty }
            }
        }
        return isWhole ? plain : nil
    }

    /// PNG's predictors, with which cross-reference streams are packed.
    private static func unpredict(_ plain: Bytes, _ parameters: [String: PDFValue]) -> Bytes? {
        guard let predictor = parameters["Predictor"]?.number, predictor > 1 else { return plain }
        let width = parameters["Columns"]?.number ?? 1
        guard predictor >= 10, (1...65_536).contains(width), parameters["Colors"]?.number ?? 1 == 1 else { return nil }
        var above = Bytes(repeating: 0, count: width)
        var result: Bytes = []
        result.reserveCapacity(plain.count)
        for start in stride(from: 0, to: plain.count - width, by: width + 1) {
            var row = Bytes(plain[(start + 1)..<(start + 1 + width)])
            for index in row.indices {
                let left = index > 0 ? row[index - 1] : 0
                let corner = index > 0 ? above[index - 1] : 0
                row[index] &+= prediction(plain[start], left: left, above: above[index], corner: corner)
            }
            result += row
            above = row
        }
        return result
    }

    private static func prediction(_ kind: UInt8, left: UInt8, above: UInt8, corner: UInt8) -> UInt8 {
        switch kind {
        case 1: return left
        case 2: return above
        case 3: return UInt8((Int(left) + Int(above)) / 2)
        case 4:
            let estimate = Int(left) + Int(above) - Int(corner)
            let distances = [left, above, corner].map { abs(estimate - Int($0)) }
            if distances[0] <= distances[1], distances[0] <= distances[2] { return left }
            return distances[1] <= distances[2] ? above : corner
        default: return 0
        }
    }
}

// MARK: - Sections

extension PDFFile {
    private mutating func readSections() {
        let tail = bytes.suffix(Self.tailBytes)
        var word: Int?
        var from = tail.startIndex
        while let next = tail.firstIndex(of: "startxref", from: from) {
            word = next
            from = next + 1
        }
        guard let word else { return }
        var reader = PDFReader(bytes, at: word + 9)
        var wanted = reader.count().map { [$0] } ?? []
        var seen: Set<Int> = []
        while let place = wanted.popLast(), seen.count < Self.sectionsMax, seen.insert(place).inserted {
            guard place < bytes.count else { return }
            var reader = PDFReader(bytes, at: place)
            let found = reader.take("xref") ? readTable(&reader) : readStream(&reader)
            guard let found else { return }
            // The newest one counts.
            trailer.merge(found) { newer, _ in newer }
            // What the hidden half of a hybrid file says comes before what is older.
            for key in ["Prev", "XRefStm"] { if let next = found[key]?.number { wanted.append(next) } }
        }
    }

    private mutating func add(_ number: Int, _ place: Place) {
        if places[number] == nil, places.count < Self.objectsMax { places[number] = place }
    }

    private mutating func readTable(_ reader: inout PDFReader) -> [String: PDFValue]? {
        while !reader.take("trailer") {
            guard let first = reader.count(), let count = reader.count(), first <= Self.objectsMax else { return nil }
            for number in first..<(first + min(count, Self.objectsMax)) {
                guard let place = reader.count(), reader.count() != nil else { return nil }
                if reader.take("n") { add(number, .at(place)) } else if !reader.take("f") { return nil }
            }
        }
        return reader.value()?.dictionary
    }

    private mutating func readStream(_ reader: inout PDFReader) -> [String: PDFValue]? {
        guard case .stream(let dictionary, let start)? = reader.object()?.value, dictionary["Type"]?.name == "XRef",
            let widths = dictionary["W"]?.array?.compactMap(\.number), widths.count == 3,
            widths.allSatisfy({ (0...8).contains($0) }), let table = unpack(dictionary, start)
        else { return nil }
        let size = dictionary["Size"]?.number ?? 0
        let index = dictionary["Index"]?.array?.compactMap(\.number) ?? [0, size]
        var place = 0
        for pair in stride(from: 0, to: index.count - 1, by: 2) where index[pair] >= 0 {
            for offset in 0..<min(max(index[pair + 1], 0), Self.objectsMax) {
                guard place + widths.reduce(0, +) <= table.count else { return dictionary }
                addEntry(index[pair] &+ offset, table, widths, &place)
            }
        }
        return dictionary
    }

    private mutating func addEntry(_ number: Int, _ table: Bytes, _ widths: [Int], _ place: inout Int) {
        let fields = widths.map { width in
            let value = table[place..<(place + width)].reduce(0) { ($0 & 0xFF_FFFF_FFFF_FFFF) << 8 | Int($1) }
            place += width
            return value & Int.max
        }
        switch widths[0] == 0 ? 1 : fields[0] {
        case 1: add(number, .at(fields[1]))
        case 2: add(number, .inStream(fields[1], index: fields[2]))
        default: break
        }
    }

    /// Every `<number> <generation> obj` of the file, the later one counting; and every trailer.
    private mutating func search() {
        places = [:]
        var from = 0
        while let word = bytes[...].firstIndex(of: "obj", from: from), places.count < Self.objectsMax {
            from = word + 3
            if let (number, place) = head(before: word) { places[number] = .at(place) }
        }
        from = 0
        while let word = bytes[...].firstIndex(of: "trailer", from: from) {
            from = word + 7
            var reader = PDFReader(bytes, at: from)
            if let found = reader.value()?.dictionary { trailer.merge(found) { _, later in later } }
        }
        guard trailer["Root"] == nil else { return }
        let catalog = places.keys.sorted().prefix(Self.sectionsMax * 8).first { number in
            object(number)?.dictionary?["Type"]?.name == "Catalog"
        }
        if let catalog { trailer["Root"] = .reference(catalog) }
    }

    /// The number that stands two words before `obj`, and where it begins.
    private func head(before word: Int) -> (number: Int, place: Int)? {
        var place = word
        func skip(_ isWanted: (UInt8) -> Bool) -> Int {
            let end = place
            while place > 0, end - place < 12, isWanted(bytes[place - 1]) { place -= 1 }
            return end - place
        }
        let isDigit: (UInt8) -> Bool = { (0x30...0x39).contains($0) }
        guard skip(PDFReader.isSpace) > 0, skip(isDigit) > 0, skip(PDFReader.isSpace) > 0, skip(isDigit) > 0 else {
            return nil
        }
        var reader = PDFReader(bytes, at: place)
        return reader.count().map { ($0, place) }
    }
}
