import Base
import Testing

@testable import Content

@Suite struct ContentSnifferTests {
    private func type(_ bytes: Bytes, suffix: Bytes = []) -> String {
        ContentSniffer.sniff(prefix: bytes, suffix: suffix).type.name
    }
    private func type(_ text: String) -> String { type(Bytes(text.utf8)) }

    /// A member of a zip archive: its local header and no content.
    private func member(_ name: String, _ content: String = "") -> Bytes {
        var bytes = Bytes("PK\u{3}\u{4}".utf8) + Bytes(repeating: 0, count: 22)
        bytes += Pictures.little(name.utf8.count) + Pictures.little(0)
        bytes += Bytes(name.utf8) + Bytes(content.utf8)
        return bytes
    }

    private func directory(_ names: [String]) -> Bytes {
        var bytes: Bytes = []
        for name in names {
            bytes += Bytes("PK\u{1}\u{2}".utf8) + Bytes(repeating: 0, count: 24)
            bytes += Pictures.little(name.utf8.count) + Bytes(repeating: 0, count: 16)
            bytes += Bytes(name.utf8)
        }
        bytes += Bytes("PK\u{5}\u{6}".utf8) + Bytes(repeating: 0, count: 18)
        return bytes
    }

    @Test func `images are told by their first bytes`() {
        #expect(type([0xFF, 0xD8, 0xFF, 0xE0]) == "image/jpeg")
        #expect(type([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0]) == "image/png")
        #expect(type("GIF89a....") == "image/gif")
        #expect(type("RIFF\u{1}\0\0\0WEBPVP8 ") == "image/webp")
        #expect(type("\0\0\0\u{1C}ftypavif\0\0\0\0") == "image/avif")
        #expect(type("\0\0\0\u{1C}ftypmif1\0\0\0\0mif1avif") == "image/avif")
        #expect(type("\0\0\0\u{1C}ftypheic\0\0\0\0") == "image/heif")
        #expect(type("BM" + "\u{1}\0\0\0" + "\0\0\0\0" + "6\0\0\0" + "(\0\0\0" + "\u{1}\0") == "image/bmp")
        #expect(type("BMW is a maker of cars") == "text/plain")
    }

    @Test func `sounds and films are told apart in the containers that they share`() {
        #expect(type("ID3\u{3}\0\0\0\0\0\0") == "audio/mpeg")
        #expect(type([0xFF, 0xFB, 0x90, 0x64]) == "audio/mpeg")
        #expect(type([0xFF, 0xF1, 0x50, 0x80]) == "audio/aac")
        #expect(type("RIFF\u{1}\0\0\0WAVEfmt ") == "audio/wav")
        #expect(type("RIFF\u{1}\0\0\0AVI LIST") == "video/x-msvideo")
        #expect(type("OggS\0" + String(repeating: "\u{1}", count: 23) + "OpusHead") == "audio/ogg")
        #expect(type("OggS\0" + String(repeating: "\u{1}", count: 23) + "\u{1}video\0\0") == "video/ogg")
        #expect(type("\0\0\0\u{1C}ftypisom\0\0\0\0") == "video/mp4")
        #expect(type("\0\0\0\u{1C}ftypM4A \0\0\0\0") == "audio/mp4")
        #expect(type([0x1A, 0x45, 0xDF, 0xA3, 0x42, 0x82, 0x84] + Bytes("webm".utf8)) == "video/webm")
        #expect(type([0x1A, 0x45, 0xDF, 0xA3, 0x42, 0x82, 0x88] + Bytes("matroska".utf8)) == "video/x-matroska")
    }

    @Test func `archives are what their members' names say`() {
        let parts = member("[Content_Types].xml") + member("_rels/.rels")
        #expect(type(member("a.txt")) == "application/zip")
        #expect(type(parts + member("word/document.xml")).hasSuffix("wordprocessingml.document"))
        #expect(type(parts + member("xl/workbook.xml")).hasSuffix("spreadsheetml.sheet"))
        #expect(type(member("word/notes.txt")) == "application/zip")
        #expect(
            type(member("mimetype", "application/vnd.oasis.opendocument.text"))
                == "application/vnd.oasis.opendocument.text")
        #expect(type(member("mimetype", "application/epub+zip")) == "application/epub+zip")
        #expect(type(member("META-INF/MANIFEST.MF") + member("A.class")) == "application/java-archive")
        #expect(type(parts + member("word/a.xml") + member("classes.dex")).hasSuffix("android.package-archive"))
        // Where the first members are long, the directory at the end tells.
        let far = directory(["[Content_Types].xml", "ppt/presentation.xml"])
        #expect(type(member("[Content_Types].xml"), suffix: far).hasSuffix("presentationml.presentation"))
    }

    @Test(arguments: [
        "<!DOCTYPE html><title>x</title>", "\n\t <HTML>", "<ScRiPt>alert(1)</script>", "<svg xmlns='x'><html></svg>",
        "text and then <iframe src=x>", "<a href=x>", "\u{FEFF}<html>",
    ])
    func `what a browser would run is HTML`(text: String) {
        let found = ContentSniffer.sniff(prefix: Bytes(text.utf8))
        #expect(found.type == .html)
        #expect(!found.mayShowInline)
    }

    @Test func `vector images and other texts with a will of their own are active`() {
        for text in ["<svg xmlns='x'/>", "<?xml version='1.0'?>\n<svg onload='x'>", "<!DOCTYPE svg PUBLIC 'x'>"] {
            #expect(type(text) == "image/svg+xml")
        }
        #expect(type("<?xml version='1.0'?><a/>") == "text/xml")
        #expect(type("#!/bin/sh\nrm -r x") == "text/x-script")
        #expect(type("MZ\u{90}\0\u{3}") == "application/vnd.microsoft.portable-executable")
        #expect(type("\u{7F}ELF\u{2}") == "application/x-elf")
        for kind in [type("<svg/>"), type("#!x")] { #expect(!ContentType(kind, .active).mayShowInline) }
    }

    @Test func `text is text in any alphabet, and bytes are bytes`() {
        #expect(type("Grüße aus Köln") == "text/plain")
        #expect(type("if (a < b && c > d) return <T>x;") == "text/plain")
        #expect(type([0x47, 0x72, 0xFC, 0xDF, 0x65]) == "text/plain")
        #expect(type([0xFF, 0xFE, 0x41, 0, 0x42, 0]) == "text/plain")
        #expect(type([0xFF, 0xFE, 0x3C, 0, 0x68, 0, 0x74, 0, 0x6D, 0, 0x6C, 0, 0x3E, 0]) == "text/html")
        #expect(type([0x41, 0, 0x42]) == "application/octet-stream")
        #expect(type("") == "application/x-empty")
    }

    @Test func `polyglots are what is more dangerous`() {
        let page = ContentSniffer.sniff(prefix: Bytes("GIF89a/*<script>alert(1)</script>".utf8))
        #expect(page == SniffedContent(.html, isPolyglot: true))
        #expect(!page.mayShowInline)
        let archive = ContentSniffer.sniff(
            prefix: [0xFF, 0xD8, 0xFF, 0xE0], suffix: directory(["META-INF/MANIFEST.MF"]))
        #expect(archive == SniffedContent(.javaArchive, isPolyglot: true))
        let document = ContentSniffer.sniff(prefix: Bytes("GIF89a\0\0\0\0".utf8) + Bytes("%PDF-1.4\n".utf8))
        #expect(document == SniffedContent(.pdf, isPolyglot: true))
        let both = ContentSniffer.sniff(prefix: Bytes("%PDF-1.4\n<html>".utf8))
        #expect(both == SniffedContent(.html, isPolyglot: true))
        // An archive of pages is an archive.
        #expect(ContentSniffer.sniff(prefix: member("a.html", "<html>")) == SniffedContent(.zip))
        // A PDF that begins late is none the less one.
        #expect(type(Bytes(repeating: 0, count: 500) + Bytes("%PDF-1.4".utf8)) == "application/pdf")
    }

    @Test func `what stands behind the sample is not looked at`() {
        let long = Bytes("GIF89a".utf8) + Bytes(repeating: 1, count: ContentSniffer.prefixBytes) + Bytes("<html>".utf8)
        #expect(type(long) == "image/gif")
    }

    @Test func `names and declared types are compared with what was found`() {
        func compare(_ found: ContentType, _ declared: String?, _ name: String?) -> ContentAgreement {
            ContentAgreement.compare(found, declared: declared, fileName: name)
        }
        #expect(compare(.jpeg, "image/jpeg", "a.JPG") == .agrees)
        #expect(compare(.jpeg, "image/jpg; q=1", "a.jpeg") == .agrees)
        #expect(compare(.html, "image/png", "a.png") == .typeDiffers)
        #expect(compare(.windowsProgram, nil, "invoice.pdf") == .nameDiffers)
        #expect(compare(.windowsProgram, "application/octet-stream", "invoice.pdf") == .nameDiffers)
        #expect(compare(.plainText, "text/markdown", "README.md") == .agrees)
        #expect(compare(.plainText, "application/json", "a.json") == .agrees)
        #expect(compare(.zip, nil, "letter.docx") == .agrees)
        #expect(compare(.unknown, nil, "data.bin") == .unknown)
        #expect(compare(.unknown, "image/png", nil) == .typeDiffers)
        #expect(compare(.png, nil, nil) == .unknown)
        #expect(ContentAgreement.endingIsActive("run.me.HTA"))
        #expect(!ContentAgreement.endingIsActive("picture.png"))
        #expect(!ContentAgreement.endingIsActive("html"))
    }
}
