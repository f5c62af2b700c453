// backup: where backups lie, and how much they may take.

package import Base

extension Configuration {
    package struct Backup: Sendable {
        package var places: [String] = []
        package var s3 = S3()
        package var protection: String?
        package var bandwidth: Int?
        package var maxSize: Int?
        package var restoreFolder: String?

        package struct S3: Sendable {
            package var endpoint: String?
            package var region = "us-east-1"
            package var accessKey: String?
            package var secretKey: Secret?
        }
    }

    static let backupSection = Section(
        "backup", "Copies of all that the server keeps: docs/operate/backup.md.", backupPlaces + backupBounds)

    private static let backupPlaces: [Key] = [
        Key(
            "backup.places", \.backup.places, .list(of: .backupPlace),
            "Folders and buckets of the repository, each on a disk or with a provider of its own; always the same in the "
                + "same order. A folder becomes a place by `plexichat backup create --new`. Empty: no backups."),
        Key(
            "backup.s3.endpoint", \.backup.s3.endpoint, .optional(.baseURL),
            "Of the places that begin with `s3://`. Buckets are addressed as paths, and have to be there."),
        Key("backup.s3.region", \.backup.s3.region, .text(1...64), "What requests are signed for."),
        Key("backup.s3.access_key", \.backup.s3.accessKey, .optional(.text(1...128)), "Who signs."),
        Key("backup.s3.secret_key", \.backup.s3.secretKey, .optional(.secret), "What with."),
        Key(
            "backup.protection", \.backup.protection, .optional(.protection),
            "To how many places everything is copied, or of how many pieces (K and M more) any K are enough. Empty: a "
                + "copy in every place."),
    ]

    private static let backupBounds: [Key] = [
        Key(
            "backup.bandwidth", \.backup.bandwidth, .optional(.size((64 << 10)...(100 << 30))),
            "Bytes a second that a backup writes, all places together; empty: as fast as it goes."),
        Key(
            "backup.max_size", \.backup.maxSize, .optional(.size((1 << 20)...(500 << 40))),
            "What the items of one backup may come to. One that would be larger is refused, or stopped when it turns out "
                + "to be. Empty: no bound but the format's."),
        Key(
            "backup.restore_folder", \.backup.restoreFolder, .optional(.path),
            "Where a restore goes that names no folder, each to one of its own; `restored` in the data folder where it is "
                + "not set. It needs room for all that is restored."),
    ]
}

extension Codec where Value == String {
    /// A folder, or a bucket with what stands before every name in it.
    static let backupPlace = Codec.scalar("place", allowed: "FOLDER, s3://BUCKET, s3://BUCKET/PREFIX") {
        text throws(ValueFault) in
        guard !text.isEmpty, text.utf8.count <= 1_024, text.isOneLine else { throw ValueFault("is no place") }
        guard let scheme = text.firstRange(of: "://") else { return text }
        guard text[..<scheme.lowerBound] == "s3" else { throw ValueFault("is neither a folder nor s3://BUCKET/PREFIX") }
        let bucket = text[scheme.upperBound...].prefix { $0 != "/" }
        guard (3...63).contains(bucket.utf8.count) else { throw ValueFault("names no bucket: 3 to 63 letters") }
        return text
    } show: {
        $0
    }

    /// `COPIES` or `K+M`.
    static let protection = Codec.scalar("protection", allowed: "COPIES, K+M, such as 2 or 4+2") {
        text throws(ValueFault) in
        let numbers = text.split(separator: "+", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
        let isKnown = numbers.count <= 2 && numbers[0] >= 1 && numbers.allSatisfy { (0...32).contains($0) }
        guard isKnown, numbers.reduce(0, +) <= 32 else {
            throw ValueFault("is neither a number of copies nor K+M such as 4+2, of at most 32 pieces")
        }
        return text
    } show: {
        $0
    }
}
