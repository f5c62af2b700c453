// Recordings as they are kept: who sees them, shares them, deletes them. Everything is noted in the audit log, also what
// was refused. Live ones are `CallService`'s; their rows are read here like all others.

package import Accounts
package import Base
package import Store
import Wire

package struct SharedRecording: Sendable, Equatable {
    package let recording: CallRecording
    package let sharedWith: [UserID]
}

package struct RecordingLibrary: Sendable {
    private let repository: RecordingRepository
    private let calls: CallRepository
    private let accounts: AccountService
    private let recorder: (any CallRecorder)?
    private let clock: Clock

    package init(
        node: String, database: any Database, accounts: AccountService, recorder: (any CallRecorder)? = nil,
        clock: Clock = .system
    ) {
        repository = RecordingRepository(database: database, node: node)
        calls = CallRepository(database: database, node: node)
        self.accounts = accounts
        self.recorder = recorder
        self.clock = clock
    }

    // MARK: Reading

    /// Those that the caller sees, the newest first.
    package func page(
        call: CallID?, offset: Int, limit: Int, by principal: Principal, origin: RequestOrigin
    ) async throws(RecordingError) -> Page<SharedRecording> {
        let reader: RecordingReader = Self.seesAll(principal) ? .everything : .user(principal.user)
        let page = try await repository.page(
            for: reader, call: call, offset: max(0, offset), limit: min(max(1, limit), RecordingLimits.page))
        let shares = try await repository.shares(of: page.items.map(\.id))
        try await note(
            .listed, nil, by: principal, origin, [("count", .integer(Int64(page.items.count)))])
        return Page(
            items: page.items.map { SharedRecording(recording: $0, sharedWith: shares[$0.id] ?? []) },
            total: page.total)
    }

    package func recording(
        _ id: RecordingID, by principal: Principal, origin: RequestOrigin
    ) async throws(RecordingError) -> SharedRecording {
        let found = try await visible(id, principal, origin)
        try await note(.viewed, found.recording, by: principal, origin)
        return found
    }

    /// Those of whom nothing may be made of it, as its row says: also who took their consent back after its end, which no
    /// journal holds. Nobody of one that has no row here. For programs on the server's machine: nothing is asked of a caller.
    package func withdrawn(from id: RecordingID) async throws(RecordingError) -> Set<UUID> {
        let people = try await repository.recording(id)?.people ?? []
        return Set(people.filter { $0.consent == .withdrawn }.map(\.user.uuid))
    }

    // MARK: Changing

    /// An administrator's: keeps it from being deleted by anybody.
    package func setHeld(
        _ isHeld: Bool, _ id: RecordingID, by principal: Principal, origin: RequestOrigin
    ) async throws(RecordingError) -> SharedRecording {
        let found = try await visible(id, principal, origin)
        guard Self.seesAll(principal) else { throw .notOwner }
        let note: RecordingNote = isHeld ? .held : .released
        try await repository.setHeld(
            isHeld, id, note.event(found.recording, at: clock.now(), by: principal.user, origin))
        accounts.audit.sealSoon()
        return try await visible(id, principal, origin)
    }

    /// What it holds is gone before the row says so: after a failure in between it is deleted again.
    package func delete(
        _ id: RecordingID, by principal: Principal, origin: RequestOrigin
    ) async throws(RecordingError) {
        let recording = try await owned(id, principal, origin).recording
        guard recording.state.isOver else { throw .alreadyOn(id) }
        guard !recording.isHeld else { throw .legalHold }
        if let folder = recording.folder {
            guard let recorder else {
                throw .unavailable("This server has no recorder, which would have to delete the recording")
            }
            do {
                try await recorder.erase(id, in: folder)
            } catch {
                throw .unavailable("The recording could not be deleted: \(error.description)")
            }
        }
        let now = clock.now()
        let note = RecordingNote.deleted.event(
            recording, at: now, by: principal.user, origin, [("bytes", .integer(recording.bytes))])
        try await repository.markDeleted(id, at: now, by: principal.user, note)
        accounts.audit.sealSoon()
    }

    package func share(
        _ id: RecordingID, with user: UserID, by principal: Principal, origin: RequestOrigin
    ) async throws(RecordingError) -> SharedRecording {
        let recording = try await owned(id, principal, origin).recording
        try await requireListener(user, recording, principal)
        let now = clock.now()
        let note = RecordingNote.shared.event(
            recording, at: now, by: principal.user, origin, [("user_id", .string(user.description))])
        try await repository.share(id, with: user, by: principal.user, at: now, note)
        accounts.audit.sealSoon()
        return try await visible(id, principal, origin)
    }

    package func unshare(
        _ id: RecordingID, with user: UserID, by principal: Principal, origin: RequestOrigin
    ) async throws(RecordingError) {
        let recording = try await owned(id, principal, origin).recording
        let note = RecordingNote.unshared.event(
            recording, at: clock.now(), by: principal.user, origin, [("user_id", .string(user.description))])
        try await repository.unshare(id, with: user, note)
        accounts.audit.sealSoon()
    }

    // MARK: Who may

    private static func seesAll(_ principal: Principal) -> Bool {
        principal.isAdmin || principal.has(.callsAdmin)
    }

    private func visible(
        _ id: RecordingID, _ principal: Principal, _ origin: RequestOrigin
    ) async throws(RecordingError) -> SharedRecording {
        guard let recording = try await repository.recording(id) else { throw .notFound }
        let shares = try await repository.shares(of: [id])[id] ?? []
        let isSeen =
            Self.seesAll(principal) || recording.startedBy == principal.user || shares.contains(principal.user)
        guard isSeen else {
            try await note(.refusedAccess, recording, by: principal, origin)
            throw .notFound
        }
        return SharedRecording(recording: recording, sharedWith: shares)
    }

    private func owned(
        _ id: RecordingID, _ principal: Principal, _ origin: RequestOrigin
    ) async throws(RecordingError) -> SharedRecording {
        let found = try await visible(id, principal, origin)
        guard Self.seesAll(principal) || found.recording.startedBy == principal.user else { throw .notOwner }
        return found
    }

    /// Who began it gives it to people of the call; an administrator to anybody who is there.
    private func requireListener(
        _ user: UserID, _ recording: CallRecording, _ principal: Principal
    ) async throws(RecordingError) {
        do throws(AccountError) {
            guard try await accounts.user(user).isActive else { throw .notFound }
        } catch {
            if case .store(let failure) = error { throw RecordingError(failure) }
            throw .validation(field: "user_id", reason: "is nobody who is here")
        }
        if Self.seesAll(principal) { return }
        let call: CallInfo?
        do throws(CallError) {
            call = try await calls.call(recording.call)
        } catch {
            if case .store(let failure) = error { throw RecordingError(failure) }
            throw .notFound
        }
        guard call?.participant(user)?.joinedAt != nil else {
            throw .validation(field: "user_id", reason: "was not in the call; an administrator may share it further")
        }
    }

    private func note(
        _ note: RecordingNote, _ recording: CallRecording?, by principal: Principal, _ origin: RequestOrigin,
        _ details: [(String, JSONValue)] = []
    ) async throws(RecordingError) {
        let now = clock.now()
        let event =
            recording.map { note.event($0, at: now, by: principal.user, origin, details) }
            ?? note.event(target: nil, at: now, by: principal.user, origin, details)
        do {
            try await accounts.audit.append(event)
        } catch {
            if case .store(let failure) = error { throw RecordingError(failure) }
            throw .unavailable("the audit log took no note")
        }
    }
}
