// Who is there: leases that devices take and renew. What is not renewed is over by itself, so that a client that
// vanished is not online for ever.

package import Base
package import Store

package final class PresenceBook: Sendable {
    package init(database: any Database, clock: Clock = .system, options: PresenceOptions = PresenceOptions()) {
        fatalError("signatures only")
    }

    /// A device is there, or still is, and says how. Sockets renew while they are open, REST by each PUT.
    package func renew(_ user: UserID, device: DeviceID, _ status: Presence.Status, for time: Duration? = nil) {
        fatalError("signatures only")
    }

    /// A device says goodbye.
    package func release(_ user: UserID, device: DeviceID) { fatalError("signatures only") }

    package func presence(of user: UserID) async throws(StoreError) -> Presence { fatalError("signatures only") }
}

package struct PresenceOptions: Sendable {
    /// How long a device counts as there after it was last heard of.
    package var lease = Duration.minutes(2)

    package init() {}
}
