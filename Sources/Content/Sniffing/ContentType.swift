// What a file can be, as far as it matters to who keeps and serves it.

package struct ContentType: Hashable, Sendable, CustomStringConvertible {
    /// What a browser or a program would do with it, most harmless first.
    package enum Kind: String, Sendable, CaseIterable {
        case text, image, audio, video, document, archive, binary
        /// Runs, or may run, what its author wrote: HTML, SVG, scripts, programs. Never shown inline.
        case active
    }

    /// The media type, lower case and without parameters: `image/jpeg`.
    package let name: String
    package let kind: Kind

    package init(_ name: String, _ kind: Kind) {
        self.name = name
        self.kind = kind
    }

    package var description: String { name }

    /// Whether a browser may show it in place of offering it for download. Documents are downloads: a viewer of PDF is
    /// a program of its own.
    package var mayShowInline: Bool {
        switch kind {
        case .text: self == .plainText
        case .image: Self.inlineImages.contains(self)
        case .audio, .video: true
        case .document, .archive, .binary, .active: false
        }
    }

    /// Whether `ImageWorkers` can read it.
    package var isReadableImage: Bool { ImageFormat(self) != nil }

    private static let inlineImages: Set<ContentType> = [.jpeg, .png, .gif, .webP, .avif, .bmp]

    package static let jpeg = ContentType("image/jpeg", .image)
    package static let png = ContentType("image/png", .image)
    package static let gif = ContentType("image/gif", .image)
    package static let webP = ContentType("image/webp", .image)
    package static let avif = ContentType("image/avif", .image)
    package static let heif = ContentType("image/heif", .image)
    package static let bmp = ContentType("image/bmp", .image)
    package static let tiff = ContentType("image/tiff", .image)
    package static let icon = ContentType("image/vnd.microsoft.icon", .image)
    package static let photoshop = ContentType("image/vnd.adobe.photoshop", .image)

    package static let mp3 = ContentType("audio/mpeg", .audio)
    package static let aac = ContentType("audio/aac", .audio)
    package static let flac = ContentType("audio/flac", .audio)
    package static let wav = ContentType("audio/wav", .audio)
    package static let aiff = ContentType("audio/aiff", .audio)
    package static let midi = ContentType("audio/midi", .audio)
    package static let amr = ContentType("audio/amr", .audio)
    package static let oggAudio = ContentType("audio/ogg", .audio)
    package static let mp4Audio = ContentType("audio/mp4", .audio)

    package static let mp4 = ContentType("video/mp4", .video)
    package static let quickTime = ContentType("video/quicktime", .video)
    package static let threeGPP = ContentType("video/3gpp", .video)
    package static let webM = ContentType("video/webm", .video)
    package static let matroska = ContentType("video/x-matroska", .video)
    package static let oggVideo = ContentType("video/ogg", .video)
    package static let avi = ContentType("video/x-msvideo", .video)
    package static let flash = ContentType("video/x-flv", .video)
    package static let mpeg = ContentType("video/mpeg", .video)
    package static let mpegStream = ContentType("video/mp2t", .video)

    package static let pdf = ContentType("application/pdf", .document)
    package static let postScript = ContentType("application/postscript", .active)
    package static let richText = ContentType("application/rtf", .document)
    package static let wordDocument = ContentType(
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document", .document)
    package static let spreadsheet = ContentType(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", .document)
    package static let presentation = ContentType(
        "application/vnd.openxmlformats-officedocument.presentationml.presentation", .document)
    package static let openText = ContentType("application/vnd.oasis.opendocument.text", .document)
    package static let openSpreadsheet = ContentType("application/vnd.oasis.opendocument.spreadsheet", .document)
    package static let openPresentation = ContentType("application/vnd.oasis.opendocument.presentation", .document)
    package static let openGraphics = ContentType("application/vnd.oasis.opendocument.graphics", .document)
    package static let epub = ContentType("application/epub+zip", .document)
    /// Word, Excel and PowerPoint before 2007: one container for all, which may hold macros.
    package static let oldOffice = ContentType("application/x-ole-storage", .document)

    package static let zip = ContentType("application/zip", .archive)
    package static let gzip = ContentType("application/gzip", .archive)
    package static let bzip2 = ContentType("application/x-bzip2", .archive)
    package static let xz = ContentType("application/x-xz", .archive)
    package static let zstandard = ContentType("application/zstd", .archive)
    package static let sevenZip = ContentType("application/x-7z-compressed", .archive)
    package static let rar = ContentType("application/vnd.rar", .archive)
    package static let tar = ContentType("application/x-tar", .archive)

    package static let html = ContentType("text/html", .active)
    package static let svg = ContentType("image/svg+xml", .active)
    package static let xml = ContentType("text/xml", .active)
    package static let javaScript = ContentType("text/javascript", .active)
    package static let script = ContentType("text/x-script", .active)
    package static let javaArchive = ContentType("application/java-archive", .active)
    package static let androidPackage = ContentType("application/vnd.android.package-archive", .active)
    package static let windowsProgram = ContentType("application/vnd.microsoft.portable-executable", .active)
    package static let elf = ContentType("application/x-elf", .active)
    package static let machO = ContentType("application/x-mach-binary", .active)
    package static let webAssembly = ContentType("application/wasm", .active)
    package static let shortcut = ContentType("application/x-ms-shortcut", .active)

    package static let plainText = ContentType("text/plain", .text)
    package static let unknown = ContentType("application/octet-stream", .binary)
    package static let empty = ContentType("application/x-empty", .binary)
}
