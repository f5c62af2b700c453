// Recordings of calls by the recorder's journals: media from this server's shards, keys from its vault, a folder for each
// recording below `recordings` in the data folder.

import Accounts
import Base
import Configuration
import Glibc
import Media
import Recorder
import Signaling
import Store
import Synchronization
import Vault

final class JournalRecorder: CallRecorder {
    private static let log = Logger("recorder")

    private struct Open {
        let session: RecordingSession
        let order: RecorderOrder
    }

    private struct State {
        var open: [RecordingID: Open] = [:]
        var failed: (@Sendable (CallID, RecordingID, RecorderFailure) -> Void)?
    }

    /// For what waits for the disk: who asks is on a shard's thread, which carries media. Started by the first recording.
    private static let disk: FileThreads = {
        do throws(StoreError) {
            return try FileThreads(count: 1, name: "recordings")
        } catch {
            fatalError("no thread for recordings: \(error.words)")
        }
    }()

    private let folder: String
    private let media: MediaService
    private let accounts: AccountService
    private let state = Mutex(State())

    init(folder: String, media: MediaService, accounts: AccountService) {
        self.folder = folder
        self.media = media
        self.accounts = accounts
    }

    func setListener(_ failed: @escaping @Sendable (CallID, RecordingID, RecorderFailure) -> Void) {
        state.withLock { $0.failed = failed }
    }

    func start(_ order: RecorderOrder) async throws(RecorderFailure) -> String {
        let name = "\(order.recording.uuid)"
        do {
            guard try accounts.keys.activeVersion(of: KeyNames.recording) == order.keyVersion else {
                throw RecorderFailure("the key of recordings was rotated meanwhile; begin again")
            }
            let keys = try JournalWritingKeys(accounts.keys)
            let files = try await withTaskExecutorPreference(Self.disk) { [folder] in
                try await Self.makeFolder(folder, name)
            }
            let session: RecordingSession
            do throws(JournalError) {
                session = try await begin(order, in: files, keys)
            } catch {
                // It was made for nothing, and is empty.
                rmdir(files.path)
                throw RecorderFailure("\(error)")
            }
            state.withLock { $0.open[order.recording] = Open(session: session, order: order) }
        } catch let failure as RecorderFailure {
            throw failure
        } catch { throw RecorderFailure("\(error)") }
        return name
    }

    private func begin(
        _ order: RecorderOrder, in files: JournalFolder, _ keys: JournalWritingKeys
    ) async throws(JournalError) -> RecordingSession {
        try await RecordingSession.begin(
            RecordingOrder(
                recording: order.recording.uuid, call: order.call.uuid, policy: .init(order.policy),
                version: "plexichat \(ProductVersion.text)"),
            in: files, keys: keys, media: media
        ) { [weak self] in self?.hear($0, order) }
    }

    @concurrent private static func makeFolder(_ folder: String, _ name: String) async throws -> JournalFolder {
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw RecorderFailure("\(SystemError("make \(folder)"))")
        }
        return try JournalFolder.create("\(folder)/\(name)")
    }

    /// On a thread of the recorder's.
    private func hear(_ journal: JournalState, _ order: RecorderOrder) {
        switch journal {
        case .writing, .ended: break
        case .behind(let error):
            Self.log.warning("a recording waits for its disk", [.text("recording", order.recording), .error(error)])
        case .failed(let error):
            let failed = state.withLock { $0.failed }
            failed?(order.call, order.recording, RecorderFailure("\(error)"))
        }
    }

    func setConsent(_ change: ConsentChange, in recording: RecordingID) async {
        guard let open = state.withLock({ $0.open[recording] }) else { return }
        let user = change.user.uuid
        let decision: JournalConsent.Decision
        switch change.consent {
        case .agreed, .told, .assumed: decision = .agreed
        case .refused: decision = .refused
        case .withdrawn: decision = .withdrawn
        // Who has not answered has decided nothing.
        case .asked: return
        case .left: return await open.session.leave(user)
        }
        let by = change.means == .policy ? open.order.startedBy.uuid : user
        await open.session.setConsent(
            JournalConsent(participant: user, decision, by: by, means: .init(change.means), at: change.at),
            name: await name(of: change.user))
    }

    private func name(of user: UserID) async -> String {
        // Without the database they are who they are by their identifier; the journal does not wait for a name.
        (try? await accounts.user(user))?.displayName.exposed ?? ""
    }

    func stop(_ recording: RecordingID, because end: RecordingEnd) async -> Int64 {
        guard let open = state.withLock({ $0.open.removeValue(forKey: recording) }) else { return 0 }
        do {
            return Int64(clamping: try await open.session.stop(.init(end)).fileBytes)
        } catch {
            Self.log.error("a recording was not written to its end", [.text("recording", recording), .error(error)])
            return 0
        }
    }

    func erase(_ recording: RecordingID, in name: String) async throws(RecorderFailure) {
        // Of ours, and nothing else: the name comes from the database.
        guard name == "\(recording.uuid)" else { throw RecorderFailure("\(name) is no recording's folder") }
        do {
            try await withTaskExecutorPreference(Self.disk) { [folder] in
                try await Self.removeFolder("\(folder)/\(name)")
            }
        } catch { throw RecorderFailure("\(error)") }
    }

    @concurrent private static func removeFolder(_ path: String) async throws { try JournalFolder.erase(path) }
}

extension JournalBeginning.Policy {
    fileprivate init(_ policy: ConsentPolicy) {
        self =
            switch policy {
            case .ask: .ask
            case .announce: .announce
            case .operator: .operatorsRules
            }
    }
}

extension JournalConsent.Means {
    fileprivate init(_ means: ConsentMeans) {
        self =
            switch means {
            case .socket: .socket
            case .rest, .presence: .request
            case .began: .began
            case .announcement: .stayed
            case .policy: .operatorsRules
            }
    }
}

extension JournalEnd {
    fileprivate init(_ end: RecordingEnd) {
        self =
            switch end {
            case .stopped, .serverRestarted: .stopped
            case .callEnded: .callEnded
            case .timeLimit: .bound
            case .nobodyAgreed: .nobodyAgrees
            case .recorderFailed: .unwritable
            }
    }
}
