import Base
import Glibc
import TestKit
import Testing

@testable import Backup

/// A program in `pg_dump`'s place: what it is told, and what becomes of what it says.
@Suite struct PostgreSQLSourceTests {
    private static func program(_ script: String, in folder: TemporaryFolder) throws -> String {
        let path = folder.path + "/pg_dump"
        try Files.write(Bytes("#!/bin/sh\n\(script)\n".utf8), to: path)
        #expect(chmod(path, 0o700) == 0)
        return path
    }

    private static func back(up script: String) async throws -> (stage: BackupStage, result: BackupResult) {
        let folder = try TemporaryFolder()
        let stage = try BackupStage()
        let repository = try await stage.create()
        let source = PostgreSQLSource(
            Secret(text: "postgresql://chat:s3cret@db.example:6543/talk"), as: ItemPath("data/plexichat.pgdump")!,
            program: try program(script, in: folder))
        let result = try await BackupWriter.write(
            [source], to: repository, BackupOptions(holder: LockHolder(name: "t", purpose: "t")), clock: stage.clock,
            meter: BackupMeter(repository))
        return (stage, result)
    }

    @Test func `it is told where to go by its environment, and the password is no argument`() async throws {
        let (stage, result) = try await Self.back(
            up: "echo \"$PGHOST $PGPORT $PGUSER $PGDATABASE $PGPASSWORD\"; echo \"$@\"")
        let tree = try await stage.restored(result.backup.manifest.id)
        let lines = String(decoding: tree.files["data/plexichat.pgdump"] ?? [], as: UTF8.self).split(separator: "\n")
        #expect(lines.first == "db.example 6543 chat talk s3cret")
        #expect(lines.last == "--format=custom --compress=0 --no-owner --no-privileges")
    }

    @Test func `megabytes come through whole`() async throws {
        let (stage, result) = try await Self.back(up: "head -c 3000001 /dev/zero")
        let tree = try await stage.restored(result.backup.manifest.id)
        #expect(tree.files["data/plexichat.pgdump"] == Bytes(repeating: 0, count: 3_000_001))
    }

    @Test func `when it fails there is no backup, and its words are told`() async throws {
        let error = try await failure {
            _ = try await Self.back(up: "head -c 300000 /dev/zero; echo 'no such database' >&2; exit 1")
        }
        #expect("\(error, default: "")".contains("no such database"))
        let missing = try await failure {
            let stage = try BackupStage()
            let repository = try await stage.create()
            let source = PostgreSQLSource(
                Secret(text: "dbname=x"), as: ItemPath("data/x")!, program: "/nonexistent/pg_dump")
            _ = try await BackupWriter.write(
                [source], to: repository, BackupOptions(holder: LockHolder(name: "t", purpose: "t")),
                clock: stage.clock, meter: BackupMeter(repository))
        }
        #expect("\(missing, default: "")".contains("is it installed"))
    }

    @Test func `a connection string that nobody understands is not quoted`() async throws {
        let source = PostgreSQLSource(Secret(text: "postgresql://a:s3cret@[/"), as: ItemPath("data/x")!)
        let error = try await failure { _ = try await source.next() }
        #expect(error != nil && !"\(error, default: "")".contains("s3cret"))
    }
}
