// What may be written into an account, and what not; roles and scopes.

import Base
import Testing
import Wire

@testable import Accounts

@Suite struct ValidationTests {
    private func rule(_ body: () throws(AccountError) -> Void) -> ValidationFault.Rule? {
        do throws(AccountError) { try body() } catch {
            guard case .validation(let fault) = error else { return nil }
            return fault.rule
        }
        return nil
    }

    @Test(arguments: [
        ("abc", nil), ("a.b-c_9", nil), ("9lives", nil), (String(repeating: "a", count: 50), nil),
        ("", ValidationFault.Rule.required), ("ab", .tooShort), (String(repeating: "a", count: 51), .tooLong),
        (".abc", .format), ("-abc", .format), ("_abc", .format), ("a b", .format), ("a@b.c", .format),
        ("аlice", .format), ("alice\u{0}", .format), ("ali\u{301}ce", .format), ("ab/c", .format),
    ])
    func usernames(_ name: String, _ expected: ValidationFault.Rule?) {
        #expect(rule { () throws(AccountError) in _ = try Validation.username(name) } == expected)
    }

    @Test(arguments: [
        ("a@b.de", nil), ("first.last+tag@mail.example.org", nil), ("o'neil@example.org", nil),
        ("x@xn--bcher-kva.example", nil), ("", ValidationFault.Rule.required), ("a@b", .format), ("@b.de", .format),
        ("a@", .format), ("a.b.de", .format), ("a@@b.de", .format), ("a b@c.de", .format), (".a@b.de", .format),
        ("a..b@c.de", .format), ("a@-b.de", .format), ("a@b..de", .format), ("a@b.de.", .format),
        ("a\r\nBcc: x@b.de", .format), ("ä@b.de", .format), ("\"a\"@b.de", .format),
        (String(repeating: "a", count: 65) + "@b.de", .format),
        (String(repeating: "a.", count: 130) + "@b.de", .tooLong),
    ])
    func addresses(_ address: String, _ expected: ValidationFault.Rule?) {
        #expect(rule { () throws(AccountError) in _ = try Validation.email(address) } == expected)
    }

    @Test(arguments: [
        (0, ValidationFault.Rule?.some(.required)), (7, .tooShort), (8, nil), (1_024, nil), (1_025, .tooLong),
    ])
    func passwords(_ count: Int, _ expected: ValidationFault.Rule?) {
        let password = Secret(Bytes(repeating: 0x61, count: count))
        #expect(rule { () throws(AccountError) in try Validation.password(password, minimum: 8) } == expected)
    }

    @Test(arguments: [
        ("A", nil), ("Zoë 🙂 木村", nil), (String(repeating: "é", count: 100), nil),
        ("", ValidationFault.Rule.required), (String(repeating: "é", count: 101), .tooLong), ("  ", .format),
        ("a\nb", .format), ("a\u{0}b", .format), ("a\u{202E}b", .format), ("\u{2066}a", .format),
    ])
    func displayNames(_ name: String, _ expected: ValidationFault.Rule?) {
        #expect(rule { () throws(AccountError) in _ = try Validation.displayName(name) } == expected)
    }

    @Test(arguments: [
        ("https://example.org/a.png?x=1", true), ("/files/1", true), ("http://h/a", true), ("//evil.example/a", false),
        ("javascript:alert(1)", false), ("data:image/png;base64,AA", false), ("https://a b", false), ("", false),
        ("https://a\"onload=", false), ("https://a<b>", false), ("/\\evil.example", false), ("ftp://a", false),
    ])
    func avatars(_ url: String, _ isAccepted: Bool) {
        #expect((rule { () throws(AccountError) in _ = try Validation.avatarURL(url) } == nil) == isAccepted)
    }

    @Test(arguments: [
        ("+4915112345678", true), ("+1", false), ("4915112345678", false), ("+49 151", false),
        ("+1234567890123456", false), ("+12345x7", false),
    ])
    func phones(_ number: String, _ isAccepted: Bool) {
        #expect((rule { () throws(AccountError) in _ = try Validation.phone(number) } == nil) == isAccepted)
    }

    @Test func `preferences have room for settings, not for data`() {
        let large = JSONObject([("x", .string(String(repeating: "a", count: Validation.preferencesLimit)))])
        #expect(rule { () throws(AccountError) in try Validation.preferences(large) } == .tooLong)
        #expect(rule { () throws(AccountError) in try Validation.preferences(JSONObject()) } == nil)
    }
}

@Suite struct RolesTests {
    @Test func `an administrator holds every scope and every permission of the other roles`() {
        #expect(Roles.admin.scopes == .all)
        for role in Roles.table {
            #expect(Set(role.permissions).isSubset(of: Roles.admin.permissions))
        }
    }

    @Test func `names and bits belong together`() {
        for role in Roles.table { #expect(Roles(name: role.name) == role.role) }
        #expect(Roles(name: "root") == nil)
        #expect(Roles([.admin, .user]).names == ["user", "admin"])
        #expect(Scopes.all.names.count == 10)
        for name in Scopes.all.names { #expect(Scopes(name: name)?.names == [name]) }
        #expect(Scopes(claim: Scopes.all.claim) == .all)
        #expect(Scopes(claim: "") == [])
    }

    @Test func `the stored bits never change`() {
        let roles: [Roles] = [.user, .moderator, .operator, .security, .admin]
        #expect(roles.map(\.rawValue) == [1, 2, 4, 8, 16])
        let scopes: [Scopes] = [
            .profile, .cluster, .clusterAdmin, .backups, .backupsAdmin, .securityAdmin, .pluginsManage, .pluginsAdmin,
            .calls, .callsAdmin,
        ]
        #expect(scopes.map(\.rawValue) == (0..<10).map { 1 << $0 })
    }
}
