// The call service itself over an empty database, with a hub, sockets that are values, and real media.

import Accounts
import Base
import Media
import Net
import Store
import TestKit
import Testing

@testable import Signaling

final class CallWorld {
    let shards: ShardGroup
    let media: TestMedia
    let hub: SignalingHub
    let domain: TestAccounts
    let presence: PresenceBook
    let service: CallService
    let logins: LoginWatch
    let recorder = TestRecorder()
    let people: [Principal]
    private let database: SQLiteDatabase

    var clock: TestClock { domain.clock }

    private init(_ names: [String], _ options: CallOptions) async throws {
        shards = try ShardGroup(count: 1)
        media = try await TestMedia.make(on: shards.shards)
        hub = SignalingHub(media: media.service, resumeGrace: options.resumeGrace)
        database = try SQLiteDatabase(.memory)
        domain = try await TestAccounts.make(database)
        try await Migrations(AccountsSchema.migrations + SignalingSchema.migrations).apply(to: database)
        presence = PresenceBook(
            database: database, clock: domain.clock.clock, tell: { [hub] in hub.presenceChanged($0, $1) })
        service = CallService(
            node: "test", database: database, accounts: domain.service, presence: presence, media: hub, events: hub,
            recorder: recorder, clock: domain.clock.clock, options: options)
        hub.setCalls(service)
        hub.setPresence(presence)
        logins = LoginWatch(sockets: [hub], calls: service, presence: presence, accounts: domain.service)
        domain.service.setEvents(logins)
        var people: [Principal] = []
        for name in names { people.append(try await domain.principal(try await domain.register(name))) }
        self.people = people
        try await service.start()
    }

    static func run(
        _ names: String..., options: CallOptions = CallOptions(), _ body: (CallWorld) async throws -> Void
    ) async throws {
        let world = try await CallWorld(names, options)
        var failure: (any Error)?
        do { try await body(world) } catch { failure = error }
        await world.service.stop()
        await world.media.service.stop()
        await world.domain.service.stop()
        await world.database.close()
        world.shards.stop()
        if let failure { throw failure }
    }

    func user(_ number: Int) -> UserID { people[number].user }

    /// The first calls all the others; they come in order, each with a socket.
    func gather() async throws -> (call: CallID, clients: [SoftClient]) {
        let id = try await service.initiate(
            NewCall(kind: .video, invited: people.dropFirst().map(\.user)), by: people[0]
        ).call.id
        var clients: [SoftClient] = []
        for person in people { clients.append(try await join(id, person)) }
        return (id, clients)
    }

    func open(_ person: Principal, for call: CallID) throws -> SoftClient {
        let channel = SoftChannel()
        let connection = try #require(hub.open(channel, by: person, isBoundToJoin: false))
        return SoftClient(channel, connection, call)
    }

    func join(_ call: CallID, _ person: Principal) async throws -> SoftClient {
        let client = try open(person, for: call)
        client.say(.join(JoinRequest(call: call, role: .offerer)))
        client.token = try #require(await client.welcome()).resumeToken
        return client
    }
}
