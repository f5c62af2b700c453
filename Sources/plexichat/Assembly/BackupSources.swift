// What a backup of this server is made of, for the server itself and for the command line: one place, so that neither leaves
// out what the other takes.

import Backup
import Base
import Configuration
import Glibc
import Net
import Store

enum BackupSources {
    /// In the order of their paths. `loop` carries what comes from buckets.
    static func make(
        _ configuration: Configuration, configurationFile: String?,
        parts: Set<BackupPart> = Set(BackupPart.allCases), on loop: any EventLoop
    ) throws(BackupError) -> [any BackupSource] {
        var sources: [any BackupSource] = []
        if parts.contains(.configuration), let configurationFile {
            sources.append(FilesSource([(configurationFile, path("configuration/plexichat.yaml"))]))
        }
        if parts.contains(.attachments), let blobs = try blobs(configuration, on: loop) { sources.append(blobs) }
        if parts.contains(.database) { sources.append(database(configuration)) }
        return sources
    }

    /// A folder's files say whether they have changed, without being asked for one by one.
    private static func blobs(
        _ configuration: Configuration, on loop: any EventLoop
    ) throws(BackupError) -> (any BackupSource)? {
        if configuration.files.store == .s3 {
            // A spool of its own: that of a server that runs is not to be swept.
            let spool = configuration.data.folder + "/backup/spool"
            do {
                let store = try S3BlobStore(
                    try FileAssembly.s3(configuration, spoolingIn: spool),
                    transport: CurlClient(loop: loop, options: configuration.outgoingOptions))
                return BlobsSource(store, as: path("data/blobs"))
            } catch { throw .unavailable("files in S3: \(error)") }
        }
        let folder = configuration.files.folder ?? configuration.data.folder + "/blobs"
        guard access(folder, F_OK) == 0 else { return nil }
        return FolderSource(folder, as: path("data/blobs"), leavingOut: [folder + "/incoming"])
    }

    private static func database(_ configuration: Configuration) -> any BackupSource {
        let data = configuration.data.folder
        switch configuration.store.url {
        case .sqlite:
            return SQLiteSource(data + "/plexichat.db", as: path("data/plexichat.db"), scratch: data + "/backup")
        case .postgresql(let url): return PostgreSQLSource(url, as: path("data/plexichat.pgdump"))
        }
    }

    private static func path(_ literal: StaticString) -> ItemPath {
        guard let path = ItemPath("\(literal)") else { preconditionFailure("\(literal) is the path of an item") }
        return path
    }

    /// Who holds a repository's lock, for people.
    static var holderName: String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(host), process \(getpid())"
    }
}
