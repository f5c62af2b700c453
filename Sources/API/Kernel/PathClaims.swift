// Which dialect a path belongs to: the one place that knows what the documents share.
//
// The owner of a path decides the format of every failure on it, also where no route exists. Three paths are claimed
// by two documents; there the request itself decides (`choose`).

import Base
import Net
import Wire

enum PathClaims {
    /// The dialect that answers for a path, by its first segments.
    static func owner(of segments: [String]) -> Dialect {
        switch segments.first {
        case "v1": .design
        // Two documents claim this one; a failure before the choice is worded by the first of them.
        case "api" where segments == ["api", "v1", "calls", "initiate"]: .manual
        case "api" where segments.count > 1 && segments[1] == "v1": ownerUnderAPI(segments.dropFirst(2).first)
        case "docs", "redoc", "openapi.json", "ws": .reference
        case "auth", "users", "chatrooms", "upload", "health", "metrics": .rooms
        case "whip", "whep": .media
        default: .manual
        }
    }

    /// For a path that cannot be read as segments (a wrong percent sign, say): by what stands there.
    static func owner(ofUnread path: String) -> Dialect {
        owner(of: path.split(separator: "/", maxSplits: segmentsThatDecide).map(String.init))
    }

    /// No claim looks at more segments than these.
    private static let segmentsThatDecide = 5

    private static func ownerUnderAPI(_ resource: String?) -> Dialect {
        switch resource {
        case "auth", "users", "messages", "files", "ai", "admin": .reference
        case "conversations", "chat", "calls": .calls
        default: .manual
        }
    }

    /// manual.md is mounted at `/` and, where nobody else claims the path, at `/api/v1/` too.
    static func routingSegments(_ segments: [String]) -> ArraySlice<String> {
        let isUnderAPI = segments.count > 2 && segments[0] == "api" && segments[1] == "v1"
        return isUnderAPI && ownerUnderAPI(segments[2]) == .manual ? segments.dropFirst(2) : segments[...]
    }

    /// Decides between dialects that have a route for the same method and path.
    ///
    /// - `/api/v1/messages`: `channel_id` means reference, `conversation_id` calls; with neither, a trailing slash
    ///   means calls.
    /// - `/api/v1/calls/initiate`: `to_user_id` means manual, else calls.
    static func choose(
        among dialects: [Dialect], hasTrailingSlash: Bool, mentions: (String) -> Bool
    ) -> Dialect? {
        if dialects.count < 2 { return dialects.first }
        if dialects.contains(.manual), dialects.contains(.calls) { return mentions("to_user_id") ? .manual : .calls }
        if mentions("channel_id") { return .reference }
        if mentions("conversation_id") { return .calls }
        return hasTrailingSlash ? .calls : .reference
    }

    /// Rows of the documents that this version does not serve: they answer 501 in their dialect, so that nobody takes
    /// a missing feature for a wrong address. One pattern a line, `*` for any segment; `docs/protocol/dialects.md` shows the same list.
    static let notBuiltYet: [(prefix: [String], what: String)] = [
        (["cluster"], "Cluster management"),
        (["security", "ddos"], "The security API"),
        (["security", "events"], "The security API"),
        (["plugins"], "Plugins"),
        (["api", "v1", "ai"], "The assistant"),
    ]

    static func missingFeature(at segments: ArraySlice<String>) -> String? {
        notBuiltYet.first { segments.starts(with: $0.prefix) { $1 == "*" || $0 == $1 } }?.what
    }
}
