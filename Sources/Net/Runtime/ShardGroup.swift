// The shards of a process.

package import Base
import CShims

package final class ShardGroup: Sendable {
    package let shards: [Shard]

    /// Starts `count` shards; one per core when it is not given.
    package init(count: Int = ShardGroup.availableCores) throws(SystemError) {
        precondition(count > 0, "a group has at least one shard")
        var started: [Shard] = []
        for index in 0..<count {
            do {
                started.append(try Shard(index: index))
            } catch {
                for shard in started { shard.stop() }
                throw error
            }
        }
        shards = started
    }

    package var first: Shard { shards[0] }

    /// Ends all threads, in order. Not to be called on one of the shards.
    package func stop() {
        for shard in shards { shard.stop() }
    }

    /// The cores that this process may use (`taskset` and cpusets are respected).
    package static var availableCores: Int { max(1, Int(plexi_available_cores())) }
}
