// A place that is known and cannot be used now: a disk that is not mounted. It counts among the places, so that pieces stay
// where they belong.

package import Base

package struct AwayPlace: Place {
    package let name: String
    private let reason: BackupError

    package init(_ name: String, because reason: BackupError) {
        self.name = name
        self.reason = reason
    }

    package func put(_ name: String, _ bytes: Bytes) async throws(BackupError) { throw reason }
    package func get(_ name: String) async throws(BackupError) -> Bytes? { throw reason }
    package func delete(_ name: String) async throws(BackupError) { throw reason }
    package func list(_ folder: String?) async throws(BackupError) -> [PlaceFile] { throw reason }
    package func flush() async throws(BackupError) { throw reason }
}
