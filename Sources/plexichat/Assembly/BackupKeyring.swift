// The keys of backups for a command that runs beside the server or instead of it: from the database where there is one, and
// else from the copy that lies with the backups. docs/formats/backup.md, "Keys".

import Accounts
import Backup
import Base
import Configuration
import Glibc
import Net
import Store
import Vault

struct BackupKeyring {
    let configuration: Configuration
    let shards: ShardGroup
    let places: [any Place]

    enum Failure: Error {
        /// There is no database, or none with keys of backups in it.
        case absent
        case failed(String)
        /// It was sealed with another root key, or its keys were changed.
        case mismatched(String)
    }

    /// `complain` is told when the database is there and cannot be asked: to restore is then all the more needed. For a new
    /// repository, its keys must be those of the data.
    func keys(forNew isNew: Bool, complain: (String) -> Void) async throws(BackupError) -> any BackupKeys {
        do throws(Failure) {
            return try await own()
        } catch {
            switch error {
            case .absent: break
            case .mismatched(let words) where isNew: throw .refused(words)
            case .failed(let words), .mismatched(let words):
                complain("! the keys in the database cannot be had (\(words)); those in the places are used")
            }
        }
        return try await VaultBackupKeys.recover(configuration.rootKeySource, places: places)
    }

    private func own() async throws(Failure) -> any BackupKeys {
        if case .sqlite = configuration.store.url, access(configuration.data.folder + "/plexichat.db", F_OK) != 0 {
            throw .absent
        }
        let database: any Database
        do throws(StartFailure) {
            database = try await Storage.openDatabase(configuration, on: shards)
        } catch { throw .failed("\(error)") }
        do throws(Failure) {
            let keys = try await self.keys(in: database)
            await database.close()
            return keys
        } catch {
            await database.close()
            throw error
        }
    }

    private func keys(in database: any Database) async throws(Failure) -> any BackupKeys {
        let repository = SQLKeyRepository(database: database)
        do {
            guard let record = try await repository.load()?.root else { throw Failure.absent }
            let vault = try PlexiVault.open(configuration.rootKeySource, record: record)
            let keys = VaultKeys(vault: vault, repository: repository, definitions: [])
            try await keys.reload()
            guard try BackupKeyNames.all.allSatisfy(keys.book().keys.keys.contains) else { throw Failure.absent }
            return try await VaultBackupKeys.make(keys, places: places)
        } catch let error as Failure {
            throw error
        } catch let error as VaultError {
            throw .mismatched("\(error)")
        } catch let error as KeyError {
            // Of a database that no server of this version has started with, too: it has no such tables.
            if case .repository(let words, _) = error { throw .failed(words) }
            throw .mismatched("\(error)")
        } catch { throw .failed("\(error)") }
    }
}
