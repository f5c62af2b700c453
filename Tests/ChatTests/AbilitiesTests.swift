// What roles and rules come to, as docs/chat/model.md has it.

import Chat
import Testing

@Suite struct AbilitiesTests {
    @Test func `each rank has what the one below has`() {
        for type in ConversationType.allCases {
            let ranks = MemberRole.allCases.map { Abilities.base(of: $0, in: type) }
            for (lower, higher) in zip(ranks, ranks.dropFirst()) { #expect(higher.isSuperset(of: lower)) }
            #expect(ranks.last == Abilities.possible(in: type))
        }
    }

    @Test func `a member reads and speaks, a moderator keeps order, an owner alone gives permissions`() {
        let member = Abilities.base(of: .member, in: .channel)
        #expect(member.isSuperset(of: [.view, .send, .react, .thread, .attach, .joinVoice]))
        #expect(member.isDisjoint(with: [.invite, .manageMembers, .manageMessages, .pin]))
        #expect(Abilities.base(of: .moderator, in: .room).isSuperset(of: [.invite, .manageMembers, .pin]))
        #expect(!Abilities.base(of: .admin, in: .room).contains(.managePermissions))
        #expect(Abilities.base(of: .owner, in: .room) == .all)
    }

    @Test func `in a direct conversation nobody manages anybody`() {
        #expect(Abilities.possible(in: .direct).isDisjoint(with: [.manageMembers, .invite, .delete, .administer]))
        #expect(Abilities.base(of: .member, in: .direct).contains(.pin))
    }

    @Test func `names go both ways, and unknown ones are none`() {
        #expect(Abilities.all.names.count == 14)
        for name in Abilities.all.names { #expect(Abilities(name: name)?.names == [name]) }
        #expect(Abilities(name: "root") == nil)
        #expect(MemberRole(name: "admin") == .admin)
        #expect(MemberRole(name: "Admin") == nil)
        #expect(MessageType(name: "document") == .file)
        #expect(ConversationVisibility(name: "invite_only") == .inviteOnly)
    }
}
