import Base
import CZlib
import Testing

@testable import Content

@Suite struct PDFInfoTests {
    /// Objects with a table of references behind them.
    private func file(_ objects: [Int: String], trailer: String, breakTable: Bool = false) -> Bytes {
        var bytes = Bytes("%PDF-1.4\n".utf8)
        var table = ""
        for number in objects.keys.sorted() {
            let place = breakTable ? 7 : bytes.count
            table += "\(number) 1\n\(String(repeating: "0", count: 10 - "\(place)".count))\(place) 00000 n \n"
            bytes += Bytes("\(number) 0 obj\n\(objects[number] ?? "")\nendobj\n".utf8)
        }
        let start = bytes.count
        bytes += Bytes(
            "xref\n0 1\n0000000000 65535 f \n\(table)trailer\n<<\(trailer)>>\nstartxref\n\(start)\n%%EOF".utf8)
        return bytes
    }

    private let objects = [
        1: "<</Type/Catalog/Pages 2 0 R>>", 2: "<</Type/Pages/Kids[]/Count 37>>",
        3: "<</Title(A \\(nested\\) title\\041)/Author<FEFF00C400C9>/Producer(x)>>",
    ]

    @Test func `pages, title and author are found by the table`() throws {
        let info = try #require(try PDFInfo.read(file(objects, trailer: "/Root 1 0 R/Info 3 0 R/Size 4")))
        #expect(info == DocumentInfo(pages: 37, title: "A (nested) title!", author: "ÄÉ"))
        #expect(DocumentInfo(wire: info.wire) == info)
    }

    @Test func `a broken table is no matter`() throws {
        for bytes in [
            file(objects, trailer: "/Root 1 0 R/Info 3 0 R", breakTable: true),
            Bytes(file(objects, trailer: "/Root 1 0 R/Info 3 0 R").dropLast(16)),
            Bytes("junk\n".utf8) + file(objects, trailer: "/Root 1 0 R/Info 3 0 R"),
        ] {
            #expect(try PDFInfo.read(bytes)?.pages == 37)
        }
    }

    @Test func `a later section counts more than an earlier one`() throws {
        let first = file(objects, trailer: "/Root 1 0 R/Info 3 0 R")
        let previous = try #require(first[...].firstIndex(of: "xref\n"))
        let place = first.count + 1
        let more = "\n2 0 obj\n<</Count 38>>\nendobj\n"
        let table = "xref\n2 1\n\(String(repeating: "0", count: 10 - "\(place)".count))\(place) 00000 n \n"
        let bytes =
            first
            + Bytes(
                "\(more)\(table)trailer\n<</Root 1 0 R/Prev \(previous)>>\nstartxref\n\(first.count + more.utf8.count)\n"
                    .utf8)
        #expect(try PDFInfo.read(bytes) == DocumentInfo(pages: 38, title: "A (nested) title!", author: "ÄÉ"))
    }

    @Test func `objects in compressed streams are found by compressed references`() throws {
        let values = [1: objects[1] ?? "", 2: objects[2] ?? "", 3: objects[3] ?? ""]
        var (head, body) = ("", "")
        for number in 1...3 {
            head += "\(number) \(body.utf8.count) "
            body += (values[number] ?? "") + " "
        }
        var bytes = Bytes("%PDF-1.5\n".utf8)
        let streamPlace = bytes.count
        bytes += stream(4, "/Type/ObjStm/N 3/First \(head.utf8.count)", Bytes((head + body).utf8))
        let start = bytes.count
        var rows: Bytes = []
        for index in 0..<3 { rows += predicted([2, 0, 4, UInt8(index)], above: rows) }
        rows += predicted([1, UInt8(streamPlace >> 8), UInt8(streamPlace & 0xFF), 0], above: rows)
        let parameters = "/DecodeParms<</Predictor 12/Columns 4>>"
        bytes += stream(5, "/Type/XRef/W[1 2 1]/Index[1 4]/Root 1 0 R/Info 3 0 R/Size 6\(parameters)", rows)
        bytes += Bytes("startxref\n\(start)\n%%EOF".utf8)
        #expect(try PDFInfo.read(bytes) == DocumentInfo(pages: 37, title: "A (nested) title!", author: "ÄÉ"))
    }

    /// A row by PNG's predictor "up": differences to the row above.
    private func predicted(_ row: Bytes, above packed: Bytes) -> Bytes {
        var above = Bytes(repeating: 0, count: row.count)
        for start in stride(from: 0, to: packed.count, by: row.count + 1) {
            for index in row.indices { above[index] &+= packed[start + 1 + index] }
        }
        return [2] + row.indices.map { row[$0] &- above[$0] }
    }

    private func stream(_ number: Int, _ entries: String, _ plain: Bytes) -> Bytes {
        let packed = deflated(plain)
        return Bytes("\(number) 0 obj\n<<\(entries)/Filter/FlateDecode/Length \(packed.count)>>stream\r\n".utf8)
            + packed
            + Bytes("\nendstream\nendobj\n".utf8)
    }

    private func deflated(_ plain: Bytes) -> Bytes {
        var count = compressBound(UInt(plain.count))
        var packed = Bytes(repeating: 0, count: Int(count))
        _ = compress(&packed, &count, plain, UInt(plain.count))
        return Bytes(packed.prefix(Int(count)))
    }

    @Test func `a stream that unpacks to a thousand times its size is given up`() throws {
        let bomb = Bytes(repeating: 0x20, count: PDFFile.unpackedMax + 1)
        var bytes = Bytes("%PDF-1.5\n".utf8)
        bytes += stream(4, "/Type/XRef/W[1 2 1]/Root 1 0 R/Size 9999999", bomb)
        bytes += Bytes("startxref\n9\n%%EOF".utf8)
        #expect(bytes.count < 100_000)
        #expect(throws: ImageFailure.damaged) { try PDFInfo.read(bytes) }
    }

    @Test func `circles and depths end`() throws {
        let circle = [1: "2 0 R", 2: "1 0 R"]
        #expect(throws: ImageFailure.damaged) { try PDFInfo.read(file(circle, trailer: "/Root 1 0 R")) }
        let deep = [1: "<</Type/Catalog/Pages" + String(repeating: "[", count: 100_000)]
        #expect(throws: ImageFailure.damaged) { try PDFInfo.read(file(deep, trailer: "/Root 1 0 R")) }
        let loop = Bytes("%PDF-1.4\nxref\n0 0\ntrailer <</Prev 9>>\nstartxref\n9\n".utf8)
        #expect(throws: ImageFailure.damaged) { try PDFInfo.read(loop) }
    }

    @Test func `an encrypted file keeps its texts to itself`() throws {
        let info = try PDFInfo.read(file(objects, trailer: "/Root 1 0 R/Info 3 0 R/Encrypt 9 0 R"))
        #expect(info == DocumentInfo(pages: 37, isEncrypted: true))
    }

    @Test func `texts become one line that turns nothing around`() {
        #expect(PDFInfo.text(Bytes("  a\n\tb\0 c ".utf8)) == "a b c")
        #expect(PDFInfo.text([0xFE, 0xFF, 0x20, 0x2E, 0, 0x78]) == "x")
        #expect(PDFInfo.text([0xEF, 0xBB, 0xBF] + Bytes("Grüße".utf8)) == "Grüße")
        #expect(PDFInfo.text([0x80, 0xA0, 0xFC]) == "•€ü")
        #expect(PDFInfo.text(Bytes(repeating: 0x41, count: 5_000))?.utf8.count == DocumentInfo.textBytesMax)
        #expect(PDFInfo.text([0, 1, 2]) == nil)
    }

    @Test func `what is no PDF is none`() throws {
        #expect(try PDFInfo.read(Bytes("hello".utf8)) == nil)
        #expect(throws: ImageFailure.damaged) { try PDFInfo.read(Bytes("%PDF-1.4\nnothing".utf8)) }
    }
}
