// The bodies of Content's fuzzers. They stand apart from the list of all fuzzers, so that Content's tests need no other
// target for them.

package import Base
import Content

package enum ContentFuzzBodies {
    package static let all: [(name: String, body: @Sendable (Bytes) -> Void)] = [
        ("content-sniffer", sniff), ("image-walkers", walk), ("gif", decodeGIF), ("pdf", readPDF),
    ]

    private static func hold(_ holds: Bool, _ text: @autoclosure () -> String) {
        if !holds { fatalError("broken promise: \(text())") }
    }

    private static let sniff: @Sendable (Bytes) -> Void = { bytes in
        let found = ContentSniffer.sniff(prefix: bytes, suffix: bytes)
        hold(!(found.type.kind == .active && found.mayShowInline), "what runs is never shown inline")
        let short = ContentSniffer.sniff(prefix: Bytes(bytes.prefix(ContentSniffer.prefixBytes)))
        let long = ContentSniffer.sniff(prefix: bytes.prefix(ContentSniffer.prefixBytes) + Bytes("<html>".utf8))
        if bytes.count >= ContentSniffer.prefixBytes {
            hold(short == long, "what stands behind the sample is not read")
        }
        let wrapped = ContentSniffer.sniff(prefix: Bytes("GIF89a<script>".utf8) + bytes)
        hold(wrapped.type == .html && wrapped.isPolyglot, "an image with a script is a page")
        let name = String(decoding: bytes.prefix(64), as: UTF8.self)
        _ = ContentAgreement.compare(found.type, declared: name, fileName: name)
    }

    private static let walk: @Sendable (Bytes) -> Void = { bytes in
        for format in ImageFormat.allCases {
            guard let once = try? Stripper.strip(bytes, format) else { continue }
            // A chunk that was not filled up may be now.
            hold(once.count <= bytes.count + bytes.count / 8 + 2, "nothing is added")
            let twice = try? Stripper.strip(once, format)
            hold(twice == once, "what was stripped has nothing left to strip (\(format))")
        }
    }

    private static let decodeGIF: @Sendable (Bytes) -> Void = { bytes in
        // The bound that workers hold before they decode.
        guard bytes.count > 10, Int(bytes[7]) << 8 | Int(bytes[6]) < 512, Int(bytes[9]) << 8 | Int(bytes[8]) < 512
        else {
            return
        }
        guard let picture = try? GIFDecoder.firstPicture(bytes) else { return }
        hold(picture.pixels.count == 4 * picture.width * picture.height, "every pixel is there")
    }

    private static let readPDF: @Sendable (Bytes) -> Void = { bytes in
        guard let info = try? PDFInfo.read(bytes) else { return }
        hold((0...DocumentInfo.pagesMax).contains(info.pages ?? 0), "pages are bounded")
        for text in [info.title, info.author] {
            hold((text ?? "").utf8.count <= DocumentInfo.textBytesMax, "texts are bounded")
            hold(text != "", "an empty text is none")
        }
    }
}
