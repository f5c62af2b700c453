// What the sender and the file's name say, beside what the bytes say. Who serves a file goes by the bytes; who shows it
// to a person can say that its name is another's.

package enum ContentAgreement: Hashable, Sendable {
    case agrees
    /// Nothing is known of the declared type and of the name, or nothing was declared.
    case unknown
    /// The declared media type, or the name's extension, belongs to something else.
    case typeDiffers, nameDiffers

    /// `declared` is a media type as it came, with parameters if any.
    package static func compare(_ found: ContentType, declared: String?, fileName: String?) -> ContentAgreement {
        let type = declared.map(essence)
        let isDeclared = type.map { $0 != ContentType.unknown.name && !$0.isEmpty } ?? false
        if isDeclared, let type, !accepts(found, type) { return .typeDiffers }
        let ending = fileName.flatMap(ending)
        guard let ending, let expected = endings[ending] else { return isDeclared ? .agrees : .unknown }
        return expected.contains(found) || isTextual(expected, found) ? .agrees : .nameDiffers
    }

    /// The media type of a name's ending, for what has no signature: style sheets, tables, program texts.
    package static func endingIsActive(_ fileName: String) -> Bool {
        ending(fileName).map { activeEndings.contains($0) } ?? false
    }

    private static func accepts(_ found: ContentType, _ declared: String) -> Bool {
        if found.name == declared || aliases[declared] == found.name { return true }
        // Text has no signatures: whatever text somebody calls it, text it is.
        if found.kind == .text { return declared.hasPrefix("text/") || textual.contains(declared) }
        if found == .zip || found == .oldOffice || found == .xml { return declared.hasPrefix("application/") }
        if found == .unknown { return !known.contains(declared) }
        return false
    }

    private static func isTextual(_ expected: [ContentType], _ found: ContentType) -> Bool {
        found.kind == .text && expected.contains(.plainText)
    }

    private static func essence(_ type: String) -> String {
        let bytes = type.utf8.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        return String(decoding: bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    /// Longer ones are no endings but names.
    private static let endingBytesMax = 16

    private static func ending(_ name: String) -> String? {
        guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")) else { return nil }
        let bytes = name.utf8[name.utf8.index(after: dot)...]
        guard !bytes.isEmpty, bytes.count <= endingBytesMax else { return nil }
        return essence(String(decoding: Array(bytes), as: UTF8.self))
    }

    /// Names that browsers and mail programs still use.
    private static let aliases = [
        "image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png",
        "image/x-icon": "image/vnd.microsoft.icon", "image/heic": "image/heif", "image/x-ms-bmp": "image/bmp",
        "audio/mp3": "audio/mpeg", "audio/x-wav": "audio/wav", "audio/wave": "audio/wav",
        "audio/vnd.wave": "audio/wav", "audio/x-m4a": "audio/mp4", "audio/x-flac": "audio/flac",
        "audio/aacp": "audio/aac", "audio/webm": "video/webm", "audio/x-matroska": "video/x-matroska",
        "audio/opus": "audio/ogg", "application/ogg": "audio/ogg", "video/x-m4v": "video/mp4",
        "video/avi": "video/x-msvideo", "application/x-zip-compressed": "application/zip",
        "application/x-gzip": "application/gzip", "application/x-pdf": "application/pdf",
        "text/rtf": "application/rtf", "application/x-rar-compressed": "application/vnd.rar",
        "application/x-msdownload": "application/vnd.microsoft.portable-executable",
        "application/xml": "text/xml", "application/xhtml+xml": "text/html",
        "application/javascript": "text/javascript", "application/x-shellscript": "text/x-script",
        "application/x-sh": "text/x-script", "text/x-python": "text/x-script",
    ]

    private static let textual: Set<String> = [
        "application/json", "application/javascript", "application/x-javascript", "application/xml",
        "application/yaml", "application/x-yaml", "application/toml", "application/sql", "application/x-ndjson",
        "application/x-subrip", "application/pgp-signature", "application/pgp-keys", "application/pgp-encrypted",
        "message/rfc822",
    ]

    private static let endings: [String: [ContentType]] = [
        "jpg": [.jpeg], "jpeg": [.jpeg], "jpe": [.jpeg], "png": [.png], "gif": [.gif], "webp": [.webP],
        "avif": [.avif], "heic": [.heif], "heif": [.heif], "bmp": [.bmp], "tif": [.tiff], "tiff": [.tiff],
        "ico": [.icon], "psd": [.photoshop], "mp3": [.mp3], "aac": [.aac], "flac": [.flac], "wav": [.wav],
        "aif": [.aiff], "aiff": [.aiff], "mid": [.midi], "amr": [.amr], "ogg": [.oggAudio, .oggVideo],
        "oga": [.oggAudio], "opus": [.oggAudio], "ogv": [.oggVideo], "m4a": [.mp4Audio, .mp4],
        "mp4": [.mp4, .mp4Audio], "m4v": [.mp4], "mov": [.quickTime, .mp4], "3gp": [.threeGPP, .mp4],
        "webm": [.webM], "weba": [.webM], "mkv": [.matroska, .webM], "mka": [.matroska], "avi": [.avi],
        "flv": [.flash], "mpg": [.mpeg], "mpeg": [.mpeg], "ts": [.mpegStream, .plainText], "pdf": [.pdf],
        "ps": [.postScript], "rtf": [.richText], "docx": [.wordDocument, .zip], "xlsx": [.spreadsheet, .zip],
        "pptx": [.presentation, .zip], "docm": [.wordDocument, .zip], "xlsm": [.spreadsheet, .zip],
        "pptm": [.presentation, .zip], "odt": [.openText], "ods": [.openSpreadsheet], "odp": [.openPresentation],
        "odg": [.openGraphics], "epub": [.epub], "doc": [.oldOffice, .richText], "xls": [.oldOffice],
        "ppt": [.oldOffice], "msg": [.oldOffice], "zip": [.zip, .androidPackage, .javaArchive], "gz": [.gzip],
        "tgz": [.gzip], "bz2": [.bzip2], "xz": [.xz], "zst": [.zstandard], "7z": [.sevenZip], "rar": [.rar],
        "tar": [.tar], "html": [.html, .plainText], "htm": [.html, .plainText], "svg": [.svg],
        "xml": [.xml, .svg, .html], "jar": [.javaArchive, .zip], "apk": [.androidPackage, .javaArchive],
        "exe": [.windowsProgram], "dll": [.windowsProgram], "wasm": [.webAssembly], "lnk": [.shortcut],
        "txt": [.plainText], "md": [.plainText], "csv": [.plainText], "json": [.plainText], "log": [.plainText],
        "js": [.plainText, .script], "css": [.plainText], "sh": [.script, .plainText],
        "py": [.script, .plainText],
    ]

    private static let known = Set(endings.values.joined().map(\.name))

    /// Endings on which a double click runs what the file says, though its bytes are plain text.
    private static let activeEndings: Set<String> = [
        "html", "htm", "xhtml", "xht", "shtml", "svg", "svgz", "xml", "xsl", "xslt", "mht", "mhtml", "js", "mjs",
        "vbs", "vbe", "wsf", "wsh", "hta", "bat", "cmd", "ps1", "sh", "py", "pl", "rb", "php", "reg", "scr", "com",
        "exe", "msi", "dll", "jar", "apk", "lnk", "url", "desktop", "scpt", "command", "app", "pif", "cpl",
    ]
}
