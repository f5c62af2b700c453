// `plexichat doctor`: each part of the server looked at by itself; what is not well is named with its remedy.

import API
import Accounts
import Base
import Configuration
import Content
import Crypto
import Glibc
import Media
import Net
import Store
import Wire

enum Doctor {
    /// One line of the report.
    private struct Finding {
        let part: String
        let isWell: Bool
        let text: String
        let remedy: String?

        static func well(_ part: String, _ text: String) -> Finding {
            Finding(part: part, isWell: true, text: text, remedy: nil)
        }
        static func ill(_ part: String, _ text: some CustomStringConvertible, _ remedy: String) -> Finding {
            Finding(part: part, isWell: false, text: text.description, remedy: remedy)
        }
    }

    @Sendable static func run(_ invocation: Invocation) async -> ExitCode {
        let configuration: Configuration
        do throws(ConfigurationProblems) {
            configuration = try invocation.loadConfiguration().values
        } catch {
            return invocation.complain(about: error)
        }
        LogOutput.configure(level: .error)
        var findings = [Finding.well("configuration", "\(Configuration.keys.count) keys, all in range")]
        findings += await storage(configuration)
        findings.append(certificate(configuration))
        let addresses = await addresses(configuration)
        findings += addresses
        findings += media(configuration, isServing: addresses.contains { $0.text.hasSuffix(serverAnswers) })
        findings.append(descriptors(configuration))
        findings.append(documentation(configuration))
        findings.append(pages(configuration))
        findings.append(mail(configuration))
        for finding in findings { show(finding, invocation.output) }
        let ill = findings.count { !$0.isWell }
        invocation.output.line(ill == 0 ? "All is well." : "\(ill) of \(findings.count) parts are not well.")
        return ill == 0 ? .success : .failure
    }

    private static func show(_ finding: Finding, _ output: Output) {
        let name = finding.part + String(repeating: " ", count: max(0, 14 - finding.part.count))
        output.line("\(finding.isWell ? "ok " : "!! ") \(name) \(finding.text)")
        if let remedy = finding.remedy { output.line("                   -> \(remedy)") }
    }

    // MARK: Parts

    private static func storage(_ configuration: Configuration) async -> [Finding] {
        let storage: Storage
        do throws(StartFailure) {
            storage = try await Storage.open(configuration, shards: 1)
        } catch {
            return [.ill(error.part, error.problem, error.remedy)]
        }
        let health = await storage.database.health()
        var findings = [
            health.problem.map { Finding.ill("database", $0, "See docs/operate/troubleshooting.md.") }
                ?? .well("database", "\(health.engine.rawValue), \(health.poolSize) connections"),
            .well("vault", "the root key is the one that this data was sealed with"),
        ]
        findings.append(await audit(configuration, storage))
        findings += await files(configuration, storage)
        await storage.close()
        return findings
    }

    private static func files(_ configuration: Configuration, _ storage: Storage) async -> [Finding] {
        let place = configuration.files.store == .s3 ? "S3" : "a folder"
        var findings: [Finding] = []
        do throws(StartFailure) {
            let blobs = try FileAssembly.blobs(configuration, on: storage.shards.first)
            let health = await blobs.health()
            let free = health.freeBytes.map { ", \($0 >> 20) MiB free" } ?? ""
            findings.append(
                health.problem.map { Finding.ill("files", $0, "Check the keys `files.*`, the disk or the bucket.") }
                    ?? .well("files", "in \(place)\(free)"))
        } catch {
            findings.append(.ill(error.part, error.problem, error.remedy))
        }
        guard let scanner = FileAssembly.scanner(configuration, on: storage.shards.first) else {
            return findings + [.well("virus scan", "off; set files.scanner to have files scanned by clamd")]
        }
        let problem = await scanner.problem()
        return findings + [
            problem.map { Finding.ill("virus scan", $0, "Start clamd, or correct `files.scanner`.") }
                ?? .well("virus scan", "clamd answers")
        ]
    }

    private static func audit(_ configuration: Configuration, _ storage: Storage) async -> Finding {
        do {
            let accounts = try await RunningServer.makeAccounts(configuration, storage)
            let verdict = try await accounts.audit.verify()
            await accounts.stop()
            switch verdict {
            case .intact(let count): return .well("audit log", "\(count) events, the chain is whole")
            case .broken(let place):
                return .ill(
                    "audit log", "event \(place) does not follow from the one before it",
                    "Somebody changed the database by hand. Keep a copy and compare it with a backup.")
            }
        } catch {
            return .ill("audit log", "\(error)", "See docs/operate/troubleshooting.md.")
        }
    }

    private static func certificate(_ configuration: Configuration) -> Finding {
        switch (configuration.tls.certificate, configuration.tls.key) {
        case (nil, nil): return .well("tls", "off; put a proxy with TLS in front, or set tls.certificate and tls.key")
        case (let certificate?, let key?):
            do {
                let identity = try TLSIdentity(certificateChainFile: certificate, privateKeyFile: key)
                _ = try TLSContext.server(identity)
                return .well("tls", "certificate and key belong together")
            } catch {
                return .ill("tls", "\(error)", "Check the PEM files named by tls.certificate and tls.key.")
            }
        default: return .ill("tls", "only one of tls.certificate and tls.key is set", "Set both, or neither.")
        }
    }

    private static let serverAnswers = "a server answers there"

    /// An address is well when nobody has it, or when this server's own answer comes from it.
    private static func addresses(_ configuration: Configuration) async -> [Finding] {
        guard let shards = try? ShardGroup(count: 1) else {
            return [.ill("addresses", "no thread could be started", "Raise the process's limits.")]
        }
        defer { shards.stop() }
        let client = CurlClient(loop: shards.first)
        var findings: [Finding] = []
        for endpoint in configuration.endpoints {
            findings.append(await address(endpoint, configuration, client))
        }
        return findings
    }

    private static func address(
        _ endpoint: Endpoint, _ configuration: Configuration, _ client: CurlClient
    ) async -> Finding {
        let name = endpoint.description
        do throws(SystemError) {
            try HTTPServer.probe(endpoint)
            return .well("address", "\(name) is free")
        } catch {
            guard error.code == EADDRINUSE else {
                return .ill("address", error, "Choose an address of this machine with --listen.")
            }
        }
        let scheme = configuration.tls.certificate == nil ? "http" : "https"
        let request = OutgoingRequest(url: "\(scheme)://\(name)/healthz", timeout: .seconds(3))
        if let response = try? await client.send(request), response.body == Bytes("ok\n".utf8) {
            return .well("address", "\(name): \(serverAnswers)")
        }
        return .ill(
            "address", "\(name) is taken by another program", "Stop it, or choose another address with --listen.")
    }

    /// While the server runs its own ports are taken, and that is well.
    private static func media(_ configuration: Configuration, isServing: Bool) -> [Finding] {
        guard configuration.media.enabled else { return [.well("media", "off (media.enabled)")] }
        let ports: [TransportAddress]
        do throws(StartFailure) {
            ports = try MediaAddresses.bindings(configuration, besides: configuration.endpoints).flatMap { $0 }
        } catch {
            return [.ill("media", error.problem, error.remedy)]
        }
        var findings: [Finding] = []
        for address in ports {
            do throws(SystemError) {
                try MediaShard.probe(address)
            } catch {
                if error.code == EADDRINUSE, isServing { continue }
                findings.append(.ill("media", error, MediaAssembly.portRemedy))
            }
        }
        if !findings.isEmpty { return findings }
        let list = ports.map(\.description).joined(separator: ", ")
        let told = configuration.media.advertised.map(\.description).joined(separator: ", ")
        let behind = told.isEmpty ? "" : "; clients are told \(told)"
        let reach =
            ports.allSatisfy(\.ip.isLoopback) && told.isEmpty
            ? "only this machine can reach these; set media.addresses for others"
            : "clients must be able to reach these"
        return [.well("media", "UDP \(list)\(behind); \(reach)")]
    }

    private static func descriptors(_ configuration: Configuration) -> Finding {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        // Beside connections: the database, logs, loops, outgoing calls.
        let needed = configuration.server.maxConnections + 256
        guard limit.rlim_max >= rlim_t(needed) else {
            return .ill(
                "descriptors", "\(limit.rlim_max) allowed, \(needed) needed for server.max_connections",
                "Raise LimitNOFILE (systemd) or `ulimit -n`, or lower server.max_connections.")
        }
        return .well("descriptors", "\(limit.rlim_max) allowed, \(needed) needed")
    }

    private static func documentation(_ configuration: Configuration) -> Finding {
        guard configuration.docs.enabled else { return .well("documentation", "off (docs.enabled)") }
        guard configuration.documentation?.hasAssets == true else {
            return .ill(
                "documentation", "the files of /docs and /redoc are not installed",
                "Run scripts/install, or set docs.assets.")
        }
        return .well("documentation", "installed")
    }

    private static func pages(_ configuration: Configuration) -> Finding {
        do {
            guard let pages = try configuration.webPages() else { return .well("pages", "off (web.enabled)") }
            guard pages.areInstalled else {
                return .ill(
                    "pages", "the client for browsers is not installed",
                    "Copy the folder web of the sources to /usr/local/share/plexichat/web, or set web.folder.")
            }
            return .well("pages", "installed")
        } catch {
            return .ill("pages", error.problem, error.remedy)
        }
    }

    private static func mail(_ configuration: Configuration) -> Finding {
        guard configuration.mail.url != nil else {
            return .well("mail", "off; password resets and e-mail codes answer 503 until mail.url is set")
        }
        return .well("mail", "configured")
    }
}
