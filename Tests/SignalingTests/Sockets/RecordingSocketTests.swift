// Recording over sockets: who is asked, who is told what, and that a no is obeyed before it is answered.

import Accounts
import Base
import Media
import TestKit
import Testing

@testable import Signaling

@Suite(.serialized) struct RecordingSocketTests {
    private func recording(
        _ client: SoftClient, _ take: (CallRecording) -> Bool
    ) async -> CallRecording? {
        await client.channel.wait { message -> CallRecording? in
            if case .recording(let recording) = message, take(recording) { recording } else { nil }
        }
    }

    @Test func `everybody is told who is asked, who agrees and who does not`() async throws {
        try await CallWorld.run("alice", "bobby", "carol") { world in
            let (_, clients) = try await world.gather()
            let (bobby, carol) = (world.user(1), world.user(2))
            clients[0].say(.host(.record(true), id: 1))
            for client in clients {
                let told = await recording(client) { $0.state == .recording }
                #expect(told?.person(bobby)?.consent == .asked && told?.startedBy == world.user(0))
            }
            clients[1].say(.consent(agrees: true, id: 2))
            clients[2].say(.consent(agrees: false, id: 3))
            for client in clients {
                #expect(
                    await recording(client) {
                        $0.person(bobby)?.consent == .agreed && $0.person(carol)?.consent == .refused
                    } != nil)
            }
            #expect(world.recorder.written == [world.user(0), bobby])
            clients[1].say(.consent(agrees: false, id: 4))
            #expect(await recording(clients[2]) { $0.person(bobby)?.consent == .withdrawn } != nil)
            #expect(world.recorder.written == [world.user(0)])
            clients[0].say(.host(.record(false), id: 5))
            for client in clients { #expect(await recording(client) { $0.state == .finished }?.end == .stopped) }
            #expect(clients.allSatisfy { $0.channel.closure == nil })
        }
    }

    @Test func `who comes later is told with the join, and asked`() async throws {
        try await CallWorld.run("alice", "bobby", "carol") { world in
            let (call, clients) = try await world.gather()
            clients[2].say(.hangUp)
            _ = await clients[2].channel.waitForClosure()
            clients[0].say(.host(.record(true), id: 1))
            #expect(await recording(clients[1]) { $0.state == .recording } != nil)
            let late = try await world.join(call, world.people[2])
            let welcome = await late.welcome()
            #expect(welcome?.call.recording?.person(world.user(2))?.consent == .asked)
            #expect(await recording(clients[0]) { $0.person(world.user(2))?.consent == .asked } != nil)
            #expect(world.recorder.written == [world.user(0)])
        }
    }

    @Test func `who may not record, and who answers what nobody asks, is told so by name`() async throws {
        try await CallWorld.run("alice", "bobby") { world in
            let (_, clients) = try await world.gather()
            func refusal(_ message: ClientMessage, _ id: Int64) async -> SignalingFault? {
                clients[1].say(message)
                return await clients[1].channel.wait { message -> SignalingFault? in
                    if case .fault(let fault, id) = message { fault } else { nil }
                }
            }
            #expect(await refusal(.host(.record(true), id: 1), 1) == .call(.recording(.notAllowed)))
            #expect(await refusal(.consent(agrees: true, id: 2), 2) == .call(.recording(.notOn)))
            #expect(await refusal(.consent(agrees: false, id: 3), 3) == .call(.recording(.notOn)))
        }
    }

    @Test func `announced, a socket that is open is what makes one told`() async throws {
        var options = CallOptions()
        options.recording.consent = .announce
        try await CallWorld.run("alice", "bobby", "carol", options: options) { world in
            let (call, clients) = try await world.gather()
            clients[2].say(.hangUp)
            _ = await clients[2].channel.waitForClosure()
            clients[0].say(.host(.record(true), id: 1))
            #expect(await recording(clients[1]) { $0.person(world.user(1))?.consent == .told } != nil)
            #expect(world.recorder.written == [world.user(0), world.user(1)])
            // In it over REST, and not told yet.
            _ = try await world.service.join(call, by: world.people[2])
            #expect(world.recorder.written == [world.user(0), world.user(1)])
            _ = try await world.join(call, world.people[2])
            #expect(world.recorder.written == Set((0..<3).map(world.user)))
        }
    }
}
