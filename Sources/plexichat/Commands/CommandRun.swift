// What the commands on a data folder begin and end with.

import Accounts
import Base
import Configuration

extension Invocation {
    /// Runs a command that speaks to a person: of the log they see warnings, and `complain` words what `body` throws.
    func run<Failure: Error>(
        complain words: (Failure) -> ExitCode, _ body: (Configuration) async throws(Failure) -> Void
    ) async -> ExitCode {
        let configuration: Configuration
        do throws(ConfigurationProblems) {
            configuration = try loadConfiguration().values
        } catch {
            return complain(about: error)
        }
        LogOutput.configure(level: max(configuration.logging.level, .warning), style: configuration.logging.style)
        do throws(Failure) {
            try await body(configuration)
            return .success
        } catch {
            return words(error)
        }
    }
}

extension Configuration {
    /// The accounts of this machine's data, with its keys, while `body` runs. A server may run beside it.
    func withAccounts<Failure: Error>(
        orFail failure: (StartFailure) -> Failure, _ body: (Storage, AccountService) async throws(Failure) -> Void
    ) async throws(Failure) {
        let (storage, accounts): (Storage, AccountService)
        do throws(StartFailure) {
            (storage, accounts) = try await openAccounts()
        } catch {
            throw failure(error)
        }
        var thrown: Failure?
        do throws(Failure) { try await body(storage, accounts) } catch { thrown = error }
        await accounts.stop()
        await storage.close()
        if let thrown { throw thrown }
    }

    private func openAccounts() async throws(StartFailure) -> (Storage, AccountService) {
        let storage = try await Storage.open(self, shards: 1)
        do throws(StartFailure) {
            return (storage, try await RunningServer.makeAccounts(self, storage))
        } catch {
            await storage.close()
            throw error
        }
    }
}
