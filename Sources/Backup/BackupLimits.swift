// Every bound of the format: docs/formats/backup.md, "Bounds", with the reasons.

package enum BackupLimits {
    /// Bytes of a block.
    package static let block = 262_144
    /// Bytes of a pack's plaintext.
    static let pack = 8 << 20
    static let blocksPerPack = 4_096
    /// Bytes of any file that is read.
    static let object = 16 << 20
    static let packsPerIndex = 64
    package static let pieces = 32
    package static let places = 32
    static let filesPerPlace = 1 << 20
    package static let blocks = 1 << 22
    static let blocksPerEntry = 4_096
    static let blocksPerCatalogue = 65_536
    static let liveRecords = 4_096
    static let locks = 64
    /// Bytes of a copy of the keys: two keys with a thousand versions each, twice over.
    static let keyCopy = 512 << 10
    static let path = 1_024
    static let pathDepth = 32
    static let nameInPath = 255
    static let mark = 255
    static let note = 256
}
