// What the rows of webhooks may use.

package import Chat

package struct WebhookAccess: Sendable {
    package let service: WebhookService
    /// Where others reach this server, without a trailing slash: addresses to post to begin with it.
    package let publicURL: String

    package init(service: WebhookService, publicURL: String) {
        self.service = service
        self.publicURL = publicURL
    }

    /// The words in which receivers are told, without a socket of their own.
    package static func encoder() -> any WebhookEncoder { DesignLive() }
}

extension Call {
    var webhooks: WebhookService { get throws(RequestFault) { try webhookAccess.service } }

    var webhookAccess: WebhookAccess {
        get throws(RequestFault) {
            guard let access = services.webhooks else {
                throw .unavailable(reason: "This server has no webhooks", retryAfter: 60)
            }
            return access
        }
    }
}
