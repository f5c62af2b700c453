// WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): a peer connection for one POST. `docs/protocol/whip.md` is normative.
//
//     POST   /whip/{room}             an offer, answered with 201 and the session's address
//     PATCH  /whip/{room}/{session}   candidates, or an ICE restart
//     DELETE /whip/{room}/{session}   the end
//
// OPTIONS, and 405 for every other method, are the kernel's. Server-sent events, layer selection and server offers of
// WHEP are out of scope.

import Accounts
import Base
import Media
import Net
import Wire

enum MediaRoutes {
    static let table = DialectTable(
        .media, MediaFormat(),
        rows("whip", .publisher, "Publish to a room (WHIP)") + rows("whep", .viewer, "Watch a room (WHEP)"))

    static let descriptionType = "application/sdp"
    /// An offer of a browser with thirty sections is below this; WHIP has two.
    static let offerLimit = 128 << 10
    /// A fragment repeats the group line and one section with its candidates.
    static let fragmentLimit = 16 << 10
    /// Room names go into addresses and logs.
    static let roomNameLength = 1...64

    private static func rows(_ name: String, _ role: MediaService.Role, _ summary: String) -> [Route] {
        [
            .post(
                "/\(name)/{room}", .scope(.calls), summary, status: .created, limit: .callInitiation,
                body: .text(contentType: descriptionType, limit: offerLimit), answer: .text
            ) { call in
                try await join(call, role, under: name)
            }.answering(descriptionType),
            .patch(
                "/\(name)/{room}/{session}", .scope(.calls), "Add candidates, or restart ICE",
                orEmpty: .noContent, body: .text(contentType: TrickleFragment.contentType, limit: fragmentLimit),
                answer: .text
            ) { call in
                try await patch(call, role)
            }.answering(TrickleFragment.contentType),
            .delete("/\(name)/{room}/{session}", .scope(.calls), "End the session", status: .ok) { call in
                try await access(call).service.leave(try session(call, role))
                return .empty
            },
        ]
    }

    // MARK: Operations

    private static func join(_ call: Call, _ role: MediaService.Role, under name: String) async throws -> Reply {
        let media = try access(call)
        try requireAcceptance(of: descriptionType, call)
        let room = try roomName(call)
        let answer = try await media.service.join(
            room, as: role, owner: try call.principal.user.uuid,
            offer: String(decoding: call.bodyBytes, as: UTF8.self))
        var reply = Reply(body: .bytes(Bytes(answer.sdp.utf8)))
        reply.headers.add("Content-Type", descriptionType)
        reply.headers.add("Location", "/\(name)/\(room)/\(answer.session)")
        reply.headers.add("ETag", "\"\(answer.iceGeneration)\"")
        reply.headers.add("Accept-Patch", TrickleFragment.contentType)
        for server in media.iceServers { reply.headers.add("Link", "<\(server)>; rel=\"ice-server\"") }
        return reply
    }

    private static func patch(_ call: Call, _ role: MediaService.Role) async throws -> Reply {
        let media = try access(call)
        let patched = try await media.service.patch(
            try session(call, role), fragment: call.bodyBytes, if: try condition(call.request.head.headers))
        guard let answer = patched.answer else { return Reply(status: .noContent) }
        var reply = Reply(body: .bytes(Bytes(answer.utf8)))
        reply.headers.add("Content-Type", TrickleFragment.contentType)
        reply.headers.add("ETag", "\"\(patched.iceGeneration)\"")
        return reply
    }

    // MARK: What the request names

    private static func access(_ call: Call) throws(NegotiationFault) -> MediaAccess {
        guard let media = call.services.media else { throw .mediaIsOff }
        return media
    }

    private static func roomName(_ call: Call) throws(RequestFault) -> String {
        let name = call.parameter("room")
        guard roomNameLength.contains(name.utf8.count) else {
            throw .validation(
                FieldFault("room", .length, "must be 1 to \(roomNameLength.upperBound) characters long"))
        }
        let isPlain = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                true
            default: false
            }
        }
        guard isPlain else {
            throw .validation(FieldFault("room", .format, "must be made of letters, digits, `-`, `_`, `.` and `~`"))
        }
        return name
    }

    /// The session that the path names, if it is the caller's: that of somebody else is not there at all.
    private static func session(_ call: Call, _ role: MediaService.Role) throws -> UUID {
        let media = try access(call)
        let caller = try call.principal
        guard let id = UUID(call.parameter("session")), let session = media.service.session(id),
            session.room == call.parameter("room"), session.role == role,
            session.owner == caller.user.uuid || caller.isAdmin || caller.scopes.contains(.callsAdmin)
        else { throw MediaError.noSuchSession }
        return id
    }

    /// Of several tags, or one that is none, nothing can be meant here.
    private static func condition(_ headers: RequestHeaders) throws(MediaError) -> FragmentCondition {
        guard let text = headers.list(of: "if-match") else { return .none }
        if text == "*" { return .any }
        guard let tag = EntityTag(text), !tag.isWeak else { throw .otherGeneration }
        return .generation(tag.opaque)
    }

    /// RFC 9110 §12.5.1, as far as one type needs it: named exactly or by a range, and not with `q=0`.
    private static func requireAcceptance(of type: String, _ call: Call) throws(NegotiationFault) {
        guard let accepted = call.request.head.headers.list(of: "accept") else { return }
        let ranges = [type, "\(type.prefix { $0 != "/" })/*", "*/*"]
        for item in accepted.split(separator: ",") {
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let range = parts.first, ranges.contains(range) else { continue }
            let isRefused = parts.dropFirst().contains { ["q=0", "q=0.", "q=0.0", "q=0.00", "q=0.000"].contains($0) }
            if !isRefused { return }
        }
        throw .notAcceptable(offered: type)
    }
}
