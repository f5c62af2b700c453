// What an operator may set about files.

package import Accounts
import Base

package struct FileOptions: Sendable {
    /// Bytes of one file.
    package var maxSize: Int64 = 100 << 20
    package var quota = BlobQuota(user: 5 << 30, organization: 100 << 30)
    /// Media types, or `image/*`; empty: all.
    package var allowedTypes: [String] = []
    /// Pictures are kept without what they tell beside their pixels.
    package var cleansImages = true
    /// Pictures that are cleaned at one time: each is in memory, whole, until its clean copy is stored.
    package var cleaningsMax = 4
    /// Those that wait for it; one more is `unavailable`. A picture of a telephone takes some 20 ms.
    package var cleaningsWaiting = 256
    /// What becomes of an upload while the scanner that is configured is away.
    package var whenScannerIsAway = ScannerAway.refuse
    /// A resumable upload may be gone on with for so long after its last byte.
    package var uploadLifetime = Duration.hours(24)
    package var uploadsPerUser = 100
    /// Each is a blob of its own until the last byte is there.
    package var partsPerUpload = 1_000
    package var sharesPerFile = 100
    package var longestShare = Duration.days(365)
    package var shareDownloads = 1...1_000_000

    package enum ScannerAway: String, Sendable, CaseIterable { case refuse, hold }

    package init() {}

    static let descriptionLimit = 1_000

    func allows(_ type: String) -> Bool {
        allowedTypes.isEmpty
            || allowedTypes.contains { pattern in
                pattern == type || pattern.hasSuffix("/*") && type.hasPrefix(pattern.dropLast())
            }
    }
}
