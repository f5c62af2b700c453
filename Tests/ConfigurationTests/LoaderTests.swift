import Base
import Testing
import Wire

@testable import Configuration

@Suite struct LoaderTests {
    @Test func `without any source the defaults hold`() throws {
        let loaded = try load()
        #expect(loaded.values.server.listen == [.internet(IPAddress(v4: 0x7F00_0001), port: 8000)])
        #expect(loaded.values.accounts.argon2.memory == 19_456 << 10)
        #expect(loaded.values.rateLimits.tiers.node == Rate(6_000, per: .minutes(1)))
        #expect(loaded.origins.isEmpty)
    }

    @Test func `the environment wins over the file, and the command line over both`() throws {
        let yaml = "server:\n  shards: 1\n  backlog: 1\n  max_connections: 2000\n"
        let environment = ["PLEXICHAT_SERVER_SHARDS": "2", "PLEXICHAT_SERVER_BACKLOG": "2", "HOME": "/root"]
        let loaded = try load(yaml: yaml, environment: environment, set: ["server.shards=4", "server.shards=3"])
        #expect(loaded.values.server.shards == 3)
        #expect(loaded.values.server.backlog == 2)
        #expect(loaded.values.server.maxConnections == 2_000)
        #expect(loaded.origins["server.shards"] == .option("--set"))
        #expect(loaded.origins["server.backlog"] == .environment(name: "PLEXICHAT_SERVER_BACKLOG"))
        #expect(loaded.origins["server.max_connections"] == .file(path: "test.yaml", line: 4))
    }

    @Test func `dotted keys and empty sections are understood`() throws {
        let loaded = try load(yaml: "tls:\nserver.shards: 3\naccounts.tokens:\n  node_lifetime: 2h\nweb:\n  folder:\n")
        #expect(loaded.values.server.shards == 3)
        #expect(loaded.values.accounts.tokens.nodeLifetime == .hours(2))
        #expect(loaded.values.web.folder == nil)
    }

    @Test(arguments: [
        ("server:\n  shardz: 1", "server.shardz: is no known key, did you mean server.shards? (from test.yaml line 2)"),
        ("lisen: 1", "lisen: is no known key, did you mean server.listen? (from test.yaml line 1)"),
        ("zzzzzzzz: 1", "zzzzzzzz: is no known key (from test.yaml line 1)"),
        ("server: 1", "server: should be a section with keys in it (from test.yaml line 1)"),
        ("- 1", "should be a section with keys in it (from test.yaml line 1)"),
        (
            "server:\n  shards: 999",
            "server.shards: `999` is out of range (from test.yaml line 2); allowed: 0 to 256"
        ),
        (
            "server:\n  shards: {a: 1}",
            "server.shards: `{…}` should be one value, not a list or a section (from test.yaml line 2); "
                + "allowed: 0 to 256"
        ),
        (
            "tls:\n  min_version: 1.1",
            "tls.min_version: `1.1` is none of the allowed words (from test.yaml line 2); allowed: 1.2, 1.3"
        ),
        (
            "server.shards: 1\nserver:\n  shards: 2",
            "server.shards: is given twice, also by test.yaml line 1 (from test.yaml line 3)"
        ),
        ("a: b: c", "mapping values are not allowed in this context (from test.yaml line 1)"),
    ])
    func `a fault names key, value, place and what is allowed`(_ yaml: String, _ expected: String) {
        #expect(problems(yaml: yaml) == [expected])
    }

    @Test func `all faults of all sources are found at once, overridden ones too`() {
        let found = problems(
            yaml: "server:\n  shards: x\n  backlog: 0\n", environment: ["PLEXICHAT_SERVER_SHARD": "1"],
            set: ["server.shards=2", "nothing.here=1"])
        #expect(found.count == 4)
        #expect(found.contains { $0.hasPrefix("PLEXICHAT_SERVER_SHARD: is no known variable, did you mean") })
    }

    @Test func `the value of an unknown key is not repeated: it may be a secret misspelt`() {
        #expect(!problems(yaml: "mail:\n  pasword: hunter2\n").joined().contains("hunter2"))
    }

    @Test func `variables that Kubernetes makes are let be`() {
        let environment = [
            "PLEXICHAT_SERVICE_HOST": "10.0.0.1", "PLEXICHAT_SERVICE_PORT_HTTP": "80",
            "PLEXICHAT_PORT_80_TCP_ADDR": "10.0.0.1", "PLEXICHAT_PORT": "tcp://10.0.0.1:80",
            "PLEXICHAT_ADMIN_PASSWORD": "x",
        ]
        #expect(problems(environment: environment) == [])
    }

    @Test func `a secret comes from a file of its own`() throws {
        let loaded = try load(
            yaml: "mail:\n  username: bob\n  password_file: /run/secret\n", files: ["/run/secret": "hunter2\r\n"])
        #expect(loaded.values.mail.password?.exposedBytes == Bytes("hunter2".utf8))
        #expect(
            loaded.origins["mail.password"]
                == .secretFile(path: "/run/secret", .file(path: "test.yaml", line: 3)))
    }

    @Test func `a secret's file that cannot be read is a fault, and so are both ways at once`() {
        let missing = problems(environment: ["PLEXICHAT_STORE_URL_FILE": "/none"])
        #expect(missing.count == 1 && missing[0].contains("could not be read: open /none: No such file"))
        #expect(
            problems(yaml: "store:\n  url: sqlite\n  url_file: /x\n", files: ["/x": "sqlite"])
                == ["store.url: is given twice, also by test.yaml line 2 (from test.yaml line 3)"])
    }

    @Test func `no secret is ever shown`() throws {
        let secrets = ["store.url=mysql://bob:hunter2@x", "sms.secret=‹secret›"]
        let found = problems(set: secrets)
        #expect(found.count == 2)
        #expect(!found.joined().contains("hunter2"))
        let yaml = try load(set: ["store.url=postgresql://bob:hunter2@x/y", "sms.secret=hunter2"]).yaml
        #expect(!yaml.contains("hunter2"))
        #expect(yaml.contains("  url: ‹secret›  # --set\n"))
    }

    @Test(arguments: [
        (["tls.certificate=/a"], "tls.certificate"), (["tls.key=/a"], "tls.key"),
        (["mail.url=smtp://a"], "mail.url"), (["mail.username=a"], "mail.username"),
        (["sms.webhook_url=http://a"], "sms.webhook_url"),
        (["accounts.tokens.refresh_lifetime=5m"], "accounts.tokens.refresh_lifetime"),
        (["accounts.tokens.remember_me_lifetime=1h"], "accounts.tokens.remember_me_lifetime"),
        (["accounts.tokens.session_lifetime=25h"], "accounts.tokens.session_lifetime"),
        (["accounts.argon2.memory=8KiB", "accounts.argon2.parallelism=2"], "accounts.argon2.memory"),
        (["cors.origins=*", "cors.credentials=true"], "cors.credentials"),
        (["server.max_connections=10"], "server.max_connections"),
    ])
    func `keys that do not fit together are found`(_ set: [String], _ key: String) {
        let found = problems(set: set)
        #expect(found.count == 1 && found[0].hasPrefix("\(key): "), "\(found)")
    }

    @Test func `a rule is not asked about a key that is wrong already`() {
        #expect(problems(set: ["accounts.argon2.memory=x", "accounts.argon2.parallelism=64"]).count == 1)
    }
}

@Suite struct TableTests {
    @Test func `every key is named once, in small letters, under its section`() {
        #expect(Set(Configuration.keys.map(\.path)).count == Configuration.keys.count)
        for section in Configuration.sections {
            for key in section.keys {
                #expect(key.path.hasPrefix("\(section.name)."))
                #expect(key.path.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789_.".contains($0) })
                #expect(key.documentation.hasSuffix("."), "\(key.path)")
            }
        }
    }

    @Test func `every key has a variable of its own, and none shadows a section`() {
        let names = Configuration.keys.map(\.environmentName)
        #expect(Set(names).count == names.count)
        #expect(Set(names).isDisjoint(with: Configuration.otherVariables.map(\.name)))
        for key in Configuration.keys {
            #expect(!Configuration.keys.contains { $0.path.hasPrefix("\(key.path).") })
            #expect(Configuration.keysByPath["\(key.path)_file"] == nil)
        }
    }

    @Test func `what is shown of a default is allowed`() throws {
        for key in Configuration.keys {
            var configuration = Configuration()
            switch key.show(configuration) {
            case .none: try key.assign(.text(""), &configuration)
            case .scalar(let text): try key.assign(.text(text), &configuration)
            case .list(let items): try key.assign(.list(items.map { .text($0) }), &configuration)
            }
        }
    }

    @Test func `what is printed is read as the same`() throws {
        let set = [
            "server.listen=[::]:443,unix:/run/a b", "server.trusted_proxies=10.0.0.0/8,::1/128",
            "mfa.issuer=Ü \"x\" \\: #1",
            "cors.origins=*", "mfa.issuer=null", "logging.level=trace", "rate_limits.scale=2.5",
            "web.folder=~", "data.folder=-x", "mail.from=a@b", "rate_limits.tiers.user=unlimited",
        ]
        let first = try load(set: set)
        let second = try load(yaml: first.yaml)
        for key in Configuration.keys { #expect(key.show(first.values) == key.show(second.values), "\(key.path)") }
        #expect(second.values.mfa.issuer == "null")
        #expect(second.values.web.folder == "~")
    }

    @Test func `the reference in docs is current`() throws {
        let written = try repositoryFile("docs/operate/configuration.md")
        #expect(written == Configuration.reference, "run `make docs`")
    }
}

@Suite struct SuggestionTests {
    @Test(arguments: [("abc", "abc", 0), ("abc", "acb", 1), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 1)])
    func `the distance counts keystrokes`(_ left: String, _ right: String, _ expected: Int) {
        #expect(Suggestion.distance(left, right) == expected)
    }

    @Test func `what is far away is not suggested`() {
        #expect(Suggestion.nearest(to: "help", among: ["version", "serve"]) == nil)
        #expect(Suggestion.nearest(to: String(repeating: "a", count: 10_000), among: ["a"]) == nil)
        #expect(Suggestion.nearest(to: "sevre", among: ["version", "serve"]) == "serve")
    }
}
