// calls.md, "Video & Audio Calls API".

import Accounts
import Base
import Signaling
import Wire

enum CallsRoutes {
    static let table = DialectTable(
        .calls, CallsFormat(),
        management + history + SignalingRows.calls + messages + conversations + members + devices + sealing
            + LiveRows.calls)

    private static var management: [Route] {
        [
            .post(
                "/api/v1/calls/initiate", .user, "Call people", status: .created,
                body: .json(
                    .object([.required("participants", CallFields.people), .required("call_type", CallFields.kind)])),
                answer: .object(
                    [
                        .required("call_id", .uuid), .required("status", .choice(["initiated"])),
                        .required("participants", CallFields.people), .required("type", CallFields.kind),
                    ] + CallsPresenter.tokenProperties)
            ) { call in
                let kind = CallKind(rawValue: try call.text("call_type")) ?? .video
                let admission = try await call.callService.initiate(
                    NewCall(kind: kind, invited: try call.users("participants")), by: try call.principal)
                return CallsPresenter.reply { json in
                    json.field("call_id", admission.call.id)
                    json.field("status", "initiated")
                    json.field("participants", admission.call.participants.map(\.user.description))
                    json.field("type", admission.call.kind.rawValue)
                    CallsPresenter.token(admission, into: &json)
                }
            },
            .post(
                "/api/v1/calls/{call_id}/join", .participant, "Accept, enter or come back",
                answer: .object(
                    [.required("call_id", .uuid), .required("status", .choice(["joined"]))]
                        + CallsPresenter.tokenProperties)
            ) { call in
                let admission = try await call.callService.join(
                    try call.identifier("call_id"), by: try call.principal)
                return CallsPresenter.reply { json in
                    json.field("call_id", admission.call.id)
                    json.field("status", "joined")
                    CallsPresenter.token(admission, into: &json)
                }
            },
            .post(
                "/api/v1/calls/{call_id}/end", .participant, "Hang up, decline, cancel, or end for all",
                answer: .object([.required("message", .text)])
            ) { call in
                try await call.callService.end(try call.identifier("call_id"), by: try call.principal)
                return CallsPresenter.reply { $0.field("message", "Call ended") }
            },
        ]
    }

    private static var history: [Route] {
        [
            .get(
                "/api/v1/calls", .user, "Calls that are on",
                answer: .object([.required("active_calls", .array(CallsPresenter.callSchema, limit: 1_000))])
            ) { call in
                let calls = try await call.callService.activeCalls(of: try call.principal.user)
                return CallsPresenter.reply { json in
                    json.array("active_calls") { json in
                        for one in calls { json.object { CallsPresenter.call(one, into: &$0) } }
                    }
                }
            },
            .get(
                "/api/v1/calls/history", .user, "Calls that are over",
                query: [
                    Parameter("skip", .integer(0...1_000_000), "Calls to leave out"),
                    Parameter("limit", .integer(1...100), "Calls in an answer; 50 where it is not given"),
                    Parameter("conversation_id", .uuid, "Only calls of this conversation"),
                ],
                answer: .object([
                    .required("data", .array(CallsPresenter.logSchema, limit: 100)), .required("count", .count),
                ])
            ) { call in
                let reader = try call.principal.user
                let page = try await call.callService.history(
                    of: reader, conversation: conversation(call), offset: call.queryInteger("skip", default: 0),
                    limit: call.queryInteger("limit", default: 50))
                return CallsPresenter.reply { json in
                    json.array("data") { json in
                        for one in page.items { json.object { CallsPresenter.log(one, for: reader, into: &$0) } }
                    }
                    json.field("count", page.total)
                }
            },
            .get(
                "/api/v1/calls/{call_id}", .participant, "One call", answer: CallsPresenter.callSchema
            ) { call in
                let found = try await call.callService.call(
                    try call.identifier("call_id"), for: try call.principal)
                return CallsPresenter.reply { CallsPresenter.call(found, into: &$0) }
            },
        ]
    }

    /// With or without a prefix, as everywhere.
    private static func conversation(_ call: Call) -> UUID? {
        call.queryText("conversation_id").flatMap { text in
            UUID(text.split(separator: "_", maxSplits: 1).last.map(String.init) ?? text)
        }
    }
}
