// webhooks: servers that users have us call.

package import Wire

extension Configuration {
    package struct Webhooks: Sendable {
        package var allowHTTP = false
        package var allowedNetworks: [IPNetwork] = []
    }

    static let webhooksSection = Section(
        "webhooks", "Servers of users' choice that are told what happens in their channels.",
        [
            Key(
                "webhooks.allow_http", \.webhooks.allowHTTP, .flag,
                "Whether a webhook may be called without TLS. What it is told can then be read on the way."),
            Key(
                "webhooks.allowed_networks", \.webhooks.allowedNetworks, .list(of: .addressRange),
                "Networks that webhooks may reach although they are none of the Internet."),
        ])
}
