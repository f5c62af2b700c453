// Time passing, and what the process around it decides: secrets, policy, sessions that end, the end of the relay.

package import Base
package import Wire

extension RelayEngine {
    /// Call `tick` then, at the latest; `nil` while nothing can expire. A second's precision.
    package var nextDeadline: Instant? { tables.wheel.earliest }

    package func tick(now: Instant) {
        while outbox.hasRoom, let index = tables.wheel.next(dueAt: now) {
            tables.allocations[index].look = Instant(nanoseconds: .max)
            if tables.allocations[index].expiry <= now {
                counters.expired &+= 1
                end(index)
            } else {
                prune(index, now)
                reschedule(index, now)
            }
        }
    }

    /// Takes out what has expired of an allocation that goes on. Links that wait in vain are closed.
    func prune(_ index: UInt32, _ now: Instant) {
        var channel = tables.allocations[index].firstChannel
        while channel != nowhere {
            let next = tables.channels[channel].next
            if tables.channels[channel].expiry <= now { tables.removeChannel(channel) }
            channel = next
        }
        var permission = tables.allocations[index].firstPermission
        while permission != nowhere {
            let next = tables.permissions[permission].next
            if tables.permissions[permission].expiry <= now, tables.permissions[permission].channelCount == 0 {
                tables.removePermission(permission)
            }
            permission = next
        }
        var link = tables.allocations[index].firstLink
        while link != nowhere {
            let next = tables.links[link].next
            if tables.links[link].deadline <= now { giveUp(link) }
            link = next
        }
    }

    private func giveUp(_ link: UInt32) {
        outbox.append(.closePeer(tables.connection(link)))
        if tables.links[link].phase == .connecting {
            failConnect(link)
        } else {
            tables.removeLink(link)
        }
    }

    /// The earliest of all that the allocation holds.
    func reschedule(_ index: UInt32, _ now: Instant) {
        var earliest = tables.allocations[index].expiry
        var channel = tables.allocations[index].firstChannel
        while channel != nowhere {
            earliest = min(earliest, tables.channels[channel].expiry)
            channel = tables.channels[channel].next
        }
        var permission = tables.allocations[index].firstPermission
        while permission != nowhere {
            // One that a channel keeps goes with the channel.
            let expiry = tables.permissions[permission].expiry
            if expiry > now { earliest = min(earliest, expiry) }
            permission = tables.permissions[permission].next
        }
        var link = tables.allocations[index].firstLink
        while link != nowhere {
            earliest = min(earliest, tables.links[link].deadline)
            link = tables.links[link].next
        }
        tables.allocations[index].look = earliest
        tables.wheel.set(index, at: earliest)
    }

    // MARK: Numbers

    /// Allocations with a relayed socket, waiting for one, or reserved.
    package var allocationCount: Int { tables.allocations.count }
    package var permissionCount: Int { tables.permissions.count }
    package var channelCount: Int { tables.channels.count }
    package var connectionCount: Int { tables.links.count }

    // MARK: Decisions

    /// Keys made with secrets that are gone are forgotten: their clients get 401 at the next request.
    package func set(_ secrets: RelaySecrets) {
        self.secrets = secrets
        tables.forgetKeys()
    }

    /// Permissions and channels of peers that are not allowed any more end at once, and connections to them.
    package func set(_ policy: PeerPolicy, now: Instant) {
        self.policy = policy
        forEachAllocation { index in
            var channel = tables.allocations[index].firstChannel
            while channel != nowhere {
                let next = tables.channels[channel].next
                if !policy.allows(tables.channels[channel].peer) { tables.removeChannel(channel) }
                channel = next
            }
            var permission = tables.allocations[index].firstPermission
            while permission != nowhere {
                let next = tables.permissions[permission].next
                if !policy.allows(tables.permissions[permission].address) { tables.removePermission(permission) }
                permission = next
            }
            var link = tables.allocations[index].firstLink
            while link != nowhere {
                let next = tables.links[link].next
                if !policy.allows(tables.links[link].peer.ip) { giveUp(link) }
                link = next
            }
        }
    }

    private func forEachAllocation(_ body: (UInt32) -> Void) {
        for place in 0..<tables.allocations.seenCount where tables.allocations[UInt32(place)].phase != .free {
            body(UInt32(place))
        }
    }

    /// Ends the session's allocations, and refuses its credentials from now on. `session` is what follows the first
    /// colon of its names. How many allocations ended.
    @discardableResult
    package func revoke(session: String, now: Instant, wallClock: Timestamp) -> Int {
        let session = Bytes(session.utf8)
        guard !session.isEmpty else { return 0 }
        let seconds = wallClock.secondsSinceEpoch
        let end = seconds + settings.limits.credentialLifetimeMax.components.seconds
        revoked.insert(session, until: end, now: seconds)
        var ended = 0
        forEachAllocation { index in
            // A pair that is being made goes with the first of it.
            guard tables.allocations[index].phase != .free,
                tables.user(tables.allocations[index].user)?.credential.session == session
            else { return }
            let client = tables.allocations[index].client
            let isHere = !tables.allocations[index].isDetached
            self.end(index)
            if isHere, client != .none, client.transport != .udp { outbox.append(.closeClient(client)) }
            ended += 1
        }
        return ended
    }

    /// A name that was given to a client, for USERHASH. Does nothing unless the settings ask for it.
    package func announce(name: String, wallClock: Timestamp) {
        guard settings.understandsUserhash else { return }
        let name = Bytes(name.utf8)
        announced.insert(
            name, hash: RelayKey.userhash(name: name, realm: settings.realm), now: wallClock.secondsSinceEpoch)
    }

    /// New allocations are refused: with 300 and the other relay's address if one is given and of the client's family,
    /// with 508 otherwise. The ones there are go on, and may be refreshed until `until`.
    package func drain(alternate: TransportAddress?, until: Instant) {
        drainEnd = until
        self.alternate = alternate
    }

    package var isDrained: Bool { tables.allocations.count == 0 }
}
