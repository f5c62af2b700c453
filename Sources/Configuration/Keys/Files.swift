// files: what people send each other beside words.

package import Base

extension Configuration {
    package struct Files: Sendable {
        package enum Store: String, Sendable, CaseIterable { case folder, s3 }
        package enum ScannerAway: String, Sendable, CaseIterable { case refuse, hold }

        package var store = Store.folder
        package var folder: String?
        package var s3 = S3()
        package var maxSize = 100 << 20
        package var roomsMaxSize = 10 << 20
        package var userQuota: Int? = 5 << 30
        package var organizationQuota: Int? = 100 << 30
        package var allowedTypes: [String] = []
        package var uploadLifetime = Duration.hours(24)
        package var thumbnails = true
        package var cleanImages = true
        package var scanner: String?
        package var scanUnavailable = ScannerAway.refuse

        package struct S3: Sendable {
            package var endpoint: String?
            package var bucket: String?
            package var region = "us-east-1"
            package var accessKey: String?
            package var secretKey: Secret?
            package var prefix = ""
        }
    }

    static let filesSection = Section(
        "files", "Files that people upload, and where they are kept.", places + bounds + looks)

    /// A hundred times what S3 takes for one object.
    private static let sizes = 1...(500 << 40)

    private static let places: [Key] = [
        Key(
            "files.store", \.files.store, .choice,
            "`folder`: on this machine's disk. `s3`: in a bucket of S3, or of what speaks like it."),
        Key(
            "files.folder", \.files.folder, .optional(.path),
            "Where files lie, or, with `s3`, where uploads wait until they are whole; `blobs` in the data folder "
                + "where it is not set. Made when absent."),
        Key(
            "files.s3.endpoint", \.files.s3.endpoint, .optional(.baseURL),
            "Without the bucket, which is addressed as a path."),
        Key("files.s3.bucket", \.files.s3.bucket, .optional(.text(3...63)), "It has to be there."),
        Key("files.s3.region", \.files.s3.region, .text(1...64), "What requests are signed for."),
        Key("files.s3.access_key", \.files.s3.accessKey, .optional(.text(1...128)), "Who signs."),
        Key("files.s3.secret_key", \.files.s3.secretKey, .optional(.secret), "What with."),
        Key(
            "files.s3.prefix", \.files.s3.prefix, .text(0...256),
            "Put before every name in the bucket, such as `plexichat/`."),
    ]

    private static let bounds: [Key] = [
        Key(
            "files.max_size", \.files.maxSize, .size(1...(5 << 40)), "Of one file; a larger one is answered 413."),
        Key(
            "files.rooms_max_size", \.files.roomsMaxSize, .size(1...(5 << 40)),
            "The same for `POST /upload/file`, whose document has a number of its own."),
        Key(
            "files.user_quota", \.files.userQuota, .optional(.size(sizes)),
            "What all files of one user may come to; empty: as much as they like."),
        Key(
            "files.organization_quota", \.files.organizationQuota, .optional(.size(sizes)),
            "The same for all files in conversations of one organisation, whoever uploads them."),
        Key(
            "files.allowed_types", \.files.allowedTypes, .list(of: .text(3...128)),
            "Media types that are taken, `image/*` for all of a kind; empty: every type. What a file is, is told by "
                + "its content."),
        Key(
            "files.upload_lifetime", \.files.uploadLifetime, .duration(.minutes(5) ... .days(30)),
            "How long a resumable upload may be gone on with after its last byte."),
    ]

    private static let looks: [Key] = [
        Key(
            "files.thumbnails", \.files.thumbnails, .flag,
            "Read images and PDF, in processes of their own that may do nothing else: small pictures, sizes, pages."),
        Key(
            "files.clean_images", \.files.cleanImages, .flag,
            "Keep pictures (JPEG, PNG, GIF, WebP) without what they tell beside their pixels, such as the place where "
                + "they were taken, and upright. One that cannot be cleaned is refused. Needs `files.thumbnails`; what "
                + "is sealed by its sender is never touched."),
        Key(
            "files.scanner", \.files.scanner, .optional(.clamd),
            "Where ClamAV's clamd listens; every file that is not sealed by its sender is scanned there."),
        Key(
            "files.scan_unavailable", \.files.scanUnavailable, .choice,
            "While it is away: `refuse` uploads, or `hold` them, so that only their uploader reads them until the scan "
                + "is made up for."),
    ]
}
