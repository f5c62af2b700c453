// The way in for a recorder: a tap on a call, and whose media it hears. docs/media/recording.md has the rules.

package import Base
import Synchronization

/// A tap on one call, for its reader. One thread at a time may read a pipe.
///
///     begin()                      on every pipe, after it was woken
///     next() … next() -> nil       until there is nothing; `.ended` when there never will be
package final class CallTap: Sendable {
    package let call: UUID
    /// One from each shard, in the order of their numbers. Those of shards that the call is not on stay empty, and end
    /// with the others.
    package let pipes: [TapPipe]

    init(call: UUID, shards: Int, capacity: Int, wake: @escaping @Sendable () -> Void) {
        self.call = call
        pipes = (0..<shards).map { _ in TapPipe(capacity: capacity, wake: wake) }
    }
}

/// The taps of a service.
struct TapTable {
    /// The service has not stopped.
    var isOpen = true
    var taps: [UUID: CallTap] = [:]
}

extension MediaService {
    /// Begins to tap a call. Nobody is heard yet: see `setTapped`. `wake` is called on the threads of shards, when a pipe
    /// has something for a reader that has read all: it must be quick and may not wait, and is not called again for
    /// this pipe before its `begin`.
    ///
    /// `.conflict` when the call has a tap, `.unavailable` when the server is stopping.
    package func startTap(
        ofCall call: UUID, capacity: Int = TapPipe.capacity, wake: @escaping @Sendable () -> Void
    ) async throws(MediaError) -> CallTap {
        let tap = CallTap(call: call, shards: shards.count, capacity: capacity, wake: wake)
        let room = Self.room(ofCall: call)
        let result = taps.withLock { table -> Result<Void, MediaError> in
            guard table.isOpen else { return .failure(.unavailable(Self.stopping)) }
            guard table.taps[call] == nil else { return .failure(.conflict("the call is being recorded already")) }
            table.taps[call] = tap
            // In the lock, so that shards hear of it in the order in which it was decided.
            for (shard, pipe) in zip(shards, tap.pipes) {
                shard.post { engine, now in engine.startTap(ofRoom: room, into: pipe, now: now) }
            }
            return .success(())
        }
        try result.get()
        await waitForShards()
        return tap
    }

    /// From its return on everything that this user sends in the call is heard, or nothing is. Of a user who is not there
    /// (yet) it is remembered, until the tap ends.
    ///
    /// `.conflict` when the call has no tap: then nothing is heard either.
    package func setTapped(_ owner: UUID, _ isTapped: Bool, inCall call: UUID) async throws(MediaError) {
        let room = Self.room(ofCall: call)
        let isThere = taps.withLock { table in
            guard table.taps[call] != nil else { return false }
            for shard in shards {
                shard.post { engine, now in engine.setTapped(owner, isTapped, inRoom: room, now: now) }
            }
            return true
        }
        guard isThere else { throw .conflict("the call is not being recorded") }
        await waitForShards()
    }

    /// From its return on nothing is heard any more. Pipes say `.ended` to who has read the rest. Without effect when the
    /// call has no tap.
    package func stopTap(ofCall call: UUID) async {
        let room = Self.room(ofCall: call)
        let isThere = taps.withLock { table in
            guard table.taps.removeValue(forKey: call) != nil else { return false }
            for shard in shards { shard.post { engine, now in engine.stopTap(ofRoom: room, now: now) } }
            return true
        }
        if isThere { await waitForShards() }
    }

    /// What was posted to the shards before has been done.
    private func waitForShards() async {
        for shard in shards { await shard.perform { _, _ in } }
    }

    /// Nobody starts one any more. The shards end those that are there when they stop.
    func closeTaps() {
        taps.withLock { table in
            table.isOpen = false
            table.taps.removeAll()
        }
    }
}
