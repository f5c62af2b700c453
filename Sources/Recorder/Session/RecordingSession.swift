// A call that is being recorded: from its tap to its journal, and whose media goes there.
//
// What the tap hears is read by the thread of `TapThread` and put into a `JournalWriter`, which never waits for a disk.
// Consents come from elsewhere, one after the other, and each has happened when its method returns: the journal says it
// first, then the tap is told. A withdrawal works the other way round in time: the journal takes nothing more from the
// moment that it stands there, whatever is still on its way.

package import Base
package import Media
import Synchronization

package struct RecordingOrder: Sendable {
    package var recording: UUID
    package var call: UUID
    package var policy: JournalBeginning.Policy
    /// Of the program.
    package var version: String
    /// What nothing in media tells: where a track comes from, and whether it is encrypted end to end.
    package var describe: @Sendable (TapTrack) -> (JournalTrack.Source, JournalTrack.Protection)

    package init(
        recording: UUID, call: UUID, policy: JournalBeginning.Policy, version: String,
        describe: @escaping @Sendable (TapTrack) -> (JournalTrack.Source, JournalTrack.Protection) = Self.byKind
    ) {
        self.recording = recording
        self.call = call
        self.policy = policy
        self.version = version
        self.describe = describe
    }

    package static let byKind: @Sendable (TapTrack) -> (JournalTrack.Source, JournalTrack.Protection) = {
        ($0.kind == .video ? .camera : .microphone, .none)
    }
}

/// How a recording has ended.
package struct RecordingResult: Sendable {
    package let manifest: JournalManifest
    /// Of all files but the manifest.
    package let fileBytes: UInt64
    /// Items of the tap that might not be written: of who had withdrawn while they were on their way.
    package let refused: UInt64
}

package final class RecordingSession: Sendable {
    package let recording: UUID
    package let call: UUID
    private let media: any RecordedMedia
    private let writer: JournalWriter
    private let reading: TapReading
    private let thread: TapThread
    private let people: RecordedPeople

    /// Opens the journal and listens to nobody yet. `observer` hears how the journal does, on a thread of the recorder:
    /// after `.failed` and after `.ended` nothing more is written, whether or not somebody asked for an end.
    package static func begin(
        _ order: RecordingOrder, in files: any JournalFiles, keys: JournalWritingKeys, media: any RecordedMedia,
        thread: TapThread = .shared, writers: JournalThreads = .shared,
        observer: @escaping @Sendable (JournalState) -> Void
    ) async throws(JournalError) -> RecordingSession {
        let tap: CallTap
        do throws(MediaError) {
            tap = try await media.startTap(ofCall: order.call, capacity: TapPipe.capacity) { thread.wake() }
        } catch { throw JournalError(error) }
        do throws(JournalError) {
            let (now, civil) = (Instant.now(), Timestamp.now())
            let beginning = JournalBeginning(
                call: order.call, started: civil, instant: now, policy: order.policy, version: order.version)
            let call = order.call
            let heard: @Sendable (JournalState) -> Void = { state in
                observer(state)
                switch state {
                case .failed, .ended: Task { await media.stopTap(ofCall: call) }
                case .writing, .behind: break
                }
            }
            let writer = try JournalWriter(
                order.recording, beginning, in: files, keys: keys, threads: writers, observer: heard)
            return RecordingSession(order, tap, writer, media, thread)
        } catch {
            await media.stopTap(ofCall: order.call)
            throw error
        }
    }

    private init(
        _ order: RecordingOrder, _ tap: CallTap, _ writer: JournalWriter, _ media: any RecordedMedia,
        _ thread: TapThread
    ) {
        recording = order.recording
        call = order.call
        (self.media, self.writer, self.thread) = (media, writer, thread)
        people = RecordedPeople()
        reading = TapReading(tap.pipes, people, writer, describe: order.describe)
        thread.add(reading)
    }

    /// Somebody's decision. `name` is what they are called in the recording. When it returns, their media is written, or
    /// nothing of it is any more. False when it could not be written into the journal: then nothing of theirs is.
    @discardableResult
    package func setConsent(_ consent: JournalConsent, name: String) async -> Bool {
        let user = consent.participant
        guard consent.decision == .agreed else {
            let isWritten = put(consent, name: name)
            await silence(user)
            return isWritten
        }
        guard put(consent, name: name) else {
            await silence(user)
            return false
        }
        people.admit(user)
        do throws(MediaError) {
            try await media.setTapped(user, true, inCall: call)
            return true
        } catch {
            // The tap has ended: with the recording, or with the server.
            return false
        }
    }

    /// Somebody is not in the call any more. Who comes back has to agree again.
    package func leave(_ user: UUID) async {
        // They agreed to what they sent until now: it is read before the journal says that they have left.
        await release(user)
        _ = people.dismiss(user)
        writer.put(.participantLeft(user), at: .now())
    }

    /// Writes the end; what could not be written is as after a crash.
    package func stop(_ reason: JournalEnd) async throws(JournalError) -> RecordingResult {
        await media.stopTap(ofCall: call)
        // Pipes have ended, and what they held is read before the end is written.
        await thread.pass()
        thread.remove(reading)
        let manifest = try await writer.finish(reason, at: .now())
        return RecordingResult(
            manifest: manifest, fileBytes: manifest.segments.reduce(0) { $0 + UInt64($1.length) },
            refused: people.refused)
    }

    private func put(_ consent: JournalConsent, name: String) -> Bool {
        let now = Instant.now()
        if people.name(consent.participant) {
            let participant = JournalParticipant(id: consent.participant, name: name.prefix(utf8: JournalLimits.name))
            guard writer.put(.participant(participant), at: now) == .taken else { return false }
        }
        return writer.put(.consent(consent), at: now) == .taken
    }

    /// The journal takes nothing of theirs any more.
    private func silence(_ user: UUID) async {
        guard people.dismiss(user) else { return }
        await release(user)
    }

    /// Returns when nothing of theirs is on its way any more.
    private func release(_ user: UUID) async {
        // Fails when the tap has ended, and then nobody is heard.
        try? await media.setTapped(user, false, inCall: call)
        await thread.pass()
    }
}

/// Who agrees, for those who ask on two threads.
final class RecordedPeople: Sendable {
    private struct State {
        var named: Set<UUID> = []
        var admitted: Set<UUID> = []
        var refused: UInt64 = 0
    }

    private let state = Mutex(State())

    /// True the first time.
    func name(_ user: UUID) -> Bool { state.withLock { $0.named.insert(user).inserted } }
    func admit(_ user: UUID) { state.withLock { _ = $0.admitted.insert(user) } }
    /// True when they were admitted.
    func dismiss(_ user: UUID) -> Bool { state.withLock { $0.admitted.remove(user) != nil } }
    func isAdmitted(_ user: UUID) -> Bool { state.withLock { $0.admitted.contains(user) } }
    func countRefusals(_ count: UInt64) { state.withLock { $0.refused &+= count } }
    var refused: UInt64 { state.withLock { $0.refused } }
}

extension String {
    /// As many whole characters as fit into so many bytes.
    func prefix(utf8 most: Int) -> String {
        guard utf8.count > most else { return self }
        var (text, count) = ("", 0)
        for character in self {
            count += character.utf8.count
            if count > most { break }
            text.append(character)
        }
        return text
    }
}
