// What the rows of all dialects may use. Rows themselves capture nothing: they are data.

package import Accounts
package import Backup
package import Base
package import Configuration
package import Tasks

package struct Services: Sendable {
    package let accounts: AccountService
    package let health: HealthMonitor
    package let metrics: Metrics
    /// `nil` when the operator does not show the API's description.
    package let documentation: DocumentationPages?
    package let areMetricsPublic: Bool
    /// `nil` when the server takes no part in calls.
    package let media: MediaAccess?
    /// The same, for its sockets.
    package let signaling: SignalingAccess?
    /// `nil` in programs that serve no calls.
    package let calls: CallAccess?
    /// `nil` in programs that run with what they are given.
    package let settings: LiveSettings?
    /// `nil` in programs that serve no chat.
    package let chat: ChatAccess?
    /// The same, for its sockets.
    package let live: LiveAccess?
    /// `nil` in programs that keep nothing for clients.
    package let clientSettings: ClientSettings?
    /// `nil` in programs that serve no chat.
    package let webhooks: WebhookAccess?
    /// `nil` in programs that keep no files.
    package let files: FileAccess?
    /// `nil` in programs that do nothing in the background that somebody would follow.
    package let tasks: TaskBoard?
    /// The same.
    package let backups: BackupService?
    /// The same.
    package let backupSchedules: BackupSchedules?

    package init(
        accounts: AccountService, health: HealthMonitor, metrics: Metrics, documentation: DocumentationPages?,
        areMetricsPublic: Bool, media: MediaAccess? = nil, signaling: SignalingAccess? = nil, calls: CallAccess? = nil,
        chat: ChatAccess? = nil, live: LiveAccess? = nil, files: FileAccess? = nil, settings: LiveSettings? = nil,
        clientSettings: ClientSettings? = nil, webhooks: WebhookAccess? = nil, tasks: TaskBoard? = nil,
        backups: BackupService? = nil, backupSchedules: BackupSchedules? = nil
    ) {
        self.accounts = accounts
        self.health = health
        self.metrics = metrics
        self.documentation = documentation
        self.areMetricsPublic = areMetricsPublic
        self.media = media
        self.signaling = signaling
        self.calls = calls
        self.settings = settings
        self.chat = chat
        self.live = live
        self.clientSettings = clientSettings
        self.webhooks = webhooks
        self.files = files
        self.tasks = tasks
        self.backups = backups
        self.backupSchedules = backupSchedules
    }
}

extension Call {
    package var accounts: AccountService { services.accounts }
}
