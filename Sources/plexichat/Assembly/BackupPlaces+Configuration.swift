// The places of backups, as they are configured: for the command line and for the server.

import Backup
import Base
import Configuration
import Net

extension BackupPlaces {
    /// Those that the configuration names, or `named` where that is not empty. `loop` carries what goes to buckets.
    static func make(
        _ configuration: Configuration, named: [String] = [], on loop: any EventLoop, making: Bool
    ) throws(BackupError) -> (places: [any Place], problems: [BackupError]) {
        var addresses: [PlaceAddress] = []
        for text in named.isEmpty ? configuration.backup.places : named {
            addresses.append(try PlaceAddress(parsing: text))
        }
        let s3 = configuration.backup.s3
        var buckets: BucketAccess?
        if let endpoint = s3.endpoint, let accessKey = s3.accessKey, let secretKey = s3.secretKey {
            buckets = BucketAccess(
                endpoint: endpoint, region: s3.region, accessKey: accessKey, secretKey: secretKey,
                transport: CurlClient(loop: loop, options: configuration.outgoingOptions))
        }
        return try make(addresses, buckets: buckets, making: making)
    }
}

extension Configuration {
    /// `nil`: a copy in every place.
    var backupProtection: Protection? { backup.protection.flatMap { Protection(parsing: $0) } }
    var backupRestoreFolder: String { backup.restoreFolder ?? data.folder + "/restored" }
}
