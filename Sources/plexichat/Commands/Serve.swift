// `plexichat serve`

import Accounts
import Base
import Configuration
import Net

enum Serve {
    @Sendable static func run(_ invocation: Invocation) async -> ExitCode {
        let loaded: LoadedConfiguration
        do throws(ConfigurationProblems) {
            loaded = try invocation.loadConfiguration()
        } catch {
            return invocation.complain(about: error)
        }
        let configuration = loaded.values
        LogOutput.configure(level: configuration.logging.level, style: configuration.logging.style)
        do throws(StartFailure) {
            let server = try await RunningServer.start(loaded)
            let stop = await server.watchForStop()
            announce(server, invocation.output)
            RunningServer.tellServiceManager(.ready)
            await stop.wait()
            await server.stop()
            return .success
        } catch {
            invocation.output.complain("plexichat cannot start.\n\(error)")
            return .failure
        }
    }

    private static func announce(_ server: RunningServer, _ output: Output) {
        let scheme = server.configuration.tls.certificate == nil ? "http" : "https"
        for listening in server.http.listening {
            output.line("PlexiChat \(ProductVersion.text) listens on \(scheme)://\(listening.endpoint)")
        }
        guard let password = server.administratorPassword else { return }
        output.line("")
        output.line("  administrator: admin")
        output.line("  password:      \(password.exposedText)")
        output.line("")
        output.line(
            "The password is shown this once and stored nowhere. Change it with: plexichat admin set-password admin")
    }
}

extension Configuration.Logging {
    var style: LogOutput.Style? {
        switch format {
        case .auto: nil
        case .human: .human
        case .json: .json
        }
    }
}
