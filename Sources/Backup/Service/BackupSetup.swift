// What the service is given by whoever assembles the server: places, keys, sources, bounds. Asked for anew for each task, so
// that a disk that was mounted meanwhile and a key that was rotated count.

package struct BackupSetup: Sendable {
    /// In their order; empty where the operator has named none. A place that is away comes as `AwayPlace`.
    package var places: @Sendable () async throws(BackupError) -> [any Place]
    package var keys: @Sendable ([any Place]) async throws(BackupError) -> any BackupKeys
    /// In the order of their paths.
    package var sources: @Sendable (Set<BackupPart>) async throws(BackupError) -> [any BackupSource]
    /// `nil` where the keys cannot be rotated.
    package var rotation: (any BackupKeyRotation)?
    /// `nil`: a copy in every place.
    package var protection: Protection?
    package var bytesPerSecond: Int?
    /// Of all items of a backup.
    package var bytesMax: UInt64?
    /// Where restores go, each to a folder named by its backup.
    package var restoreFolder: String
    /// A folder of the server's own: lock files, and what was seen of repositories.
    package var folder: String
    /// This server's name among those that share its database.
    package var node: String
    /// Who holds the lock of a repository, for people.
    package var holder: String
    package var program: String

    package init(
        folder: String, restoreFolder: String, node: String, holder: String, program: String,
        places: @escaping @Sendable () async throws(BackupError) -> [any Place],
        keys: @escaping @Sendable ([any Place]) async throws(BackupError) -> any BackupKeys,
        sources: @escaping @Sendable (Set<BackupPart>) async throws(BackupError) -> [any BackupSource]
    ) {
        self.folder = folder
        self.restoreFolder = restoreFolder
        self.node = node
        self.holder = holder
        self.program = program
        self.places = places
        self.keys = keys
        self.sources = sources
    }
}
