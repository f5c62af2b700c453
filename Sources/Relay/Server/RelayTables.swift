// All that the engine holds, and how it is found. Changes keep everything together: an allocation that goes takes its
// permissions, channels, links and its user with it, and nothing is found that is not held.

import Base
import Wire

/// A user name with an allocation at least.
struct RelayUser {
    var name: Bytes
    var credential: CredentialName
    /// The key that the name authenticated with; `nil` when the secrets have changed since.
    var key: RelayKey?
    var allocationCount: Int
    /// SHA-256 of name and realm, where USERHASH is understood.
    var userhash: Bytes
}

struct RelayTables: ~Copyable {
    var allocations: Slab<Allocation>
    var permissions: Slab<Permission>
    var channels: Slab<Channel>
    var links: Slab<PeerLink>
    private(set) var users: [RelayUser?] = []
    private var freeUsers: [Int] = []
    /// Empty where hashes are not understood.
    private var byUserhash: [Bytes: UInt32] = [:]
    var wheel: ExpiryWheel

    private var byClient: IndexTable
    private var byPermission: IndexTable
    private var byChannelNumber: IndexTable
    private var byChannelPeer: IndexTable
    private var byToken: IndexTable
    private var byUser: IndexTable
    private let hash: KeyedHash

    /// Permissions and channels of all allocations together, for each allocation that there may be: calls need one or
    /// two. What one allocation may have alone is in `RelayLimits`. 508 beyond.
    static let permissionsPerPlace = 8
    static let channelsPerPlace = 4

    init(_ limits: RelayLimits, seed: (UInt64, UInt64), now: Instant) {
        allocations = Slab(capacity: limits.allocations)
        let permissionCount = max(limits.allocations * Self.permissionsPerPlace, limits.permissionsPerAllocation)
        permissions = Slab(capacity: permissionCount)
        let channelCount = max(limits.allocations * Self.channelsPerPlace, limits.channelsPerAllocation)
        channels = Slab(capacity: channelCount)
        links = Slab(capacity: max(limits.connections, 1))
        wheel = ExpiryWheel(now: now)
        byClient = IndexTable(capacity: limits.allocations)
        byPermission = IndexTable(capacity: permissionCount)
        byChannelNumber = IndexTable(capacity: channelCount)
        byChannelPeer = IndexTable(capacity: channelCount)
        byToken = IndexTable(capacity: limits.allocations)
        byUser = IndexTable(capacity: limits.allocations)
        hash = KeyedHash(seed: seed)
    }
}

// MARK: - Allocations

extension RelayTables {
    @inline(__always) private func hash(of path: ClientPath) -> UInt64 {
        let (high, low) = path.remote.ip.words
        let family: UInt64 = path.remote.ip.isV6 ? 1 : 0
        let rest = UInt64(path.handle) << 32 | UInt64(path.remote.port) << 16
        return hash(high, low, rest | UInt64(path.transport.rawValue) << 1 | family)
    }

    @inline(__always) func allocation(of client: ClientPath) -> UInt32? {
        byClient.find(hash(of: client)) { allocations[$0].client == client }
    }

    /// `nil` for a relay that is gone.
    @inline(__always) func allocation(of relay: RelayID) -> UInt32? {
        guard allocations.hasSeen(relay.index), allocations[relay.index].phase != .free,
            allocations[relay.index].generation == relay.generation
        else { return nil }
        return relay.index
    }

    func relay(_ index: UInt32, isV6: Bool) -> RelayID {
        RelayID(index: index, generation: allocations[index].generation, isV6: isV6)
    }

    /// A place of the user's. Its generation is the next one of the place.
    mutating func makeAllocation(user: UInt32, phase: Allocation.Phase) -> UInt32? {
        guard let index = allocations.insert(Allocation(), keeping: { $0.generation = $1.generation }) else {
            return nil
        }
        allocations[index].phase = phase
        allocations[index].user = user
        users[Int(user)]?.allocationCount += 1
        return index
    }

    /// `client` has no allocation yet.
    mutating func attach(_ index: UInt32, to client: ClientPath) {
        allocations[index].client = client
        allocations[index].isDetached = false
        let isInserted = byClient.insert(hash(of: client), index)
        precondition(isInserted, "there is a place for the path of each allocation")
    }

    mutating func detach(_ index: UInt32) {
        let client = allocations[index].client
        byClient.remove(hash(of: client), index)
        allocations[index].isDetached = true
    }

    mutating func setToken(_ index: UInt32, _ token: UInt64) {
        allocations[index].token = token
        _ = byToken.insert(hash(token), index)
    }

    func reservation(_ token: UInt64) -> UInt32? {
        byToken.find(hash(token)) { allocations[$0].phase == .reserved && allocations[$0].token == token }
    }

    mutating func clearToken(_ index: UInt32) { byToken.remove(hash(allocations[index].token), index) }

    /// Everything that the allocation has, but its sockets and connections, which the caller has closed.
    mutating func removeAllocation(_ index: UInt32) {
        while allocations[index].firstChannel != nowhere { removeChannel(allocations[index].firstChannel) }
        while allocations[index].firstPermission != nowhere { removePermission(allocations[index].firstPermission) }
        while allocations[index].firstLink != nowhere { removeLink(allocations[index].firstLink) }
        let allocation = allocations[index]
        if allocation.phase == .reserved { clearToken(index) }
        if allocation.client != .none, !allocation.isDetached { byClient.remove(hash(of: allocation.client), index) }
        wheel.clear(index)
        leaveUser(allocation.user)
        allocations[index] = Allocation()
        allocations[index].generation = (allocation.generation &+ 1) & RelayID.generationMask
        allocations.remove(index)
    }

    /// Looks at the allocation at `deadline`, or earlier.
    mutating func look(at index: UInt32, by deadline: Instant) {
        guard deadline < allocations[index].look else { return }
        allocations[index].look = deadline
        wheel.set(index, at: deadline)
    }
}

// MARK: - Users

extension RelayTables {
    func user(named name: RawSpan) -> UInt32? {
        byUser.find(hash(name)) { index in
            guard let user = users[Int(index)], user.name.count == name.byteCount else { return false }
            return user.name.span.bytes.isEqual(to: name)
        }
    }

    func user(withHash userhash: Bytes) -> UInt32? { byUserhash[userhash] }

    func user(_ index: UInt32) -> RelayUser? { users[Int(index)] }

    mutating func addUser(_ user: RelayUser) -> UInt32 {
        let index: Int
        if let free = freeUsers.popLast() {
            users[free] = user
            index = free
        } else {
            users.append(user)
            index = users.count - 1
        }
        let isInserted = byUser.insert(hash(user.name.span.bytes), UInt32(index))
        precondition(isInserted, "there is a place for the user of each allocation")
        if !user.userhash.isEmpty { byUserhash[user.userhash] = UInt32(index) }
        return UInt32(index)
    }

    mutating func setKey(_ key: RelayKey, of index: UInt32) { users[Int(index)]?.key = key }

    mutating func forgetKeys() {
        for index in users.indices { users[index]?.key = nil }
    }

    /// A user that was added for an allocation that could not be made goes again.
    mutating func removeUserIfIdle(_ index: UInt32) {
        guard let user = users[Int(index)], user.allocationCount == 0 else { return }
        byUser.remove(hash(user.name.span.bytes), index)
        if !user.userhash.isEmpty { byUserhash[user.userhash] = nil }
        users[Int(index)] = nil
        freeUsers.append(Int(index))
    }

    private mutating func leaveUser(_ index: UInt32) {
        guard index != nowhere else { return }
        users[Int(index)]?.allocationCount -= 1
        removeUserIfIdle(index)
    }
}

extension RawSpan {
    func isEqual(to other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        for offset in 0..<byteCount where byte(offset) != other.byte(offset) { return false }
        return true
    }
}

// MARK: - Permissions

extension RelayTables {
    @inline(__always) private func hash(_ allocation: UInt32, _ address: IPAddress) -> UInt64 {
        let (high, low) = address.words
        return hash(high, low, UInt64(allocation) << 1 | (address.isV6 ? 1 : 0))
    }

    @inline(__always) func permission(_ allocation: UInt32, _ address: IPAddress) -> UInt32? {
        byPermission.find(hash(allocation, address)) {
            permissions[$0].allocation == allocation && permissions[$0].address == address
        }
    }

    /// `nil` when there is no place. The address has none yet.
    mutating func makePermission(_ allocation: UInt32, _ address: IPAddress, expiry: Instant) -> UInt32? {
        let next = allocations[allocation].firstPermission
        let permission = Permission(allocation: allocation, address: address, expiry: expiry, next: next)
        guard let index = permissions.insert(permission) else { return nil }
        _ = byPermission.insert(hash(allocation, address), index)
        if next != nowhere { permissions[next].previous = index }
        allocations[allocation].firstPermission = index
        allocations[allocation].permissionCount &+= 1
        return index
    }

    mutating func removePermission(_ index: UInt32) {
        let permission = permissions[index]
        byPermission.remove(hash(permission.allocation, permission.address), index)
        if permission.next != nowhere { permissions[permission.next].previous = permission.previous }
        if permission.previous != nowhere {
            permissions[permission.previous].next = permission.next
        } else {
            allocations[permission.allocation].firstPermission = permission.next
        }
        allocations[permission.allocation].permissionCount &-= 1
        permissions.remove(index)
    }
}

// MARK: - Channels

extension RelayTables {
    @inline(__always) private func hash(_ allocation: UInt32, _ peer: TransportAddress) -> UInt64 {
        let (high, low) = peer.ip.words
        return hash(high, low, UInt64(allocation) << 17 | UInt64(peer.port) << 1 | (peer.ip.isV6 ? 1 : 0))
    }

    @inline(__always) private func hash(_ allocation: UInt32, _ number: UInt16) -> UInt64 {
        hash(UInt64(allocation) << 16 | UInt64(number))
    }

    @inline(__always) func channel(_ allocation: UInt32, _ number: UInt16) -> UInt32? {
        byChannelNumber.find(hash(allocation, number)) {
            channels[$0].allocation == allocation && channels[$0].number == number
        }
    }

    @inline(__always) func channel(_ allocation: UInt32, to peer: TransportAddress) -> UInt32? {
        byChannelPeer.find(hash(allocation, peer)) {
            channels[$0].allocation == allocation && channels[$0].peer == peer
        }
    }

    /// `nil` when there is no place. Neither the number nor the peer has one yet.
    mutating func makeChannel(
        _ allocation: UInt32, _ number: UInt16, to peer: TransportAddress, permission: UInt32, expiry: Instant
    ) -> UInt32? {
        let next = allocations[allocation].firstChannel
        let channel = Channel(
            allocation: allocation, number: number, peer: peer, permission: permission, expiry: expiry, next: next)
        guard let index = channels.insert(channel) else { return nil }
        _ = byChannelNumber.insert(hash(allocation, number), index)
        _ = byChannelPeer.insert(hash(allocation, peer), index)
        if next != nowhere { channels[next].previous = index }
        allocations[allocation].firstChannel = index
        allocations[allocation].channelCount &+= 1
        permissions[permission].channelCount &+= 1
        return index
    }

    mutating func removeChannel(_ index: UInt32) {
        let channel = channels[index]
        byChannelNumber.remove(hash(channel.allocation, channel.number), index)
        byChannelPeer.remove(hash(channel.allocation, channel.peer), index)
        if channel.next != nowhere { channels[channel.next].previous = channel.previous }
        if channel.previous != nowhere {
            channels[channel.previous].next = channel.next
        } else {
            allocations[channel.allocation].firstChannel = channel.next
        }
        allocations[channel.allocation].channelCount &-= 1
        permissions[channel.permission].channelCount &-= 1
        channels.remove(index)
    }
}

// MARK: - Connections to peers

extension RelayTables {
    /// The number of a connection's place and its generation, so that an old id finds nothing.
    private static let placeBits: UInt32 = 16

    func connection(_ index: UInt32) -> PeerConnectionID {
        PeerConnectionID(rawValue: links[index].generation << Self.placeBits | index)
    }

    func link(_ connection: PeerConnectionID) -> UInt32? {
        let index = connection.rawValue & (1 << Self.placeBits - 1)
        guard links.hasSeen(index), links[index].allocation != nowhere,
            links[index].generation == connection.rawValue >> Self.placeBits
        else { return nil }
        return index
    }

    func link(_ allocation: UInt32, to peer: TransportAddress) -> UInt32? {
        var index = allocations[allocation].firstLink
        while index != nowhere {
            if links[index].peer == peer { return index }
            index = links[index].next
        }
        return nil
    }

    mutating func makeLink(
        _ allocation: UInt32, to peer: TransportAddress, _ phase: PeerLink.Phase, deadline: Instant
    ) -> UInt32? {
        let next = allocations[allocation].firstLink
        let link = PeerLink(
            phase: phase, generation: 0, allocation: allocation, peer: peer, deadline: deadline, next: next)
        guard let index = links.insert(link, keeping: { $0.generation = $1.generation }) else { return nil }
        if next != nowhere { links[next].previous = index }
        allocations[allocation].firstLink = index
        allocations[allocation].linkCount &+= 1
        return index
    }

    mutating func removeLink(_ index: UInt32) {
        let link = links[index]
        if link.next != nowhere { links[link.next].previous = link.previous }
        if link.previous != nowhere {
            links[link.previous].next = link.next
        } else {
            allocations[link.allocation].firstLink = link.next
        }
        allocations[link.allocation].linkCount &-= 1
        links[index].allocation = nowhere
        links[index].generation = (link.generation &+ 1) & 0xFFFF
        links.remove(index)
    }
}
