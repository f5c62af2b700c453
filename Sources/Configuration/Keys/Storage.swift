// data, vault, store: what is kept, and where.

import Base

extension Configuration {
    package struct DataFolder: Sendable {
        package var folder = "./data"
    }

    static let dataSection = Section(
        "data", "The folder that is the server's own.",
        [
            Key(
                "data.folder", \.data.folder, .path,
                "Holds the database and the root key where they are not placed elsewhere. Made when absent.")
        ])

    package struct Vault: Sendable {
        package var rootKey = RootKeySource.file(nil)
        package var keyRotation = Duration.days(365)
        package var destructionWait = Duration.days(30)
    }

    static let vaultSection = Section(
        "vault", "The key that seals all other keys. Keep a copy of it apart from the data: without it they are lost.",
        [
            Key(
                "vault.root_key", \.vault.rootKey, .rootKey,
                "Where the root key comes from: a file (`root.key` in the data folder unless a path is given), an "
                    + "environment variable, a systemd credential, or a passphrase in one of these."),
            Key(
                "vault.key_rotation", \.vault.keyRotation, .duration(.days(1) ... .days(3_650)),
                "A named key that has no schedule of its own is replaced at this age; those that sign tokens at "
                    + "accounts.tokens.signing_key_rotation."),
            Key(
                "vault.destruction_wait", \.vault.destructionWait, .duration(.hours(1) ... .days(365)),
                "From the order to destroy a version of a key to its end; until then the order can be taken back."),
        ])

    package struct Store: Sendable {
        package var url = StoreLocation.sqlite
        package var poolSize = 4
        package var queueLimit = 4_096
        package var statementTimeout = Duration.seconds(10)
    }

    static let storeSection = Section(
        "store", "The database.",
        [
            Key(
                "store.url", \.store.url, .storeLocation,
                "`sqlite` for a file in the data folder, or a PostgreSQL database as libpq names it: a URL, or keywords."
            ),
            Key(
                "store.pool_size", \.store.poolSize, .integer(1...256),
                "Connections: readers beside the one writer for SQLite; for PostgreSQL, transactions at one time on each shard."
            ),
            Key(
                "store.queue_limit", \.store.queueLimit, .integer(16...1_000_000),
                "Statements that may wait for a connection; further ones are answered 503."),
            Key(
                "store.statement_timeout", \.store.statementTimeout, .duration(.seconds(1) ... .minutes(10)),
                "A statement that takes longer is given up."),
        ])
}
