// Recordings: who may begin one, whose media is written, what of it is in the rows and in the audit log.

import Accounts
import Base
import Signaling

extension CallConformance {
    /// A group's call that is on, with a recording that its host has begun.
    private static func recorded(
        _ calls: TestCalls
    ) async throws -> (alice: Principal, bob: Principal, carol: Principal, call: CallID, recording: RecordingID) {
        let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
        let carol = try await calls.person("carol")
        let id = try await calls.call(alice, bob, carol)
        _ = try await calls.service.join(id, by: bob)
        let recording = try await begin(id, alice, calls)
        return (alice, bob, carol, id, recording.id)
    }

    private static func begin(
        _ call: CallID, _ principal: Principal, _ calls: TestCalls
    ) async throws -> CallRecording {
        try await calls.service.beginRecording(
            call, RecordingWish(keyVersion: try calls.service.recordingKeyVersion()), by: principal,
            origin: TestAccounts.origin())
    }

    private static func answer(
        _ call: CallID, _ agrees: Bool, _ principal: Principal, _ calls: TestCalls
    ) async throws {
        try await calls.service.answerRecording(
            call, agrees: agrees, .rest, by: principal, origin: TestAccounts.origin())
    }

    private static func end(_ call: CallID, _ principal: Principal, _ calls: TestCalls) async throws {
        _ = try await calls.service.endRecording(call, by: principal, origin: TestAccounts.origin())
    }

    private static func stored(
        _ id: RecordingID, _ principal: Principal, _ calls: TestCalls
    ) async throws -> CallRecording {
        try await calls.library.recording(id, by: principal, origin: TestAccounts.origin()).recording
    }

    private static func noted(_ calls: TestCalls) async throws -> [String] {
        let page = try await calls.domain.service.audit.page(AuditFilter(type: "recording", limit: 200))
        return page.items.map(\.action)
    }

    static let recordings: [Check] = recordingLives + recordingRights + recordingLibrary

    private static let recordingLives: [Check] = [
        Check("only who has agreed is written, and the row says who, when and how") { calls in
            let (alice, bob, carol, id, recording) = try await recorded(calls)
            try requireEqual(calls.recorder.written, [alice.user])
            try requireEqual(try await calls.service.call(id, for: bob).recording?.state, .recording)
            calls.clock.advance(by: .seconds(7))
            try await answer(id, true, bob, calls)
            try requireEqual(calls.recorder.written, [alice.user, bob.user])
            _ = try await calls.service.join(id, by: carol)
            try requireEqual(calls.recorder.written, [alice.user, bob.user])
            try await answer(id, false, carol, calls)
            try await answer(id, false, bob, calls)
            try requireEqual(calls.recorder.written, [alice.user])
            try await calls.service.end(id, by: alice)
            try requireEqual(calls.recorder.ends, [.callEnded])
            let row = try await stored(recording, alice, calls)
            try requireEqual(row.state, .finished)
            try requireEqual(row.end, .callEnded)
            try requireEqual(row.bytes, TestRecorder.bytes)
            try requireEqual(row.people.map(\.user), [alice.user, bob.user, carol.user])
            try requireEqual(row.people.map(\.consent), [.left, .withdrawn, .refused])
            try requireEqual(row.people.map(\.means), [.presence, .rest, .rest])
            try requireEqual(row.person(bob.user)?.agreedAt, row.startedAt + .seconds(7))
            try require(row.person(bob.user)?.withdrawnAt != nil, "a withdrawal is lost")
            try requireEqual(row.person(carol.user)?.agreedAt, nil)
            let notes = try await noted(calls)
            for note in ["started", "agreed", "refused", "withdrawn", "ended", "viewed"] {
                try require(notes.contains("recording.\(note)"), "no note of \(note)")
            }
        },
        Check("who comes back is asked anew, and who only lost the connection is not") { calls in
            let (_, bob, _, id, _) = try await recorded(calls)
            try await answer(id, true, bob, calls)
            _ = try await calls.service.attach(id, by: bob)
            await calls.service.detach(id, user: bob.user, device: DeviceID(bob))
            _ = try await calls.service.attach(id, by: bob)
            try require(calls.recorder.written.contains(bob.user), "a lost connection takes the consent")
            try await calls.service.leave(id, by: bob)
            try require(!calls.recorder.written.contains(bob.user), "who has left is written")
            _ = try await calls.service.join(id, by: bob)
            try require(!calls.recorder.written.contains(bob.user), "who comes back is written")
            try requireEqual(
                try await calls.service.call(id, for: bob).recording?.person(bob.user)?.consent, .asked)
        },
        Check("a recording that nobody agrees to ends by itself, and so does one that is too long") { calls in
            let (alice, bob, _, id, first) = try await recorded(calls)
            for person in [alice, bob] { _ = try await calls.service.attach(id, by: person) }
            try await answer(id, false, alice, calls)
            try requireEqual(try await calls.service.call(id, for: alice).recording?.state, .paused)
            await calls.advance(calls.service.options.recording.answerTime)
            try requireEqual(try await stored(first, alice, calls).end, .nobodyAgreed)
            let second = try await begin(id, alice, calls).id
            await calls.advance(calls.service.options.recording.maxDuration)
            try requireEqual(try await stored(second, alice, calls).end, .timeLimit)
            try requireEqual(try await calls.service.call(id, for: alice).recording, nil)
        },
        Check("a recorder that cannot begin is said so, and one that breaks leaves the call alone") { calls in
            let (alice, _, _, id, first) = try await recorded(calls)
            calls.recorder.breakDown(RecorderFailure("no space"))
            for _ in 0..<1_000 where try await stored(first, alice, calls).state != .failed {
                try await Task.sleep(for: .milliseconds(5))
            }
            try requireEqual(try await stored(first, alice, calls).state, .failed)
            let call = try await calls.service.call(id, for: alice)
            try require(call.state == .ongoing && call.recording == nil, "the call has noticed")
            calls.recorder.fail(with: RecorderFailure("no space"))
            try await requireCallRefusal(.recording(.unavailable("no space"))) { try await begin(id, alice, calls) }
            calls.recorder.fail(with: nil)
            _ = try await begin(id, alice, calls)
            try await end(id, alice, calls)
        },
        Check("a crash leaves a recording that is told to be interrupted") { calls in
            let (alice, _, _, _, recording) = try await recorded(calls)
            let after = try await calls.restarted()
            let row = try await stored(recording, alice, after)
            try requireEqual(row.state, .interrupted)
            try requireEqual(row.end, .serverRestarted)
            try require(row.endedAt != nil, "an interrupted recording has no end")
        },
        Check("a server that stops closes its recordings first") { calls in
            let (alice, _, _, _, recording) = try await recorded(calls)
            await calls.service.stop()
            try requireEqual(calls.recorder.ends, [.callEnded])
            try requireEqual(try await stored(recording, alice, calls).state, .finished)
        },
        Check("who withdraws after the end is left out for good") { calls in
            let (alice, bob, carol, id, recording) = try await recorded(calls)
            try await answer(id, true, bob, calls)
            try await end(id, alice, calls)
            try await answer(id, false, bob, calls)
            try requireEqual(try await stored(recording, alice, calls).person(bob.user)?.consent, .withdrawn)
            try await requireCallRefusal(.recording(.notOn)) { try await answer(id, false, bob, calls) }
            try await requireCallRefusal(.recording(.notOn)) { try await answer(id, false, carol, calls) }
            try await requireCallRefusal(.recording(.notOn)) { try await answer(id, true, bob, calls) }
        },
    ]

    private static let recordingRights: [Check] = [
        Check("the host and administrators begin a recording, one at a time, of a call that is on") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let admin = try await calls.domain.administrator()
            let mallory = try await calls.person("mallory")
            let id = try await calls.call(alice, bob)
            try await requireCallRefusal(.recording(.callNotOngoing(.initiating))) {
                try await begin(id, alice, calls)
            }
            _ = try await calls.service.join(id, by: bob)
            try await requireCallRefusal(.recording(.notAllowed)) { try await begin(id, bob, calls) }
            try await requireCallRefusal(.notFound) { try await begin(id, mallory, calls) }
            try await requireCallRefusal(.notFound) { try await answer(id, true, mallory, calls) }
            try await requireCallRefusal(.recording(.notOn)) { try await end(id, alice, calls) }
            try await requireCallRefusal(.recording(.notOn)) { try await answer(id, true, bob, calls) }
            let recording = try await begin(id, admin, calls)
            // Who is not in the call has agreed to nothing.
            try requireEqual(recording.state, .asking)
            try require(calls.recorder.written.isEmpty, "somebody is written who was not asked")
            try await requireCallRefusal(.recording(.alreadyOn(recording.id))) { try await begin(id, alice, calls) }
            try await requireCallRefusal(.recording(.notInCall)) { try await answer(id, true, admin, calls) }
            try await requireCallRefusal(.recording(.notAllowed)) { try await end(id, bob, calls) }
            try await end(id, alice, calls)
            try requireEqual(calls.recorder.ends, [.stopped])
        }
    ]

    private static let recordingLibrary: [Check] = [
        Check("a recording is seen by its owner, by administrators, and by whom it is shared with") { calls in
            let (alice, bob, carol, id, recording) = try await recorded(calls)
            let origin = TestAccounts.origin()
            try await end(id, alice, calls)
            let library = calls.library
            let admin = try await calls.domain.administrator()
            for stranger in [bob, carol] {
                try await requireRecordingRefusal(.notFound) { try await stored(recording, stranger, calls) }
                try await requireRecordingRefusal(.notFound) {
                    try await library.delete(recording, by: stranger, origin: origin)
                }
            }
            try requireEqual(
                try await library.page(call: nil, offset: 0, limit: 10, by: bob, origin: origin).total, 0)
            // Who was called and never came was not in the call.
            try await requireError(
                RecordingError.self,
                { _ = try await library.share(recording, with: carol.user, by: alice, origin: origin) },
                matches: { if case .validation = $0 { true } else { false } })
            _ = try await library.share(recording, with: bob.user, by: alice, origin: origin)
            _ = try await library.share(recording, with: carol.user, by: admin, origin: origin)
            let shared = try await library.page(call: id, offset: 0, limit: 10, by: bob, origin: origin)
            try requireEqual(shared.items.map(\.recording.id), [recording])
            try requireEqual(Set(shared.items[0].sharedWith), [bob.user, carol.user])
            try await requireRecordingRefusal(.notOwner) {
                try await library.delete(recording, by: bob, origin: origin)
            }
            try await requireRecordingRefusal(.notOwner) {
                try await library.unshare(recording, with: carol.user, by: bob, origin: origin)
            }
            try await library.unshare(recording, with: bob.user, by: alice, origin: origin)
            try await requireRecordingRefusal(.notFound) { try await stored(recording, bob, calls) }
            try requireEqual(
                try await library.page(call: nil, offset: 0, limit: 10, by: admin, origin: origin).total, 1)
            try require(try await noted(calls).contains("recording.refused_access"), "a refusal is not noted")
        },
        Check("what is held is not deleted, and what is deleted is gone and provable") { calls in
            let (alice, _, _, id, recording) = try await recorded(calls)
            let (library, origin) = (calls.library, TestAccounts.origin())
            let admin = try await calls.domain.administrator()
            try await requireRecordingRefusal(.alreadyOn(recording)) {
                try await library.delete(recording, by: alice, origin: origin)
            }
            try await end(id, alice, calls)
            try await requireRecordingRefusal(.notOwner) {
                try await library.setHeld(true, recording, by: alice, origin: origin)
            }
            try require(
                try await library.setHeld(true, recording, by: admin, origin: origin).recording.isHeld, "not held")
            try await requireRecordingRefusal(.legalHold) {
                try await library.delete(recording, by: admin, origin: origin)
            }
            _ = try await library.setHeld(false, recording, by: admin, origin: origin)
            calls.recorder.fail(with: RecorderFailure("read-only"))
            try await requireRecordingRefusal(.unavailable("The recording could not be deleted: read-only")) {
                try await library.delete(recording, by: alice, origin: origin)
            }
            _ = try await stored(recording, alice, calls)
            calls.recorder.fail(with: nil)
            try await library.delete(recording, by: alice, origin: origin)
            try requireEqual(calls.recorder.erased, ["recordings/\(recording)"])
            try await requireRecordingRefusal(.notFound) { try await stored(recording, alice, calls) }
            try await requireRecordingRefusal(.notFound) {
                try await library.delete(recording, by: alice, origin: origin)
            }
            let notes = try await noted(calls)
            for note in ["held", "released", "deleted"] {
                try require(notes.contains("recording.\(note)"), "no note of \(note)")
            }
        },
    ]
}

/// Passes when `body` throws exactly this error.
private func requireRecordingRefusal(
    _ expected: RecordingError, line: Int = #line, _ body: () async throws -> some Any
) async throws {
    try await requireError(RecordingError.self, line: line, { _ = try await body() }, matches: { $0 == expected })
}
