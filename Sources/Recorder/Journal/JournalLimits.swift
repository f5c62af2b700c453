// The bounds of docs/formats/journal.md, with what a higher and a lower value would do.

package enum JournalLimits {
    /// How long after its first entry a segment is closed. Higher loses more to a kill; lower costs more `fsync`.
    package static let segmentAge = Duration.seconds(1)
    /// What a kill may take: a segment's age, and as much again for sealing and writing it. Not a setting: what is
    /// promised, and what the tests hold the recorder to.
    package static let lossMost = Duration.seconds(2)
    /// Entries of a segment. Higher takes more memory for each recording; lower makes more files of a busy call.
    package static let segment = 4 << 20
    /// More than that for what is seldom: consents must find room when packets find none.
    package static let reserve = 1 << 20
    /// A segment's file: its entries with head, tags and age's header for several recipients.
    package static let file = 6 << 20
    /// Closed and not durable yet. Higher lets a disk be slow for longer; four senders of 2 Mbit/s fill 1 MiB a second.
    package static let waiting = 16 << 20
    /// Three days at one a second. Higher makes manifests longer.
    package static let segments = 262_144
    package static let tracks = 4_096
    package static let participants = 1_024
    package static let consents = 4_096
    /// Above what a packet that is forwarded can have.
    package static let payload = 2_048
    /// Of a dependency descriptor: its length is one byte.
    package static let dependency = 255
    package static let codecs = 16
    package static let codecName = 32
    package static let codecParameters = 2_048
    package static let name = 255
    package static let version = 64
    package static let descriptor = 1_024
    /// Between two attempts to write what could not be written.
    package static let retry = Duration.seconds(1)
    /// How long the end of a recording is tried to be written. Higher keeps who stops it waiting; lower makes more of
    /// them interrupted ones.
    package static let finishing = Duration.seconds(30)
    /// A manifest's file: the hashes of the most segments, and the most consents.
    package static let manifest = 12 << 20
}
