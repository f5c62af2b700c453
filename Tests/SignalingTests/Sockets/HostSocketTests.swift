// What the host of a call does over a socket, and what everybody else is told who tries.

import Accounts
import Base
import Crypto
import Media
import TestKit
import Testing
import Wire

@testable import API
@testable import Signaling

@Suite(.serialized) struct HostSocketTests {
    private func view(_ client: SoftClient, _ take: (ParticipantView) -> Bool) async -> ParticipantView? {
        await client.channel.wait { message -> ParticipantView? in
            if case .participantUpdated(let view) = message, take(view) { view } else { nil }
        }
    }

    @Test func `the host mutes somebody, who may speak again, and takes permissions, which may not`() async throws {
        try await CallWorld.run("alice", "bobby", "carol") { world in
            let (_, clients) = try await world.gather()
            let bobby = world.user(1)
            clients[0].say(.host(.mute(bobby), id: 1))
            #expect(await view(clients[2]) { $0.user == bobby && !$0.audio }?.permissions == .all)
            clients[1].say(.change(ControlsChange(isMuted: false)))
            #expect(await view(clients[2]) { $0.user == bobby && $0.audio } != nil)
            let noAudio = PermissionsChange(taken: [.sendAudio])
            clients[0].say(.host(.permissions(bobby, noAudio), id: 2))
            let own = await view(clients[1]) { $0.user == bobby && !$0.permissions.contains(.sendAudio) }
            #expect(own?.audio == false && own?.video == true)
            clients[1].say(.change(ControlsChange(isMuted: true)))
            clients[1].say(.change(ControlsChange(isMuted: false)))
            #expect(await clients[1].fault() == .call(.notPermitted))
            // What a change does not name stays.
            clients[0].say(.host(.permissions(bobby, PermissionsChange(taken: [.sendVideo])), id: 3))
            let both = await view(clients[2]) { $0.user == bobby && !$0.permissions.contains(.sendVideo) }
            #expect(both?.permissions.contains(.sendAudio) == false)
            clients[0].say(.host(.permissions(bobby, PermissionsChange(granted: [.sendAudio])), id: 4))
            #expect(await view(clients[2]) { $0.user == bobby && $0.permissions.contains(.sendAudio) } != nil)
            #expect(clients[0].channel.closure == nil)
        }
    }

    @Test func `who is removed is cut and told, and the others are told why`() async throws {
        try await CallWorld.run("alice", "bobby", "carol") { world in
            let (call, clients) = try await world.gather()
            clients[0].say(.host(.remove(world.user(1)), id: 1))
            #expect(await clients[1].channel.waitForClosure() == .denied)
            let reason = await clients[2].channel.wait { message -> String? in
                if case .participantLeft(world.user(1), let reason) = message { reason } else { nil }
            }
            #expect(reason == "removed")
            let again = try world.open(world.people[1], for: call)
            again.say(.join(JoinRequest(call: call, role: .offerer)))
            #expect(await again.channel.waitForClosure() == .denied)
        }
    }

    @Test func `a locked call lets nobody in until it is unlocked`() async throws {
        try await CallWorld.run("alice", "bobby", "carol") { world in
            let (call, clients) = try await world.gather()
            clients[1].say(.hangUp)
            _ = await clients[1].channel.waitForClosure()
            func lock(_ isLocked: Bool) async -> Bool {
                clients[0].say(.host(.lock(isLocked), id: nil))
                return await clients[2].channel.wait { message -> Bool? in
                    if case .status(let info, _) = message, info.isLocked == isLocked, info.state == .ongoing {
                        true
                    } else {
                        nil
                    }
                } ?? false
            }
            #expect(await lock(true))
            let refused = try world.open(world.people[1], for: call)
            refused.say(.join(JoinRequest(call: call, role: .offerer)))
            #expect(await refused.fault() == .call(.locked))
            clients[0].say(.host(.lock(false), id: nil))
            let isOpen = await eventually { () -> Bool? in
                guard case .status(let info, _)? = clients[2].channel.messages.last else { return nil }
                return info.isLocked ? nil : true
            }
            #expect(isOpen == true)
            _ = try await world.join(call, world.people[1])
        }
    }

    @Test func `the end for all closes every socket`() async throws {
        try await CallWorld.run("alice", "bobby", "carol") { world in
            let (call, clients) = try await world.gather()
            clients[0].say(.host(.endForAll, id: 1))
            for client in clients { #expect(await client.channel.waitForClosure() == .notFound) }
            #expect(try await world.service.call(call, for: world.people[2]).end == .endedForAll)
        }
    }

    @Test func `who is invited rings, and is seen to`() async throws {
        try await CallWorld.run("alice", "bobby", "carol", "david") { world in
            let david = world.people[3]
            let id = try await world.service.initiate(
                NewCall(kind: .audio, invited: [world.user(1), world.user(2)]), by: world.people[0]
            ).call.id
            let host = try await world.join(id, world.people[0])
            _ = try await world.join(id, world.people[1])
            let idle = try world.open(david, for: id)
            host.say(.host(.invite([david.user]), id: 1))
            let rings = await idle.channel.wait { message -> CallID? in
                if case .incoming(let call) = message { call.id } else { nil }
            }
            #expect(rings == id)
            #expect(await view(host) { $0.user == david.user }?.isConnected == false)
            let answer = try await world.join(id, david)
            #expect(answer.channel.closure == nil)
            host.say(.host(.invite([UserID(.random())]), id: 2))
            #expect(await host.fault() == .call(.unknownUser))
        }
    }

    @Test func `nobody but the host has these powers, and a refusal names the message`() async throws {
        try await CallWorld.run("alice", "bobby", "carol") { world in
            let (call, clients) = try await world.gather()
            let actions: [HostAction] = [
                .mute(world.user(2)), .permissions(world.user(2), PermissionsChange(taken: .all)),
                .remove(world.user(0)), .lock(true), .endForAll, .invite([world.user(2)]),
            ]
            for (number, action) in actions.enumerated() {
                clients[1].say(.host(action, id: Int64(number)))
                let refusal = await clients[1].channel.wait { message -> SignalingFault? in
                    if case .fault(let fault, Int64(number)) = message { fault } else { nil }
                }
                #expect(refusal == .call(.notHost), "\(action)")
            }
            let info = try await world.service.call(call, for: world.people[0])
            #expect(info.joined.count == 3 && !info.isLocked)
            #expect(info.participants.allSatisfy { $0.effectivePermissions == .all })
        }
    }

    @Test func `who is not in the call cannot be muted or removed`() async throws {
        try await CallWorld.run("alice", "bobby", "carol") { world in
            let (_, clients) = try await world.gather()
            clients[2].say(.hangUp)
            _ = await clients[2].channel.waitForClosure()
            clients[0].say(.host(.mute(world.user(2)), id: 1))
            #expect(await clients[0].fault() == .participantAbsent)
            clients[0].say(.host(.remove(UserID(.random())), id: 2))
            let second = await clients[0].channel.wait { message -> SignalingFault? in
                if case .fault(let fault, 2) = message { fault } else { nil }
            }
            #expect(second == .participantAbsent)
        }
    }

    // MARK: Words

    private static let participant = UserID(.random())

    /// As manual's `action` and as calls' `type`, with the members.
    private static let words: [(String, String, HostAction)] = [
        ("mute_participant", #""participant_id":"\#(participant)""#, .mute(participant)),
        (
            "permissions", #""participant_id":"\#(participant)","audio":false,"receive":true"#,
            .permissions(participant, PermissionsChange(granted: .receive, taken: .sendAudio))
        ),
        (
            "permissions", #""participant_id":"\#(participant)","video":false,"audio":null"#,
            .permissions(participant, PermissionsChange(taken: [.sendVideo, .sendScreen]))
        ),
        ("remove", #""participant_id":"\#(participant)""#, .remove(participant)),
        ("lock", #""on":true"#, .lock(true)), ("lock", #""on":false"#, .lock(false)), ("end", #""x":1"#, .endForAll),
        ("invite", #""participants":["\#(participant)"]"#, .invite([participant])),
    ]

    @Test func `a host's wish has the same words in both dialects`() throws {
        let sender = UserID(.random())
        let calls = CallsSignaling(call: CallID(.random()))
        for (word, members, action) in Self.words {
            let manual = #"{"type":"control","action":"\#(word)","id":4,\#(members)}"#
            #expect(try ManualSignaling().read(manual, from: sender) == .host(action, id: 4))
            let typed = #"{"type":"\#(word)","id":4,"user_id":"\#(sender)",\#(members)}"#
            #expect(try calls.read(typed, from: sender) == .host(action, id: 4))
        }
    }

    @Test(arguments: [
        #""action":"mute_participant""#, #""action":"remove","participant_id":"x""#,
        #""action":"remove","participant_id":7"#, #""action":"permissions","participant_id":"\#(participant)""#,
        #""action":"permissions","participant_id":"\#(participant)","audio":"no""#, #""action":"lock""#,
        #""action":"invite""#, #""action":"invite","participants":[]"#, #""action":"invite","participants":["x"]"#,
        #""action":"end","id":"x""#,
    ])
    func `what a host's wish lacks is named`(members: String) {
        #expect(throws: SignalingFault.self) {
            try ManualSignaling().read(#"{"type":"control",\#(members)}"#, from: UserID(.random()))
        }
    }
}
