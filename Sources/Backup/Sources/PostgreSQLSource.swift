// The server's PostgreSQL database, as `pg_dump` writes it: one snapshot, in the custom format, uncompressed, so that
// blocks of rows that did not change are found again.

package import Base
import Store

package actor PostgreSQLSource: BackupSource {
    private let connection: Secret
    private let path: ItemPath
    private let program: String
    private var child: ChildProcess?
    private var isGiven = false

    package init(_ connection: Secret, as path: ItemPath, program: String = "pg_dump") {
        self.connection = connection
        self.path = path
        self.program = program
    }

    package func expectedBytes() -> UInt64? { nil }

    package func next() throws(BackupError) -> SourceItem? {
        guard !isGiven else { return nil }
        isGiven = true
        let variables: [(name: String, value: Secret)]
        do throws(StoreError) {
            variables = try PostgreSQLEnvironment.variables(for: connection)
        } catch { throw .unavailable(error.words) }
        let child = try ChildProcess(
            program, ["--format=custom", "--compress=0", "--no-owner", "--no-privileges"], variables: variables)
        self.child = child
        return SourceItem(path: path, kind: .file, mode: 0o600, changed: .now(), mark: []) {
            () throws(BackupError) -> ItemBytes? in { () throws(BackupError) -> Bytes? in try child.read() }
        }
    }

    package func close() {
        child?.stop()
        child = nil
    }
}
