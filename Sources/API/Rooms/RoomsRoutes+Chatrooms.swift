// rooms.md, "Chatroom Management Endpoints".

import Accounts
import Base
import Chat
import Wire

extension RoomsRoutes {
    static var chatrooms: [Route] {
        [
            .get(
                "/chatrooms", .user, "Chatrooms that the caller is in",
                query: NumberedPage.parameters(size: "limit", default: 20) + [
                    Parameter("search", .text(0...100), "In the name")
                ], answer: RoomsPresenter.envelope(listSchema)
            ) { call in try await list(call) },
            .post(
                "/chatrooms", .user, "Create a chatroom; the caller becomes its owner", status: .created,
                body: .json(
                    .object(
                        [
                            .required("name", ChatFields.title), .required("is_private", .boolean),
                        ] + settingProperties)),
                answer: RoomsPresenter.envelope(.object([.required("chatroom", RoomsChatPresenter.createdSchema)]))
            ) { call in
                let view = try await call.chat.create(try newRoom(call), by: try call.principal)
                return RoomsPresenter.reply { json in
                    json.object("chatroom") { RoomsChatPresenter.created(view, into: &$0) }
                }
            },
            .get(
                "/chatrooms/{chatroom_id}", .standing(.member), "A chatroom with its members",
                answer: RoomsPresenter.envelope(
                    .object([
                        .required("chatroom", RoomsChatPresenter.detailedSchema),
                        .required(
                            "members", .array(RoomsChatPresenter.memberSchema, limit: ChatFields.shownMembers),
                            "The first thousand, by rank and then by time"),
                        .required("user_role", RoomsChatPresenter.roleSchema),
                    ]))
            ) { call in try await details(call) },
            .put(
                "/chatrooms/{chatroom_id}", .standing(.moderator), "Change a chatroom",
                body: .json(.object([.optional("name", ChatFields.title)] + settingProperties)),
                answer: RoomsPresenter.envelope(.object([.required("chatroom", RoomsChatPresenter.detailedSchema)]))
            ) { call in
                let view = try await call.chat.update(
                    try call.conversationID("chatroom_id"), changes(call), by: try call.principal)
                return RoomsPresenter.reply { json in
                    json.object("chatroom") { RoomsChatPresenter.detailed(view, into: &$0) }
                }
            },
            .delete(
                "/chatrooms/{chatroom_id}", .standing(.owner), "Delete a chatroom with everything in it", status: .ok,
                answer: RoomsPresenter.doneEnvelope
            ) { call in
                try await call.chat.delete(
                    try call.conversationID("chatroom_id"), by: try call.principal, origin: call.origin)
                return RoomsPresenter.done("Chatroom deleted")
            },
        ]
    }

    static var invitations: [Route] {
        [
            .post(
                "/chatrooms/{chatroom_id}/invite", .standing(.moderator), "Make an invitation; its code is shown once",
                status: .created,
                body: .optionalJSON(
                    .object([
                        .optional("max_uses", ChatFields.maxUses, "1 where it is not given"),
                        .optional("expires_in_hours", ChatFields.expiresInHours, "24 where it is not given"),
                    ])), answer: RoomsPresenter.envelope(.object([.required("invitation", invitationSchema)]))
            ) { call in
                let made = try await call.chat.invite(
                    to: try call.conversationID("chatroom_id"),
                    maxUses: call.body["max_uses"]?.integerValue.map { Int($0) } ?? 1,
                    lifetime: call.body["expires_in_hours"]?.integerValue.map { Duration.hours(Int($0)) },
                    by: try call.principal)
                let link = try call.chatAccess.link(to: made)
                return RoomsPresenter.reply { json in
                    json.object("invitation") { invitation(made, link, into: &$0) }
                }
            },
            .post(
                "/chatrooms/join/{invite_code}", .user, "Join a chatroom by an invitation",
                answer: RoomsPresenter.envelope(.object([.required("chatroom", RoomsChatPresenter.joinedSchema)]))
            ) { call in
                let view = try await call.chat.accept(call.parameter("invite_code"), by: try call.principal)
                return RoomsPresenter.reply { json in
                    json.object("chatroom") { json in
                        RoomsChatPresenter.identity(view, into: &json)
                        json.field("member_count", view.conversation.memberCount)
                        json.field("role", RoomsChatPresenter.role(view.membership?.role ?? .member))
                    }
                }
            },
            .post(
                "/chatrooms/{chatroom_id}/leave", .standing(.member), "Leave a chatroom",
                answer: RoomsPresenter.doneEnvelope
            ) { call in
                try await call.chat.leave(try call.conversationID("chatroom_id"), by: try call.principal)
                return RoomsPresenter.done("Left the chatroom")
            },
        ]
    }

    // MARK: Operations

    private static func list(_ call: Call) async throws -> Reply {
        let page = NumberedPage(call, size: "limit", default: 20)
        let filter = ConversationFilter(search: call.queryText("search"), offset: page.offset, limit: page.size)
        let found = try await call.chat.conversations(filter, for: try call.principal)
        let people = try await call.chat.people(Set(found.items.compactMap { $0.lastMessage?.sender }))
        let counted = page.with(total: found.total)
        return RoomsPresenter.reply { json in
            json.array("chatrooms") { json in
                for view in found.items { json.object { RoomsChatPresenter.listed(view, people, into: &$0) } }
            }
            json.object("pagination") { json in
                json.field("page", counted.number)
                json.field("limit", counted.size)
                json.field("total", counted.total)
                json.field("pages", counted.count)
            }
        }
    }

    private static func details(_ call: Call) async throws -> Reply {
        let (id, principal) = (try call.conversationID("chatroom_id"), try call.principal)
        let view = try await call.chat.conversation(id, for: principal)
        guard let membership = view.membership else { throw ChatError.forbidden(.notMember) }
        let members = try await call.chat.members(
            of: id, offset: 0, limit: ChatFields.shownMembers, for: principal
        ).items
        let online = call.online(among: members.map(\.member.user))
        return RoomsPresenter.reply { json in
            json.object("chatroom") { RoomsChatPresenter.detailed(view, into: &$0) }
            json.array("members") { json in
                for entry in members {
                    json.object { json in
                        RoomsChatPresenter.member(
                            entry, isOnline: online.contains(entry.member.user), into: &json)
                    }
                }
            }
            json.field("user_role", RoomsChatPresenter.role(membership.role))
        }
    }

    private static func newRoom(_ call: Call) throws(RequestFault) -> NewConversation {
        var settings = ConversationSettings()
        settings.hasAutomaticSummary =
            call.body["auto_summary_enabled"]?.boolValue ?? settings.hasAutomaticSummary
        settings.summaryThreshold =
            call.body["summary_threshold"]?.integerValue.map { Int($0) } ?? settings.summaryThreshold
        return NewConversation(
            type: .room, visibility: call.body["is_private"]?.boolValue == false ? .public : .private,
            title: try call.text("name"), summary: call.optionalText("description"),
            maxMembers: call.body["max_members"]?.integerValue.map { Int($0) }, settings: settings)
    }

    private static func changes(_ call: Call) -> ConversationChanges {
        var changes = ConversationChanges()
        changes.title = call.optionalText("name")
        changes.summary = call.clearableText("description")
        changes.maxMembers = call.body["max_members"]?.integerValue.map { Int($0) }
        changes.hasAutomaticSummary = call.body["auto_summary_enabled"]?.boolValue
        changes.summaryThreshold = call.body["summary_threshold"]?.integerValue.map { Int($0) }
        return changes
    }

    // MARK: Values

    private static let settingProperties: [Property] = [
        .optional("description", .nullable(ChatFields.summary)), .optional("max_members", ChatFields.maxMembers),
        .optional("auto_summary_enabled", .boolean), .optional("summary_threshold", ChatFields.summaryThreshold),
    ]

    private static let listSchema = Schema.object([
        .required("chatrooms", .array(RoomsChatPresenter.listedSchema, limit: NumberedPage.sizeMax)),
        .required(
            "pagination",
            .object([
                .required("page", .count), .required("limit", .count), .required("total", .count),
                .required("pages", .count),
            ])),
    ])

    private static func invitation(_ made: NewInvitation, _ link: String, into json: inout JSONWriter) {
        json.field("id", made.invitation.id)
        json.field("invite_code", made.code.exposedText)
        json.field("invite_url", link)
        json.field("max_uses", made.invitation.maxUses)
        json.field("current_uses", made.invitation.uses)
        json.field("expires_at", made.invitation.expiresAt)
        json.field("created_at", made.invitation.createdAt)
    }

    private static let invitationSchema = Schema.named(
        "RoomsInvitation",
        .object([
            .required("id", .uuid), .required("invite_code", .text), .required("invite_url", .text),
            .required("max_uses", .nullable(.count)), .required("current_uses", .count),
            .required("expires_at", .nullable(.dateTime)), .required("created_at", .dateTime),
        ]))
}
