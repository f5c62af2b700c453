import Accounts
import Base
import TestKit
import Testing
import Wire

@testable import API

/// manual.md's rows of images under settings.
@Suite struct ClientImageTests {
    private func form(
        _ content: Bytes, to key: String, as person: APIHarness.Person, field: String = "file",
        headers: [(String, String)] = []
    ) -> TestRequest {
        var request = TestRequest(.post, "/client-settings/images/\(key)", as: person, headers: headers)
        request.headers.append(("Content-Type", "multipart/form-data; boundary=b"))
        request.body =
            Bytes("--b\r\nContent-Disposition: form-data; name=\"\(field)\"; filename=\"../../a.html\"\r\n".utf8)
            + Bytes("Content-Type: text/html\r\n\r\n".utf8) + content + Bytes("\r\n--b--\r\n".utf8)
        return request
    }

    @Test func `an image is uploaded, told of, served with its type, and removed with its setting`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let made = try await api.send(form(TestImageInspector.png("face|exif"), to: "avatar", as: alice))
            #expect(made.status == 201 && made.string("content_type") == "image/png")
            #expect(made.string("path") == "/client-settings/images/avatar")
            #expect(made["size"] == .integer(13) && made.string("virus_scan_status") == "skipped")
            let hash = try #require(made.string("sha256"))
            let served = try await api.get("/client-settings/images/avatar", as: alice)
            #expect(served.status == 200 && served.header("content-type") == "image/png")
            #expect(served.header("content-disposition")?.hasPrefix("inline") == true)
            #expect(served.header("content-security-policy") == "sandbox; default-src 'none'")
            #expect(served.header("x-content-type-options") == "nosniff")
            let tag = "\"\(hash)\""
            #expect(served.header("etag") == tag)
            let known = try await api.get(
                "/api/v1/client-settings/images/avatar", as: alice, headers: [("If-None-Match", tag)])
            #expect(known.status == 304)
            let setting = try await api.get("/client-settings/avatar", as: alice)
            #expect(setting.string("setting_value.sha256") == hash)
            #expect(try await api.delete("/client-settings/avatar", as: alice).status == 200)
            #expect(try await api.get("/client-settings/images/avatar", as: alice).status == 404)
            #expect(try await api.ledger.blobCount == 0)
        }
    }

    @Test func `only the owner sees an image, and only what is one is served as one`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = (try await api.register(), try await api.register("bob"))
            _ = try await api.send(form(TestImageInspector.png("face"), to: "avatar", as: alice))
            #expect(try await api.get("/client-settings/images/avatar").status == 401)
            #expect(try await api.get("/client-settings/images/avatar", as: bob).status == 404)
            _ = try await api.put("/client-settings/theme", #"{"setting_value": "dark"}"#, as: alice)
            for key in ["theme", "none", "a..b"] {
                #expect(try await api.get("/client-settings/images/\(key)", as: alice).status == 404)
            }
        }
    }

    @Test func `what is refused is refused in the document's words, and nothing is kept`() async throws {
        var setup = APIHarness.Setup()
        (setup.clientSettings.imageBytesMax, setup.clientSettings.imagesTotalBytes) = (60, 50)
        try await APIHarness.run(setup) { api in
            let alice = try await api.register()
            func refuse(
                _ content: Bytes, _ status: Int, _ code: String, key: String = "avatar", field: String = "file"
            ) async throws -> TestAnswer {
                let answer = try await api.send(form(content, to: key, as: alice, field: field))
                #expect(answer.status == status && answer.string("code") == code, "\(answer.text)")
                return answer
            }
            _ = try await refuse(Bytes("<html>".utf8), 415, "unsupported_media_type")
            _ = try await refuse(TestImageInspector.png("virus"), 400, "virus_detected")
            _ = try await refuse(TestImageInspector.png("broken"), 400, "invalid_payload")
            _ = try await refuse(TestImageInspector.png("x"), 400, "invalid_payload", key: "no%20key")
            _ = try await refuse(TestImageInspector.png("x"), 400, "invalid_payload", field: "image")
            _ = try await refuse([], 400, "invalid_payload")
            let large = try await refuse(
                TestImageInspector.png(String(repeating: "x", count: 60)), 413, "payload_too_large")
            #expect(large["info.limit_bytes"] == .integer(60))
            let first = try await api.send(
                form(TestImageInspector.png(String(repeating: "x", count: 31)), to: "a", as: alice))
            #expect(first.status == 201)
            let full = try await refuse(
                TestImageInspector.png(String(repeating: "y", count: 31)), 403, "quota_exceeded", key: "b")
            #expect(full["info.quota_bytes"] == .integer(50) && full["info.current_usage"] == .integer(40))
            api.imageInspector.set(isAway: true)
            let away = try await refuse(TestImageInspector.png("x"), 503, "service_unavailable")
            #expect(away.header("retry-after") != nil)
            var untyped = form(TestImageInspector.png("x"), to: "avatar", as: alice)
            untyped.headers = untyped.headers.filter { $0.name != "Content-Type" }
            #expect(try await api.send(untyped).status == 415)
            #expect(try await api.ledger.blobCount == 1)
        }
    }

    @Test func `an image follows the conditions of its setting`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let first = try await api.send(
                form(TestImageInspector.png("1"), to: "avatar", as: alice, headers: [("If-None-Match", "*")]))
            #expect(first.status == 201)
            let tag = try #require(first.header("etag"))
            let again = try await api.send(
                form(TestImageInspector.png("2"), to: "avatar", as: alice, headers: [("If-None-Match", "*")]))
            #expect(again.status == 412)
            let second = try await api.send(
                form(TestImageInspector.png("2"), to: "avatar", as: alice, headers: [("If-Match", tag)]))
            #expect(second.status == 201 && second.header("etag") != tag)
        }
    }
}
