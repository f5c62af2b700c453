// Whether what the engine holds fits together: for tests and fuzzers, which ask after each step.

package import Base
import Wire

extension RelayEngine {
    /// What does not fit, in words; `nil` is as it should be. A walk over everything.
    package func audit(now: Instant) -> String? {
        var totals = (allocations: 0, permissions: 0, channels: 0, links: 0)
        for place in 0..<tables.allocations.seenCount {
            let index = UInt32(place)
            let allocation = tables.allocations[index]
            guard allocation.phase != .free else { continue }
            totals.allocations += 1
            totals.permissions += Int(allocation.permissionCount)
            totals.channels += Int(allocation.channelCount)
            totals.links += Int(allocation.linkCount)
            if let wrong = audit(index, allocation) { return "allocation \(index): \(wrong)" }
        }
        if totals.allocations != tables.allocations.count { return "\(totals.allocations) allocations are held" }
        if totals.permissions != tables.permissions.count { return "\(totals.permissions) permissions are held" }
        if totals.channels != tables.channels.count { return "\(totals.channels) channels are held" }
        if totals.links != tables.links.count { return "\(totals.links) connections are held" }
        let ofUsers = tables.users.reduce(0) { $0 + ($1?.allocationCount ?? 0) }
        if ofUsers != totals.allocations { return "users have \(ofUsers) allocations" }
        if tables.users.contains(where: { $0?.allocationCount == 0 }) { return "a user without an allocation is held" }
        return nil
    }

    private func audit(_ index: UInt32, _ allocation: Allocation) -> String? {
        if tables.user(allocation.user) == nil { return "its user is gone" }
        let isFound = tables.allocation(of: allocation.client) == index
        let shouldBeFound = allocation.phase != .reserved && !allocation.isDetached
        if isFound != shouldBeFound { return "its client does not find it, or somebody else does" }
        if allocation.phase == .open, !allocation.has(isV6: false), !allocation.has(isV6: true) {
            return "it has no relayed address"
        }
        if Int(allocation.permissionCount) > settings.limits.permissionsPerAllocation { return "too many permissions" }
        if Int(allocation.channelCount) > settings.limits.channelsPerAllocation { return "too many channels" }
        return auditChannels(index, allocation) ?? auditPermissions(index, allocation) ?? auditLinks(index, allocation)
    }

    private func auditChannels(_ index: UInt32, _ allocation: Allocation) -> String? {
        var count = 0
        var place = allocation.firstChannel
        while place != nowhere, count <= Int(allocation.channelCount) {
            let channel = tables.channels[place]
            if tables.channel(index, channel.number) != place || tables.channel(index, to: channel.peer) != place {
                return "a channel is not found by its number and peer"
            }
            if tables.permission(index, channel.peer.ip) != channel.permission { return "a channel has no permission" }
            if !policy.allows(channel.peer) { return "a channel leads where the policy does not" }
            count += 1
            place = channel.next
        }
        return count == Int(allocation.channelCount) ? nil : "\(count) channels are linked"
    }

    private func auditPermissions(_ index: UInt32, _ allocation: Allocation) -> String? {
        var count = 0
        var channels = 0
        var place = allocation.firstPermission
        while place != nowhere, count <= Int(allocation.permissionCount) {
            let permission = tables.permissions[place]
            if tables.permission(index, permission.address) != place { return "a permission is not found" }
            if !policy.allows(permission.address) { return "a permission is for whom the policy denies" }
            count += 1
            channels += Int(permission.channelCount)
            place = permission.next
        }
        if channels != Int(allocation.channelCount) { return "permissions count \(channels) channels" }
        return count == Int(allocation.permissionCount) ? nil : "\(count) permissions are linked"
    }

    private func auditLinks(_ index: UInt32, _ allocation: Allocation) -> String? {
        var count = 0
        var place = allocation.firstLink
        while place != nowhere, count <= Int(allocation.linkCount) {
            if tables.link(tables.connection(place)) != place { return "a connection is not found" }
            count += 1
            place = tables.links[place].next
        }
        return count == Int(allocation.linkCount) ? nil : "\(count) connections are linked"
    }

    /// The relayed sockets that the engine takes for open.
    package var openRelays: Set<RelayID> {
        var relays: Set<RelayID> = []
        for place in 0..<tables.allocations.seenCount where tables.allocations[UInt32(place)].phase != .free {
            for isV6 in [false, true] where tables.allocations[UInt32(place)].has(isV6: isV6) {
                relays.insert(tables.relay(UInt32(place), isV6: isV6))
            }
        }
        return relays
    }
}
