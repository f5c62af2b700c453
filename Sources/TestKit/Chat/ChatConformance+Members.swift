// Members, their rights, direct conversations, invitations, organisations.

import Accounts
import Base
import Chat
import Store

extension ChatConformance {
    static let members: [Check] = [
        Check("who is removed loses their call before the answer, and comes back only when added") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob, type: .channel, visibility: .public)
            try await chat.service.removeMember(bob.user, from: id, by: alice, origin: origin)
            try requireEqual(chat.world.cut(id), [bob.user])
            try requireEqual(chat.world.notices(bob.user).last, .left(id, .removed))
            try await requireChatRefusal(.forbidden(.removed)) { try await chat.service.join(id, by: bob) }
            let code = try await chat.service.invite(to: id, by: alice).code.exposedText
            try await requireChatRefusal(.forbidden(.removed)) { try await chat.service.accept(code, by: bob) }
            try requireEqual(try await chat.service.invitations(to: id, for: alice).first?.uses, 0)
            try requireEqual(try await chat.service.members(of: id, offset: 0, limit: 9, for: alice).total, 1)
            let entry = try await chat.service.addMember(bob.user, to: id, by: alice)
            try requireEqual(entry.person.username.exposed, "bob")
            try await chat.say("back", in: id, by: bob)
            try await requireChatRefusal(.alreadyMember) {
                try await chat.service.addMember(bob.user, to: id, by: alice)
            }
        },
        Check("nobody removes or changes their own rank or a higher one, but owners do") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let carol = try await chat.person("carol")
            let id = try await chat.room(alice, bob, carol)
            try await requireChatRefusal(.forbidden(.lacks(.manageMembers))) {
                try await chat.service.removeMember(carol.user, from: id, by: bob, origin: origin)
            }
            try await chat.raise(bob, to: .moderator, in: id, by: alice)
            try await chat.raise(carol, to: .moderator, in: id, by: alice)
            for target in [carol, alice] {
                try await requireChatRefusal(.forbidden(.rank)) {
                    try await chat.service.removeMember(target.user, from: id, by: bob, origin: origin)
                }
            }
            try await requireChatRefusal(.forbidden(.lacks(.administer))) {
                try await chat.raise(carol, to: .member, in: id, by: bob)
            }
            try await chat.raise(bob, to: .admin, in: id, by: alice)
            try await requireChatRefusal(.forbidden(.rank)) { try await chat.raise(carol, to: .admin, in: id, by: bob) }
            try await chat.raise(carol, to: .member, in: id, by: bob)
            try await chat.service.removeMember(carol.user, from: id, by: bob, origin: origin)
            try await requireChatRefusal(.notFound(.member)) {
                try await chat.service.removeMember(carol.user, from: id, by: bob, origin: origin)
            }
            let dave = try await chat.person("dave")
            try await requireChatRefusal(.forbidden(.rank)) {
                try await chat.service.addMember(dave.user, to: id, role: .admin, by: bob)
            }
            _ = try await chat.service.addMember(dave.user, to: id, role: .moderator, by: bob)
        },
        Check("the last owner cannot go without handing over, unless alone") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            try await requireChatRefusal(.forbidden(.lastOwner)) { try await chat.service.leave(id, by: alice) }
            try await requireChatRefusal(.forbidden(.lastOwner)) {
                try await chat.raise(alice, to: .member, in: id, by: alice)
            }
            try await requireChatRefusal(.forbidden(.rank)) {
                try await chat.service.handOver(id, to: bob.user, by: bob, origin: origin)
            }
            try await chat.service.handOver(id, to: bob.user, by: alice, origin: origin)
            let view = try await chat.service.conversation(id, for: alice)
            try requireEqual(view.conversation.owner, bob.user)
            try requireEqual(view.membership?.role, .admin)
            try await chat.service.leave(id, by: alice)
            try requireEqual(chat.world.cut(id), [alice.user])
            try await chat.service.leave(id, by: bob)
            try require(chat.world.isClosed(id), "an empty conversation goes on")
        },
        Check("of two owners leaving at once, one stays") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob, try await chat.person("carol"))
            try await chat.raise(bob, to: .owner, in: id, by: alice)
            let refused = await withTaskGroup(of: Bool.self) { group in
                for owner in [alice, bob] {
                    group.addTask {
                        do { try await chat.service.leave(id, by: owner) } catch { return true }
                        return false
                    }
                }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            try requireEqual(refused, 1)
        },
        Check("a full conversation takes nobody more, also when many come at once") { chat in
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice, type: .channel, visibility: .public, maxMembers: 3)
            var people: [Principal] = []
            for index in 0..<6 { people.append(try await chat.person("guest\(index)")) }
            let joined = await withTaskGroup(of: Bool.self) { group in
                for person in people {
                    group.addTask { (try? await chat.service.join(id, by: person)) != nil }
                }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            try requireEqual(joined, 2)
            try requireEqual(try await chat.service.members(of: id, offset: 0, limit: 9, for: alice).items.count, 3)
            try await requireChatRefusal(.full(limit: 3)) {
                try await chat.service.addMember(try await chat.person("late").user, to: id, by: alice)
            }
        },
        Check("silence is one's own, and lists have rank first") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(bob, alice)
            try requireEqual(try await chat.service.setMuted(true, in: id, by: alice).isMuted, true)
            let entries = try await chat.service.members(of: id, offset: 0, limit: 9, for: alice).items
            try requireEqual(entries.map(\.member.user), [bob.user, alice.user])
            try requireEqual(entries.map(\.member.isMuted), [false, true])
            _ = try await chat.domain.service.setActive(false, of: bob.user, by: .console, origin: .console)
            try await requireChatRefusal(.notFound(.user)) { try await chat.room(alice, bob) }
        },
    ]

    // MARK: Permissions

    static let permissions: [Check] = [
        Check("rules change what roles and members may, for what comes after") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let carol = try await chat.person("carol")
            let id = try await chat.room(alice, bob, carol)
            try await requireChatRefusal(.forbidden(.lacks(.managePermissions))) {
                try await chat.service.setPermissions(PermissionChanges(), of: id, by: bob, origin: origin)
            }
            let changes = PermissionChanges(
                roles: [.member: PermissionRule(deny: .send)],
                members: [carol.user: PermissionRule(allow: [.send, .pin])])
            let set = try await chat.service.setPermissions(changes, of: id, by: alice, origin: origin)
            try requireEqual(set.abilities(of: .member).contains(.send), false)
            try requireEqual(set.memberRules, [carol.user: PermissionRule(allow: [.send, .pin])])
            try await requireChatRefusal(.forbidden(.lacks(.send))) { try await chat.say("no", in: id, by: bob) }
            let message = try await chat.say("yes", in: id, by: carol)
            _ = try await chat.service.setPinned(true, message.id, by: carol)
            let answer = try await chat.service.reply(inThreadOf: message.id, NewMessage(.plain("a")), by: bob)
            try requireEqual(answer.message.thread, message.id)
            let undo = PermissionChanges(roles: [.member: PermissionRule()], members: [carol.user: PermissionRule()])
            let undone = try await chat.service.setPermissions(undo, of: id, by: alice, origin: origin)
            try require(undone.rules.isEmpty && undone.memberRules.isEmpty, "rules are left")
            try await chat.say("yes", in: id, by: bob)
        },
        Check("rules have their own rules") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            func refused(_ changes: PermissionChanges) async throws {
                try await requireInvalid(.permissions) {
                    try await chat.service.setPermissions(changes, of: id, by: alice, origin: origin)
                }
            }
            try await refused(PermissionChanges(roles: [.owner: PermissionRule(deny: .send)]))
            try await refused(PermissionChanges(roles: [.member: PermissionRule(deny: .view)]))
            try await refused(PermissionChanges(roles: [.member: PermissionRule(allow: .pin, deny: .pin)]))
            try await refused(PermissionChanges(members: [bob.user: PermissionRule(deny: .view)]))
            try await requireChatRefusal(.forbidden(.rank)) {
                try await chat.service.setPermissions(
                    PermissionChanges(members: [alice.user: PermissionRule(deny: .send)]), of: id, by: alice,
                    origin: origin)
            }
            let granted = PermissionChanges(members: [bob.user: PermissionRule(allow: .managePermissions)])
            _ = try await chat.service.setPermissions(granted, of: id, by: alice, origin: origin)
            try await requireChatRefusal(.forbidden(.lacks(.delete))) {
                try await chat.service.setPermissions(
                    PermissionChanges(members: [bob.user: PermissionRule(allow: .delete)]), of: id, by: bob,
                    origin: origin)
            }
        },
    ]

    // MARK: Direct

    static let direct: [Check] = [
        Check("two people have one direct conversation, whoever begins and however often") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let ids = try await withThrowingTaskGroup(of: ConversationID.self) { group in
                for index in 0..<6 {
                    group.addTask {
                        let (own, other) = index.isMultiple(of: 2) ? (alice, bob) : (bob, alice)
                        return try await chat.service.direct(with: other.user, by: own).view.conversation.id
                    }
                }
                return try await group.reduce(into: Set<ConversationID>()) { $0.insert($1) }
            }
            try requireEqual(ids.count, 1)
            let again = try await chat.service.direct(with: bob.user, by: alice)
            try requireEqual(again.isNew, false)
            try requireEqual(again.view.counterpart?.username.exposed, "bob")
            try requireEqual(try await list(chat, bob).items[0].counterpart?.username.exposed, "alice")
        },
        Check("a direct conversation keeps its two, and nobody manages it") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.service.direct(with: bob.user, by: alice).view.conversation.id
            try await chat.say("hi", in: id, by: bob)
            try await requireChatRefusal(.forbidden(.direct)) { try await chat.service.leave(id, by: alice) }
            try await requireChatRefusal(.forbidden(.direct)) { try await chat.service.invite(to: id, by: alice) }
            try await requireChatRefusal(.forbidden(.direct)) {
                try await chat.service.removeMember(bob.user, from: id, by: alice, origin: origin)
            }
            try await requireChatRefusal(.forbidden(.lacks(.manageMembers))) {
                try await chat.service.addMember(try await chat.person("carol").user, to: id, by: alice)
            }
            try await requireChatRefusal(.forbidden(.lacks(.delete))) {
                try await chat.service.delete(id, by: alice, origin: origin)
            }
            var changes = ConversationChanges()
            changes.isEncrypted = false
            try requireEqual(
                try await chat.service.update(id, changes, by: bob).conversation.settings.isEncrypted, false)
            changes.title = "ours"
            try await requireChatRefusal(.forbidden(.lacks(.manageConversation))) {
                try await chat.service.update(id, changes, by: alice)
            }
            try requireEqual(
                try await chat.service.direct(with: bob.user, isEncrypted: true, by: alice).view.conversation.settings
                    .isEncrypted, false)
            try await requireInvalid(.participants) { try await chat.service.direct(with: alice.user, by: alice) }
            try await requireChatRefusal(.notFound(.user)) {
                try await chat.service.direct(with: UserID(.random()), by: alice)
            }
        },
    ]

    // MARK: Invitations

    static let invitations: [Check] = [
        Check("an invitation lets in as many as it says, and no longer than it says") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let carol = try await chat.person("carol")
            let id = try await chat.room(alice)
            let made = try await chat.service.invite(to: id, by: alice)
            try requireEqual(made.invitation.expiresAt, chat.clock.now + .hours(24))
            let code = made.code.exposedText
            try requireEqual(try await chat.service.accept(code, by: bob).membership?.role, .member)
            try requireEqual(try await chat.service.accept(code, by: bob).conversation.id, id)
            try await requireChatRefusal(.invitationInvalid) { try await chat.service.accept(code, by: carol) }
            let short = try await chat.service.invite(to: id, maxUses: nil, lifetime: .hours(1), by: alice)
            chat.clock.advance(by: .hours(1))
            try await requireChatRefusal(.invitationInvalid) {
                try await chat.service.accept(short.code.exposedText, by: carol)
            }
            let revoked = try await chat.service.invite(to: id, by: alice)
            try await requireChatRefusal(.notFound(.invitation)) {
                try await chat.service.revoke(revoked.invitation.id, by: carol)
            }
            try await requireChatRefusal(.forbidden(.lacks(.manageMembers))) {
                try await chat.service.revoke(revoked.invitation.id, by: bob)
            }
            try await chat.service.revoke(revoked.invitation.id, by: alice)
            for wrong in [revoked.code.exposedText, "", "nonsense", String(repeating: "A", count: 24)] {
                try await requireChatRefusal(.invitationInvalid) { try await chat.service.accept(wrong, by: carol) }
            }
            try requireEqual(try await chat.service.invitations(to: id, for: alice).count, 0)
        },
        Check("of many who come at once for the last place of an invitation, one gets it") { chat in
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice)
            let code = try await chat.service.invite(to: id, by: alice).code.exposedText
            var people: [Principal] = []
            for index in 0..<5 { people.append(try await chat.person("guest\(index)")) }
            let entered = await withTaskGroup(of: Bool.self) { group in
                for person in people { group.addTask { (try? await chat.service.accept(code, by: person)) != nil } }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            try requireEqual(entered, 1)
        },
        Check("invitations are bounded in number, uses and time, and need their right") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            try await requireChatRefusal(.forbidden(.lacks(.invite))) { try await chat.service.invite(to: id, by: bob) }
            try await requireInvalid(.maxUses) { try await chat.service.invite(to: id, maxUses: 0, by: alice) }
            try await requireInvalid(.expiresInHours) {
                try await chat.service.invite(to: id, lifetime: .zero, by: alice)
            }
            for _ in 0..<4 { _ = try await chat.service.invite(to: id, by: alice) }
            try await requireChatRefusal(.limitReached(.invitations, 4)) {
                try await chat.service.invite(to: id, by: alice)
            }
        },
    ]

    // MARK: Organisations

    static let organizations: [Check] = [
        Check("an organisation is seen by who belongs to it, and its public channels too") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let mallory = try await chat.person("mallory")
            let id = try await chat.service.createOrganization(name: "Works", summary: nil, by: alice).organization.id
            _ = try await chat.service.addOrganizationMember(bob.user, to: id, by: alice)
            let channel = try await chat.service.create(
                NewConversation(type: .channel, visibility: .public, title: "General", organization: id), by: alice)
            _ = try await chat.service.join(channel.conversation.id, by: bob)
            try await requireChatRefusal(.notFound(.conversation)) {
                try await chat.service.join(channel.conversation.id, by: mallory)
            }
            try await requireChatRefusal(.notFound(.organization)) {
                try await chat.service.organization(id, for: mallory)
            }
            try await requireChatRefusal(.notFound(.organization)) {
                try await chat.service.create(
                    NewConversation(type: .channel, title: "x", organization: id), by: mallory)
            }
            try await requireChatRefusal(.forbidden(.lacks(.administer))) {
                try await chat.service.updateOrganization(id, name: "Mine", summary: nil, by: bob)
            }
            try await requireChatRefusal(.alreadyMember) {
                try await chat.service.addOrganizationMember(bob.user, to: id, by: alice)
            }
            let changed = try await chat.service.updateOrganization(id, name: "Work", summary: "We work", by: alice)
            try requireEqual(changed.organization.name, "Work")
            try requireEqual(changed.organization.memberCount, 2)
            let listed = try await chat.service.organizations(offset: 0, limit: 5, for: bob)
            try requireEqual(listed.items.map(\.organization.summary), ["We work"])
            let members = try await chat.service.organizationMembers(of: id, offset: 0, limit: 5, for: bob)
            try requireEqual(members.items.map(\.role), [.owner, .member])
        },
        Check("who is removed from an organisation leaves its conversations, and their calls, in one step") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let carol = try await chat.person("carol")
            let id = try await chat.service.createOrganization(name: "Works", summary: nil, by: alice).organization.id
            for person in [bob, carol] {
                _ = try await chat.service.addOrganizationMember(person.user, to: id, by: alice)
            }
            func channel(_ owner: Principal, _ members: [UserID]) async throws -> ConversationID {
                let new = NewConversation(type: .channel, title: "x", organization: id, members: members)
                let view = try await chat.service.create(new, by: owner)
                return view.conversation.id
            }
            let foreign = try await channel(alice, [bob.user])
            let own = try await channel(bob, [carol.user])
            let lonely = try await channel(bob, [])
            let elsewhere = try await chat.room(bob)
            try await requireChatRefusal(.forbidden(.lacks(.administer))) {
                try await chat.service.removeOrganizationMember(bob.user, from: id, by: carol, origin: origin)
            }
            try await requireChatRefusal(.forbidden(.lastOwner)) {
                try await chat.service.removeOrganizationMember(alice.user, from: id, by: alice, origin: origin)
            }
            try await chat.service.removeOrganizationMember(bob.user, from: id, by: alice, origin: origin)
            for conversation in [foreign, own] {
                try requireEqual(chat.world.cut(conversation), [bob.user])
                try await requireChatRefusal(.notFound(.conversation)) {
                    try await chat.service.conversation(conversation, for: bob)
                }
            }
            try requireEqual(try await chat.service.conversation(own, for: carol).membership?.role, .owner)
            try requireEqual(try await chat.service.conversation(own, for: carol).conversation.owner, carol.user)
            try require(chat.world.isClosed(lonely), "a conversation of nobody goes on")
            _ = try await chat.service.conversation(elsewhere, for: bob)
        },
        Check("an organisation goes with its conversations") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.service.createOrganization(name: "Works", summary: nil, by: alice).organization.id
            _ = try await chat.service.addOrganizationMember(bob.user, to: id, role: .admin, by: alice)
            let channel = try await chat.service.create(
                NewConversation(type: .channel, title: "x", organization: id, members: [alice.user]), by: bob)
            try await requireChatRefusal(.forbidden(.lacks(.delete))) {
                try await chat.service.deleteOrganization(id, by: bob, origin: origin)
            }
            try await chat.service.deleteOrganization(id, by: alice, origin: origin)
            try await requireChatRefusal(.notFound(.conversation)) {
                try await chat.service.conversation(channel.conversation.id, for: bob)
            }
            try await requireChatRefusal(.notFound(.organization)) { try await chat.service.organization(id, for: bob) }
            try requireEqual(try await chat.service.organizations(offset: 0, limit: 5, for: bob).total, 0)
        },
    ]
}
