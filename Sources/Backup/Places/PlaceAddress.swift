// What an operator calls a place, and the place that it names: a folder, or a bucket in S3.

package import Base
import Store
package import Wire

package enum PlaceAddress: Sendable, Hashable {
    case folder(String)
    /// `prefix` stands before every name, and ends with a slash unless it is empty.
    case bucket(String, prefix: String)

    private static let scheme = "s3://"

    /// `PATH`, `s3://BUCKET` or `s3://BUCKET/PREFIX`.
    package init(parsing text: String) throws(BackupError) {
        guard text.hasPrefix(Self.scheme) else {
            guard !text.isEmpty, text.firstRange(of: "://") == nil else {
                throw .refused("\(text) names no place: that is a folder, or s3://BUCKET/PREFIX")
            }
            self = .folder(text)
            return
        }
        let parts = text.dropFirst(Self.scheme.count).split(
            separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let bucket = parts.first, Self.isBucket(bucket) else {
            throw .refused("\(text) names no bucket: 3 to 63 of a-z, 0-9, dot and dash")
        }
        var prefix = parts.count == 2 ? String(parts[1]) : ""
        if !prefix.isEmpty, !prefix.hasSuffix("/") { prefix += "/" }
        guard prefix.utf8.count <= 512, !prefix.hasPrefix("/") else {
            throw .refused(
                "\(text): what stands before the names in a bucket has at most 512 bytes and begins with no slash")
        }
        self = .bucket(String(bucket), prefix: prefix)
    }

    private static func isBucket(_ name: Substring) -> Bool {
        (3...63).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2E
            }
    }
}

/// How buckets are reached, and who asks.
package struct BucketAccess: Sendable {
    package let endpoint: String
    package let region: String
    package let accessKey: String
    package let secretKey: Secret
    package let transport: any HTTPTransport

    package init(
        endpoint: String, region: String, accessKey: String, secretKey: Secret, transport: any HTTPTransport
    ) {
        self.endpoint = endpoint
        self.region = region
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.transport = transport
    }
}

package enum BackupPlaces {
    /// The places, in the order of their addresses. A folder that is no place becomes one where `making` says so; else it
    /// is taken for a disk that is away, and `problems` says so: others may be enough.
    package static func make(
        _ addresses: [PlaceAddress], buckets: BucketAccess?, making: Bool
    ) throws(BackupError) -> (places: [any Place], problems: [BackupError]) {
        guard !addresses.isEmpty else {
            throw .refused("no place of backups is named: set backup.places, or name one with --place")
        }
        var places: [any Place] = []
        var problems: [BackupError] = []
        for address in addresses {
            do throws(BackupError) {
                places.append(try make(address, buckets, making))
            } catch {
                guard case .folder(let path) = address, !making else { throw error }
                problems.append(error)
                places.append(AwayPlace(path, because: error))
            }
        }
        return (places, problems)
    }

    private static func make(
        _ address: PlaceAddress, _ buckets: BucketAccess?, _ making: Bool
    ) throws(BackupError) -> any Place {
        switch address {
        case .folder(let path): return try FolderPlace(path, making: making)
        case .bucket(let bucket, let prefix):
            guard let buckets else {
                throw .refused(
                    "s3://\(bucket) cannot be reached: set backup.s3.endpoint, backup.s3.access_key and "
                        + "backup.s3.secret_key (or backup.s3.secret_key_file)")
            }
            var options = S3BlobStore.Options(
                endpoint: buckets.endpoint, bucket: bucket, region: buckets.region, accessKey: buckets.accessKey,
                secretKey: buckets.secretKey, spoolFolder: "")
            options.prefix = prefix
            return S3Place(options, transport: buckets.transport)
        }
    }
}

extension Protection {
    /// `COPIES` or `K+M`; `nil` for what is neither.
    package init?(parsing text: String) {
        let numbers = text.split(separator: "+", omittingEmptySubsequences: false).map { Int($0) }
        switch (numbers.first ?? nil, numbers.count) {
        case (let copies?, 1) where (1...BackupLimits.pieces).contains(copies): self.init(data: 1, parity: copies - 1)
        case (let data?, 2):
            guard let parity = numbers[1] else { return nil }
            self.init(data: data, parity: parity)
        default: return nil
        }
    }
}
