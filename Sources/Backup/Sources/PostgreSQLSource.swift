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

    /// Begins: the program's snapshot is of this moment, or a few milliseconds later.
    package func expectedBytes() throws(BackupError) -> UInt64? {
        _ = try begun()
        return nil
    }

    package func next() throws(BackupError) -> SourceItem? {
        guard !isGiven else { return nil }
        let child = try begun()
        isGiven = true
        return SourceItem(path: path, kind: .file, mode: 0o600, changed: .now(), mark: []) {
            () throws(BackupError) -> ItemBytes? in { () throws(BackupError) -> Bytes? in try child.read() }
        }
    }

    private func begun() throws(BackupError) -> ChildProcess {
        if let child { return child }
        let variables: [(name: String, value: Secret)]
        do throws(StoreError) {
            variables = try PostgreSQLEnvironment.variables(for: connection)
        } catch { throw .unavailable(error.words) }
        let child = try ChildProcess(
            program, ["--format=custom", "--compress=0", "--no-owner", "--no-privileges"], variables: variables)
        self.child = child
        return child
    }

    package func close() {
        child?.stop()
        child = nil
    }
}
