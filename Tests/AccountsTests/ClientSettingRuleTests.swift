import Base
import Testing
import Wire

@testable import Accounts

/// Which keys there may be, and which values under those that have a form.
@Suite struct ClientSettingRuleTests {
    @Test(arguments: [
        "a", "theme", "Theme", "notifications.enabled", "a.b.c.d.e.f.g.h", "x-y_z.1", "a9",
        String(repeating: "k", count: 128), "images.avatar", "bulk-update.x",
    ])
    func `a key of words with full stops between them is taken`(_ text: String) throws {
        #expect(try ClientSettingKey(text).description == text)
    }

    @Test(arguments: [
        "", ".", "a.", ".a", "a..b", "9a", "_a", "-a", "a b", "a/b", "a\u{0}", "ä", "a.é", "ａ", "a.b.c.d.e.f.g.h.i",
        String(repeating: "k", count: 129), "images", "bulk-update", "a%2e", "@", "[", "`", "{",
    ])
    func `a key of another form is refused`(_ text: String) {
        #expect(throws: ClientSettingError.self) { try ClientSettingKey(text) }
    }

    @Test(arguments: [
        ("theme", #""dark""#), ("theme", #""high-contrast""#), ("language", #""en""#), ("language", #""en-US""#),
        ("language", #""zh-Hant-TW""#), ("language", #""de-CH-1996""#), ("timezone", #""UTC""#),
        ("timezone", #""America/Argentina/Buenos_Aires""#), ("timezone", #""Etc/GMT+5""#),
        ("notifications.enabled", "true"), ("notifications.sound", #""chime""#), ("notifications.volume", "0.5"),
        ("notifications.quiet.from", "22"), ("anything", #"{"a": [null]}"#), ("notifications", #"{"a": 1}"#),
        ("Theme", "7"), ("anything", "[]"),
    ])
    func `a value of the key's form is taken`(_ key: String, _ json: String) throws {
        try ClientSettingRule.check(try JSONValue(parsing: Bytes(json.utf8)), for: try ClientSettingKey(key))
    }

    @Test(arguments: [
        ("theme", #""pink""#), ("theme", "1"), ("theme", #"["dark"]"#), ("language", #""e""#),
        ("language", #""en_US""#),
        ("language", #""en-""#), ("language", #""123""#), ("language", #""languages-and-more""#), ("language", "true"),
        ("language", #""en-\u0000""#), ("timezone", #""/etc/passwd""#), ("timezone", #""Europe/../x""#),
        ("timezone", #""a/b/c/d""#), ("timezone", #""""#), ("notifications.enabled", #""true""#),
        ("notifications.enabled", "1"), ("notifications.sound", "[]"), ("notifications.sound", "{}"),
        ("notifications.sound", "\"\(String(repeating: "x", count: 65))\""), ("anything", "null"), ("theme", "null"),
    ])
    func `a value of another form is refused`(_ key: String, _ json: String) throws {
        let value = try JSONValue(parsing: Bytes(json.utf8))
        let key = try ClientSettingKey(key)
        #expect(throws: ClientSettingError.self) { try ClientSettingRule.check(value, for: key) }
    }
}
