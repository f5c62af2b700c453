// What the rows of all dialects may use.

package import Accounts
package import Base

package struct Services: Sendable {
    package let accounts: AccountService
    package let health: HealthMonitor
    package let metrics: Metrics
    package let documentation: DocumentationPages
    /// Where clients reach this server from outside, without a trailing slash; for links in mails and answers.
    package let publicURL: String

    package init(
        accounts: AccountService, health: HealthMonitor, metrics: Metrics, documentation: DocumentationPages,
        publicURL: String
    ) {
        self.accounts = accounts
        self.health = health
        self.metrics = metrics
        self.documentation = documentation
        self.publicURL = publicURL
    }
}
