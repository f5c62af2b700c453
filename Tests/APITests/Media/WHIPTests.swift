import Accounts
import Base
import Media
import Net
import TestKit
import Testing
import Wire

@testable import API

/// WHIP and WHEP over HTTP: every status that `docs/protocol/whip.md` lists. No datagram is sent here.
@Suite struct WHIPTests {
    private static let sdp = "application/sdp"
    private static let fragment = TrickleFragment.contentType
    private static let whip = sourceText("Tests/Vectors/sdp/chromium156-local-whip-sendonly-maxbundle-offer.sdp")
    private static let whep = sourceText("Tests/Vectors/sdp/firefox153esr-local-whep-recvonly-offer.sdp")
    private static let restart =
        "a=ice-ufrag:AbCd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    private static let candidate =
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host\r\n"

    private func run(
        _ settings: MediaSettings = MediaSettings(), iceServers: [String] = [], scale: Double = 0,
        _ body: (APIHarness, MediaService) async throws -> Void
    ) async throws {
        let media = try await TestMedia.make(settings: settings)
        var setup = APIHarness.Setup()
        setup.media = MediaAccess(service: media.service, iceServers: iceServers)
        setup.options.cors = CORSPolicy(origins: ["https://app.example.org"])
        setup.limits.scale = scale
        try await APIHarness.run(setup) { api in try await body(api, media.service) }
        await media.service.stop()
    }

    private func post(
        _ api: APIHarness, _ path: String, _ offer: String = whip, as person: APIHarness.Person?,
        type: String? = sdp, headers: [(String, String)] = []
    ) async throws -> TestAnswer {
        let all = headers + (type.map { [("Content-Type", $0)] } ?? [])
        var request = TestRequest(.post, path, "", as: person, headers: all)
        request.body = Bytes(offer.utf8)
        return try await api.send(request)
    }

    private func patch(
        _ api: APIHarness, _ path: String, _ text: String, as person: APIHarness.Person?, match: String?,
        type: String = fragment
    ) async throws -> TestAnswer {
        let headers = [("Content-Type", type)] + (match.map { [("If-Match", $0)] } ?? [])
        return try await api.send(TestRequest(.patch, path, text, as: person, headers: headers))
    }

    // MARK: The way of a session

    @Test func `an offer is answered with a session, which is restarted and ended`() async throws {
        try await run(iceServers: ["stun:stun.example.org:3478", "turn:turn.example.org?transport=udp"]) {
            api, service in
            let alice = try await api.register()
            let made = try await post(api, "/whip/stage", as: alice)
            #expect(made.status == 201)
            #expect(made.header("content-type") == "application/sdp")
            #expect(made.header("accept-patch") == "application/trickle-ice-sdpfrag")
            #expect(
                made.headers("link") == [
                    "<stun:stun.example.org:3478>; rel=\"ice-server\"",
                    "<turn:turn.example.org?transport=udp>; rel=\"ice-server\"",
                ])
            let answer = try SessionDescription(parsing: made.body)
            #expect(answer.isICELite)
            #expect(answer.media.count == 2)
            #expect(answer.media.allSatisfy { $0.port != 0 })
            // One for datagrams, one for connections.
            #expect(answer.media[0].candidates.count == 2)
            let place = try #require(made.header("location"))
            #expect(place.hasPrefix("/whip/stage/"))
            let tag = try #require(made.header("etag"))
            #expect(tag == "\"\(answer.transport(of: answer.media[0]).ufrag ?? "")\"")
            #expect(service.sessionCount == 1)

            let taken = try await patch(api, place, Self.candidate, as: alice, match: tag)
            #expect(taken.status == 204 && taken.header("etag") == nil)
            let restarted = try await patch(api, place, Self.restart, as: alice, match: "*")
            #expect(restarted.status == 200)
            #expect(restarted.header("content-type") == Self.fragment)
            let fresh = try TrickleFragment(parsing: restarted.body)
            #expect(restarted.header("etag") == "\"\(fresh.effectiveUfrag ?? "")\"")
            #expect(restarted.header("etag") != tag)
            #expect(try await patch(api, place, Self.candidate, as: alice, match: tag).status == 412)

            #expect(try await api.delete(place, as: alice).status == 200)
            #expect(service.sessionCount == 0)
            #expect(try await api.delete(place, as: alice).status == 404)
            #expect(try await patch(api, place, Self.candidate, as: alice, match: "*").status == 404)
        }
    }

    @Test func `a viewer's answer sends in every section`() async throws {
        try await run { api, _ in
            let alice = try await api.register()
            let made = try await post(api, "/whep/stage", Self.whep, as: alice)
            #expect(made.status == 201)
            #expect(made.header("location")?.hasPrefix("/whep/stage/") == true)
            let answer = try SessionDescription(parsing: made.body)
            #expect(answer.media.allSatisfy { answer.direction(of: $0) == .sendOnly })
        }
    }

    // MARK: What is refused

    @Test func `what is no offer is 422 with the line and the reason`() async throws {
        try await run { api, service in
            let alice = try await api.register()
            for offer in ["", "v=0", "v=1\r\n", String(Self.whip.prefix(300)), "{}"] {
                let refused = try await post(api, "/whip/stage", offer, as: alice)
                #expect(refused.status == 422)
                #expect(refused.header("content-type") == "application/problem+json")
                #expect(refused.string("code") == "sdp_invalid")
                #expect(refused["status"]?.integerValue == 422)
                #expect(refused.string("info.reason")?.isEmpty == false)
            }
            let refused = try await post(api, "/whip/stage", "v=0", as: alice)
            #expect(refused["info.line"]?.integerValue == 2)
            #expect(service.sessionCount == 0)
        }
    }

    @Test func `another content type is 415, and an answer that is not wanted 406`() async throws {
        try await run { api, _ in
            let alice = try await api.register()
            for type in ["application/json", "text/plain", "application/sdpx", "", nil] {
                let refused = try await post(api, "/whip/stage", as: alice, type: type)
                #expect(refused.status == 415)
                #expect(refused.string("code") == "unsupported_media_type")
            }
            #expect(try await post(api, "/whip/stage", as: alice, type: "Application/SDP; charset=utf-8").status == 201)
            let accepts = [
                ("application/sdp", 201), ("*/*", 201), ("text/html, application/*;q=0.1", 201),
                ("application/json", 406), ("application/sdp;q=0", 406), ("", 406),
            ]
            for (accept, status) in accepts {
                let answer = try await post(api, "/whip/stage", as: alice, headers: [("Accept", accept)])
                #expect(answer.status == status, "\(accept)")
            }
            let made = try await post(api, "/whip/stage", as: alice)
            let place = try #require(made.header("location"))
            #expect(try await patch(api, place, Self.candidate, as: alice, match: "*", type: Self.sdp).status == 415)
        }
    }

    @Test func `an offer that is too long is 413`() async throws {
        try await run { api, _ in
            let alice = try await api.register()
            let long = Self.whip + String(repeating: "a=x\r\n", count: 40_000)
            #expect(try await post(api, "/whip/stage", long, as: alice).status == 413)
        }
    }

    @Test(arguments: [
        ("/whip/" + String(repeating: "x", count: 65), 400), ("/whip/a%20b", 400), ("/whip/%C3%A4", 400),
        ("/whip/a:b", 400), ("/whip", 404), ("/whip/" + String(repeating: "x", count: 64), 201),
        ("/whip/a.b-c_d~e", 201),
    ])
    func `a room's name is bounded`(_ path: String, _ status: Int) async throws {
        try await run { api, _ in
            let alice = try await api.register()
            #expect(try await post(api, path, as: alice).status == status)
        }
    }

    @Test func `who may not call is refused`() async throws {
        try await run { api, service in
            let alice = try await api.register()
            let refused = try await post(api, "/whip/stage", as: nil)
            #expect(refused.status == 401 && refused.header("www-authenticate") == "Bearer")
            let machine = try await api.machine("backup", .service, .backups)
            #expect(try await post(api, "/whip/stage", as: machine).status == 403)
            let encoder = try await api.machine("encoder", .service, .calls)
            #expect(try await post(api, "/whip/stage", as: encoder).status == 201)
            for (permissions, status) in [("\"read\"", 403), ("\"calls\"", 201)] {
                let body = #"{"name": "obs", "permissions": [\#(permissions)]}"#
                let key = try #require(try await api.post("/api/v1/auth/api-keys", body, as: alice).string("key"))
                for header in [("X-API-Key", key)] {
                    let answer = try await post(api, "/whip/stage", as: nil, headers: [header])
                    #expect(answer.status == status, "\(permissions)")
                }
            }
            #expect(service.sessionCount == 2)
        }
    }

    @Test func `a session is its maker's, at its own address`() async throws {
        try await run { api, service in
            let alice = try await api.register()
            let bob = try await api.register("bob")
            let root = try await api.administrator()
            let place = try #require(try await post(api, "/whip/stage", as: alice).header("location"))
            #expect(try await patch(api, place, Self.restart, as: bob, match: "*").status == 404)
            #expect(try await api.delete(place, as: bob).status == 404)
            let elsewhere = place.replacing("/whip/stage", with: "/whip/other")
            #expect(try await api.delete(elsewhere, as: alice).status == 404)
            #expect(try await api.delete(place.replacing("/whip/", with: "/whep/"), as: alice).status == 404)
            #expect(try await api.delete("/whip/stage/nobody", as: alice).status == 404)
            #expect(service.sessionCount == 1)
            #expect(try await api.delete(place, as: root).status == 200)
        }
    }

    // MARK: Fragments

    @Test func `what a fragment must say`() async throws {
        try await run { api, _ in
            let alice = try await api.register()
            let made = try await post(api, "/whip/stage", as: alice)
            let place = try #require(made.header("location"))
            let tag = try #require(made.header("etag"))
            let rows: [(text: String, match: String?, status: Int, code: String?)] = [
                (Self.candidate, nil, 204, nil), (Self.candidate, "*", 204, nil),
                (Self.candidate, "\"other\"", 412, "precondition_failed"),
                (Self.candidate, "W/\(tag)", 412, "precondition_failed"),
                (Self.candidate, "nonsense", 412, "precondition_failed"),
                (Self.restart, nil, 428, "precondition_required"),
                ("nonsense", "*", 422, "sdp_invalid"),
                (Self.candidate.replacing("mid:0", with: "mid:9"), "*", 422, "sdp_invalid"),
            ]
            for row in rows {
                let answer = try await patch(api, place, row.text, as: alice, match: row.match)
                #expect(answer.status == row.status, "\(row)")
                #expect(answer.string("code") == row.code, "\(row)")
            }
            // What is refused ends nothing.
            #expect(try await patch(api, place, Self.restart, as: alice, match: tag).status == 200)
        }
    }

    // MARK: Bounds

    @Test func `a full room, a full server and one that takes no calls say 503`() async throws {
        var settings = MediaSettings()
        settings.limits.sessions = 3
        settings.limits.sessionsPerRoom = 2
        try await run(settings) { api, service in
            let alice = try await api.register()
            let first = try await post(api, "/whip/stage", as: alice)
            #expect(try await post(api, "/whep/stage", Self.whep, as: alice).status == 201)
            let full = try await post(api, "/whip/stage", as: alice)
            #expect(full.status == 503 && full.string("code") == "room_full")
            #expect(full.header("retry-after") != nil)
            #expect(try await post(api, "/whip/other", as: alice).status == 201)
            #expect(try await post(api, "/whip/third", as: alice).string("code") == "server_full")
            #expect(try await api.delete(try #require(first.header("location")), as: alice).status == 200)
            #expect(try await post(api, "/whip/third", as: alice).status == 201)
            await service.stop()
            #expect(try await post(api, "/whip/stage", as: alice).status == 503)
        }
        try await APIHarness.run { api in
            let alice = try await api.register()
            #expect(try await post(api, "/whip/stage", as: alice).string("code") == "media_disabled")
        }
    }

    @Test func `a refused offer leaves no place taken`() async throws {
        var settings = MediaSettings()
        settings.limits.sessions = 1
        try await run(settings) { api, _ in
            let alice = try await api.register()
            for _ in 0..<3 { #expect(try await post(api, "/whip/stage", "v=0", as: alice).status == 422) }
            #expect(try await post(api, "/whip/stage", as: alice).status == 201)
        }
    }

    @Test func `joining and updating have limits of their own`() async throws {
        try await run(scale: 1) { api, _ in
            let alice = try await api.register()
            let made = try await post(api, "/whip/stage", as: alice)
            #expect(made.header("x-ratelimit-limit") == "60")
            let place = try #require(made.header("location"))
            let patched = try await patch(api, place, Self.candidate, as: alice, match: nil)
            #expect(patched.header("x-ratelimit-limit") == "600")
            for _ in 0..<59 { _ = try await post(api, "/whep/stage", "", as: alice) }
            #expect(try await post(api, "/whip/stage", as: alice).status == 429)
            #expect(try await api.delete(place, as: alice).status == 200)
        }
    }

    @Test func `an offer sent twice under one key makes one session`() async throws {
        try await run { api, service in
            let alice = try await api.register()
            let key = [("Idempotency-Key", "once")]
            let first = try await post(api, "/whip/stage", as: alice, headers: key)
            let again = try await post(api, "/whip/stage", as: alice, headers: key)
            #expect(again.status == 201 && again.header("idempotent-replayed") == "true")
            #expect(again.header("location") == first.header("location"))
            #expect(again.body == first.body)
            #expect(service.sessionCount == 1)
            let other = try await post(api, "/whip/stage", Self.whep, as: alice, headers: key)
            #expect(other.status == 422 && other.string("code") == "idempotency_mismatch")
        }
    }

    // MARK: Methods

    @Test func `OPTIONS says what may be sent, also to a page of another origin`() async throws {
        try await run { api, _ in
            let origin = [("Origin", "https://app.example.org"), ("Access-Control-Request-Method", "POST")]
            let endpoint = try await api.send(TestRequest(.options, "/whip/stage", headers: origin))
            #expect(endpoint.status == 204)
            #expect(endpoint.header("accept-post") == Self.sdp)
            #expect(endpoint.header("allow") == "POST, OPTIONS")
            #expect(endpoint.header("access-control-allow-origin") == "https://app.example.org")
            #expect(endpoint.header("access-control-expose-headers")?.contains("Location") == true)
            let session = try await api.send(TestRequest(.options, "/whep/stage/7"))
            #expect(session.header("accept-patch") == Self.fragment)
            #expect(session.header("allow") == "PATCH, DELETE, OPTIONS")
            #expect(try await api.send(TestRequest(.options, "/users/me")).header("accept-post") == nil)
        }
    }

    @Test func `methods that the RFC keeps for later are 405`() async throws {
        try await run { api, _ in
            let alice = try await api.register()
            for method in [HTTPMethod.get, .head, .put, .patch, .delete] {
                let answer = try await api.send(TestRequest(method, "/whip/stage", as: alice))
                #expect(answer.status == 405)
                #expect(answer.header("allow") == "POST")
            }
            for method in [HTTPMethod.get, .head, .put, .post] {
                #expect(try await api.send(TestRequest(method, "/whep/stage/7", as: alice)).status == 405)
            }
        }
    }
}
