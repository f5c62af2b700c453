// The bodies of the commands that need the server's parts.

import Base
import Configuration

extension CommandBodies {
    static let server = CommandBodies(
        serve: notBuiltIn, doctor: notBuiltIn, createUser: notBuiltIn, setPassword: notBuiltIn, grant: notBuiltIn,
        token: notBuiltIn, openAPI: notBuiltIn)

    @Sendable private static func notBuiltIn(_ invocation: Invocation) async -> ExitCode {
        do throws(ConfigurationProblems) {
            _ = try invocation.loadConfiguration()
        } catch {
            return invocation.complain(about: error)
        }
        invocation.output.complain("\(invocation.path.joined(separator: " ")): this build does not contain the server")
        return .failure
    }
}
