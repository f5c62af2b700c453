// What is said about the recording of a call, in values that all dialects share. docs/protocol/recording.md is normative.

package import Base

package enum RecordingIdentity: IdentifierKind { package static let prefix = "recording" }
package typealias RecordingID = Identifier<RecordingIdentity>

/// Stored by name.
package enum RecordingState: String, Sendable, CaseIterable {
    /// The recorder opens the journal. Nobody was told anything.
    case starting
    /// Nobody has agreed yet.
    case asking
    /// Media of one person at least is written.
    case recording
    /// Of nobody any more.
    case paused
    /// The recorder closes the journal.
    case stopping
    case finished
    case failed
    /// It was on when the server ended.
    case interrupted

    package var isOver: Bool {
        switch self {
        case .starting, .asking, .recording, .paused, .stopping: false
        case .finished, .failed, .interrupted: true
        }
    }

    /// People are asked, and come and go.
    var isOn: Bool { self == .asking || self == .recording || self == .paused }
}

/// Why a recording is over. Stored by name.
package enum RecordingEnd: String, Sendable, CaseIterable {
    case stopped
    case callEnded = "call_ended"
    case timeLimit = "time_limit"
    case nobodyAgreed = "nobody_agreed"
    case recorderFailed = "recorder_failed"
    case serverRestarted = "server_restarted"
}

/// Whose media is written. Stored by name.
package enum ConsentPolicy: String, Sendable, CaseIterable {
    /// Of who has said yes.
    case ask
    /// Of who was told.
    case announce
    /// Of everybody: the operator answers for it.
    case `operator`
}

/// Stored by name.
package enum RecordingConsent: String, Sendable, CaseIterable {
    case asked, agreed, told, assumed, refused, withdrawn, left

    /// Whether media of theirs is written.
    package var isWritten: Bool { self == .agreed || self == .told || self == .assumed }
}

/// How a consent came about. Stored by name.
package enum ConsentMeans: String, Sendable, CaseIterable {
    /// By beginning the recording.
    case began
    case socket, rest, announcement, policy
    /// By coming or going, which agrees to nothing.
    case presence
}

/// One step of somebody's consent, as the journal keeps it.
package struct ConsentChange: Sendable, Equatable {
    package let user: UserID
    package let consent: RecordingConsent
    package let means: ConsentMeans
    package let at: Timestamp
}

/// Somebody who is, or was, in a call that is recorded.
package struct RecordingPerson: Sendable, Equatable {
    package let user: UserID
    /// Is in the call.
    package internal(set) var isPresent: Bool
    package internal(set) var consent: RecordingConsent
    package internal(set) var means: ConsentMeans
    package internal(set) var changedAt: Timestamp
    /// The first time that media of theirs might be written.
    package internal(set) var agreedAt: Timestamp?
    /// The last time that they took it back: nothing from before that leaves the recording.
    package internal(set) var withdrawnAt: Timestamp?
}

/// Where a recording is kept in the end. Stored by name.
package enum RecordingStore: String, Sendable, CaseIterable {
    case backup
    case objectStorage = "object_storage"
}

/// A recording, on or over: the same value for sockets, rows and the table.
package struct CallRecording: Sendable, Equatable {
    package let id: RecordingID
    package let call: CallID
    /// Its owner.
    package let startedBy: UserID
    package let policy: ConsentPolicy
    package let store: RecordingStore
    /// The version of the vault's key `recording` that it is written for.
    package let keyVersion: UInt32
    /// What is polled while it is on; its own identifier where there are no tasks.
    package internal(set) var task: UUID
    package let startedAt: Timestamp
    package internal(set) var state = RecordingState.starting
    package internal(set) var end: RecordingEnd?
    package internal(set) var endedAt: Timestamp?
    /// Everybody who was in the call while it was on, in the order in which they were first seen.
    package internal(set) var people: [RecordingPerson] = []
    package internal(set) var bytes: Int64 = 0
    /// Its place below the recorder's folder; `nil` before it is open, and once it is deleted.
    package internal(set) var folder: String?
    package internal(set) var isHeld = false

    package init(
        id: RecordingID, call: CallID, startedBy: UserID, policy: ConsentPolicy, store: RecordingStore,
        keyVersion: UInt32, task: UUID? = nil, startedAt: Timestamp
    ) {
        self.id = id
        self.call = call
        self.startedBy = startedBy
        self.policy = policy
        self.store = store
        self.keyVersion = keyVersion
        self.task = task ?? id.uuid
        self.startedAt = startedAt
    }

    package func person(_ user: UserID) -> RecordingPerson? { people.first { $0.user == user } }

    /// Those who are in the call.
    package var present: [RecordingPerson] { people.filter(\.isPresent) }

    package var duration: Duration? { endedAt.map { $0 - startedAt } }
}

package enum RecordingLimits {
    /// Each is an entry of the journal and news to everybody; more is a broken client. A no is always taken.
    package static let agreements = 32
    /// Each costs a row, and is somebody who hears it.
    package static let shares = 250
    /// Rows of one page.
    package static let page = 100
}

/// What an operator may set about recordings.
package struct RecordingOptions: Sendable {
    /// Who may have calls recorded.
    package enum Allowed: String, Sendable, CaseIterable { case nobody, admins, hosts }

    package var allowed = Allowed.hosts
    package var consent = ConsentPolicy.ask
    /// One that somebody forgot ends then. Longer fills the disk with an empty room.
    package var maxDuration = Duration.hours(8)
    /// How long nobody has to be written for it to end. Shorter ends it before people have read the question.
    package var answerTime = Duration.minutes(5)

    package init() {}
}
