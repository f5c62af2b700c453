// Files over the database, with their blobs in a folder or in S3, and what looks into them.

import API
import Accounts
import Base
import Chat
import Configuration
import Content
import Net
import Store

struct FileParts: Sendable {
    let access: FileAccess
    let ledger: BlobLedger
    /// `nil` where images are not looked at.
    let images: ImageWorkers?
    let scanner: ClamdScanner?

    func stop() { images?.stop() }
}

enum FileAssembly {
    private static let log = Logger("files")

    static func start(
        _ configuration: Configuration, _ storage: Storage, _ accounts: AccountService, _ chat: ChatService
    ) async throws(StartFailure) -> FileParts {
        let blobs = try blobs(configuration, on: storage.shards.first)
        let ledger = BlobLedger(blobs: blobs, database: storage.database)
        let images = try imageWorkers(configuration)
        let scanner = scanner(configuration, on: storage.shards.first)
        let service = FileService(
            database: storage.database, ledger: ledger, chat: chat,
            inspector: ContentInspector(images: images, scanner: scanner), options: configuration.fileOptions)
        do {
            try await service.start()
        } catch {
            images?.stop()
            throw StartFailure("files", error, remedy: "Run `plexichat doctor` with the same options.")
        }
        await warn(images, scanner)
        return FileParts(
            access: FileAccess(
                service: service, publicURL: configuration.publicURL,
                roomsLimit: Int64(configuration.files.roomsMaxSize),
                avatars: AvatarService(
                    database: storage.database, ledger: ledger, accounts: accounts,
                    images: WorkerAvatars(images: images, scanner: scanner),
                    publicURL: configuration.publicURL)),
            ledger: ledger, images: images, scanner: scanner)
    }

    /// What is away today may be there tomorrow: the server starts without it.
    private static func warn(_ images: ImageWorkers?, _ scanner: (any VirusScanner)?) async {
        if let problem = await images?.problem() {
            log.warning("images are not looked at", [.text("reason", problem)])
        }
        if let problem = await scanner?.problem() {
            log.warning("the virus scanner is away", [.text("reason", problem)])
        }
    }

    // MARK: Parts

    static func blobs(
        _ configuration: Configuration, on loop: any EventLoop
    ) throws(StartFailure) -> any BlobStore {
        let folder = configuration.files.folder ?? configuration.data.folder + "/blobs"
        do {
            guard configuration.files.store == .s3 else { return try FolderBlobStore(folder) }
            return try S3BlobStore(
                try s3(configuration, spoolingIn: folder),
                transport: CurlClient(loop: loop, options: configuration.outgoingOptions))
        } catch let error as StartFailure {
            throw error
        } catch {
            throw StartFailure(
                "files in \(folder)", error,
                remedy: "Check that the folder is writable and its disk has room, or choose another: `files.folder`.")
        }
    }

    static func s3(
        _ configuration: Configuration, spoolingIn folder: String
    ) throws(StartFailure) -> S3BlobStore.Options {
        let s3 = configuration.files.s3
        guard let endpoint = s3.endpoint, let bucket = s3.bucket, let accessKey = s3.accessKey,
            let secretKey = s3.secretKey
        else {
            throw StartFailure(
                "files", "S3 is not described", remedy: "Set files.s3.endpoint, bucket, access_key and secret_key.")
        }
        var options = S3BlobStore.Options(
            endpoint: endpoint, bucket: bucket, region: s3.region, accessKey: accessKey, secretKey: secretKey,
            spoolFolder: folder)
        options.prefix = s3.prefix
        return options
    }

    private static func imageWorkers(_ configuration: Configuration) throws(StartFailure) -> ImageWorkers? {
        guard configuration.files.thumbnails else { return nil }
        do {
            return try ImageWorkers()
        } catch {
            throw StartFailure("image workers", error, remedy: "Raise the process's limit of threads.")
        }
    }

    static func scanner(_ configuration: Configuration, on loop: any EventLoop) -> ClamdScanner? {
        configuration.files.scanner.flatMap(ClamdAddress.init).map { ClamdScanner($0, on: loop) }
    }
}

extension Configuration {
    var fileOptions: FileOptions {
        var options = FileOptions()
        options.maxSize = Int64(files.maxSize)
        options.quota = BlobQuota(
            user: files.userQuota.map { Int64($0) }, organization: files.organizationQuota.map { Int64($0) })
        options.allowedTypes = files.allowedTypes
        options.uploadLifetime = files.uploadLifetime
        options.cleansImages = files.cleanImages
        options.whenScannerIsAway = files.scanUnavailable == .hold ? .hold : .refuse
        return options
    }
}
