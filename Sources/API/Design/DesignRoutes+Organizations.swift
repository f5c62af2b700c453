// design.md, "Organizations & Workspaces".

import Accounts
import Base
import Chat
import Wire

extension DesignRoutes {
    static var organizations: [Route] {
        [
            .get(
                "/v1/organizations", .user, "Organizations that the caller belongs to", query: listParameters,
                answer: DesignPresenter.listEnvelope(organizationSchema)
            ) { call in
                let page = NumberedPage(call, size: "per_page", default: 50)
                let found = try await call.chat.organizations(
                    offset: page.offset, limit: page.size, for: try call.principal)
                return DesignPresenter.list(call, page.with(total: found.total)) { json in
                    for view in found.items { json.object { write(view, into: &$0) } }
                }
            },
            .post(
                "/v1/organizations", .user, "Create an organization; the caller becomes its owner", status: .created,
                body: .json(
                    .object([
                        .required("name", ChatFields.title), .optional("description", .nullable(ChatFields.summary)),
                    ])), answer: organizationEnvelope
            ) { call in
                reply(
                    try await call.chat.createOrganization(
                        name: try call.text("name"), summary: call.optionalText("description"),
                        by: try call.principal), call)
            },
            .get(
                "/v1/organizations/{id}", .standing(.member), "One organization", answer: organizationEnvelope
            ) { call in
                reply(try await call.chat.organization(try call.identifier("id"), for: try call.principal), call)
            },
            .put(
                "/v1/organizations/{id}", .standing(.organizationAdmin), "Change an organization",
                body: .json(
                    .object([
                        .optional("name", ChatFields.title), .optional("description", .nullable(ChatFields.summary)),
                    ])), answer: organizationEnvelope
            ) { call in
                reply(
                    try await call.chat.updateOrganization(
                        try call.identifier("id"), name: call.optionalText("name"),
                        summary: call.clearableText("description"), by: try call.principal), call)
            },
            .delete(
                "/v1/organizations/{id}", .standing(.organizationOwner), "Delete an organization with its channels"
            ) { call in
                try await call.chat.deleteOrganization(
                    try call.identifier("id"), by: try call.principal, origin: call.origin)
                return .empty
            },
        ]
    }

    static var organizationMembers: [Route] {
        [
            .get(
                "/v1/organizations/{id}/members", .standing(.member), "Who belongs to it", query: listParameters,
                answer: DesignPresenter.listEnvelope(organizationMemberSchema)
            ) { call in
                let page = NumberedPage(call, size: "per_page", default: 50)
                let found = try await call.chat.organizationMembers(
                    of: try call.identifier("id"), offset: page.offset, limit: page.size, for: try call.principal)
                return DesignPresenter.list(call, page.with(total: found.total)) { json in
                    for member in found.items { json.object { write(member, into: &$0) } }
                }
            },
            .post(
                "/v1/organizations/{id}/members", .standing(.organizationAdmin), "Add somebody to an organization",
                status: .created,
                body: .json(.object([.required("user_id", .uuid), .optional("role", ChatFields.roles)])),
                answer: DesignPresenter.envelope(organizationMemberSchema)
            ) { call in
                let member = try await call.chat.addOrganizationMember(
                    try call.person(named: "user_id"), to: try call.identifier("id"),
                    role: call.optionalText("role").flatMap(MemberRole.init(name:)) ?? .member, by: try call.principal)
                return DesignPresenter.reply(call) { write(member, into: &$0) }
            },
            .delete(
                "/v1/organizations/{id}/members/{user_id}", .standing(.organizationAdmin),
                "Remove somebody from an organization, its channels and their calls; oneself: leave"
            ) { call in
                try await call.chat.removeOrganizationMember(
                    try call.identifier("user_id"), from: try call.identifier("id"), by: try call.principal,
                    origin: call.origin)
                return .empty
            },
        ]
    }

    // MARK: Values

    private static func reply(_ view: OrganizationView, _ call: Call) -> Reply {
        DesignPresenter.reply(call) { write(view, into: &$0) }
    }

    private static func write(_ view: OrganizationView, into json: inout JSONWriter) {
        let organization = view.organization
        json.field("id", organization.id)
        json.field("name", organization.name)
        json.field("description", organization.summary)
        json.field("created_by", organization.creator)
        json.field("member_count", organization.memberCount)
        json.field("role", view.role.name)
        json.field("created_at", organization.createdAt)
        json.field("updated_at", organization.updatedAt)
    }

    static func write(_ member: OrganizationMember, into json: inout JSONWriter) {
        json.field("user_id", member.person.id)
        DesignChatPresenter.person(member.person, into: &json)
        json.field("role", member.role.name)
        json.field("joined_at", member.joinedAt)
    }

    private static let organizationSchema = Schema.named(
        "DesignOrganization",
        .object([
            .required("id", .uuid), .required("name", .text), .required("description", .nullable(.text)),
            .required("created_by", .uuid), .required("member_count", .count),
            .required("role", ChatFields.roles, "The caller's"), .required("created_at", .dateTime),
            .required("updated_at", .dateTime),
        ]))
    private static let organizationEnvelope = DesignPresenter.envelope(organizationSchema)
    static let organizationMemberSchema = Schema.named(
        "DesignOrganizationMember",
        .object(
            [.required("user_id", .uuid)] + DesignChatPresenter.personProperties + [
                .required("role", ChatFields.roles), .required("joined_at", .dateTime),
            ]))
}
