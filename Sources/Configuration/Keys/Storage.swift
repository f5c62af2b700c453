// data, vault, store, blobs: what is kept, and where.

package import Base

extension Configuration {
    package struct DataFolder: Sendable {
        package var folder = "./data"
    }

    static let dataSection = Section(
        "data", "The folder that is the server's own.",
        [
            Key(
                "data.folder", \.data.folder, .path,
                "Holds the database, the blobs and the root key where they are not placed elsewhere. Made when absent.")
        ])

    package struct Vault: Sendable {
        package var rootKey = RootKeySource.file(nil)
    }

    static let vaultSection = Section(
        "vault", "The key that seals all other keys. Keep a copy of it apart from the data: without it they are lost.",
        [
            Key(
                "vault.root_key", \.vault.rootKey, .rootKey,
                "Where the root key comes from: a file (`root.key` in the data folder unless a path is given), an "
                    + "environment variable, or a systemd credential.")
        ])

    package struct Store: Sendable {
        package var url = StoreLocation.sqlite
        package var poolSize = 4
        package var queueLimit = 4_096
        package var statementTimeout = Duration.seconds(10)
    }

    static let storeSection = Section(
        "store", "The database.",
        [
            Key(
                "store.url", \.store.url, .storeLocation,
                "`sqlite` for a file in the data folder, or a PostgreSQL database as libpq names it: a URL, or keywords."
            ),
            Key(
                "store.pool_size", \.store.poolSize, .integer(1...256),
                "Connections: readers beside the one writer for SQLite; for PostgreSQL, transactions at one time on each shard."
            ),
            Key(
                "store.queue_limit", \.store.queueLimit, .integer(16...1_000_000),
                "Statements that may wait for a connection; further ones are answered 503."),
            Key(
                "store.statement_timeout", \.store.statementTimeout, .duration(.seconds(1) ... .minutes(10)),
                "A statement that takes longer is given up."),
        ])

    package struct Blobs: Sendable {
        package enum Kind: String, Sendable, CaseIterable { case folder, s3 }

        package struct S3: Sendable {
            package var endpoint: String?
            package var region = "us-east-1"
            package var bucket: String?
            package var prefix = ""
            package var accessKey: String?
            package var secretKey: Secret?
            package var pathStyle = true
            package var timeout = Duration.seconds(60)
        }

        package var kind = Kind.folder
        package var folder: String?
        package var maxSize = 100 << 20
        package var s3 = S3()
    }

    static let blobsSection = Section(
        "blobs", "Files that users upload.",
        [
            Key("blobs.kind", \.blobs.kind, .choice, "A folder on disk, or a bucket of an S3-compatible store."),
            Key(
                "blobs.folder", \.blobs.folder, .optional(.path),
                "The folder, for `blobs.kind: folder`. Unset: `blobs` in the data folder."),
            Key(
                "blobs.max_size", \.blobs.maxSize, .size((1 << 10)...(1 << 40)),
                "The largest file; more is answered 413."),
            Key(
                "blobs.s3.endpoint", \.blobs.s3.endpoint, .optional(.baseURL),
                "The store's URL, without the bucket."),
            Key("blobs.s3.region", \.blobs.s3.region, .text(1...64), "The region that requests are signed for."),
            Key("blobs.s3.bucket", \.blobs.s3.bucket, .optional(.text(3...63)), "The bucket's name."),
            Key("blobs.s3.prefix", \.blobs.s3.prefix, .text(0...512), "What the names of our objects begin with."),
            Key("blobs.s3.access_key", \.blobs.s3.accessKey, .optional(.text(1...256)), "The access key's id."),
            Key("blobs.s3.secret_key", \.blobs.s3.secretKey, .optional(.secret), "The access key's secret."),
            Key(
                "blobs.s3.path_style", \.blobs.s3.pathStyle, .flag,
                "Put the bucket into the path (most stores that are not AWS) or into the host name."),
            Key(
                "blobs.s3.timeout", \.blobs.s3.timeout, .duration(.seconds(1) ... .minutes(60)),
                "How long one request to the store may take."),
        ])
}
