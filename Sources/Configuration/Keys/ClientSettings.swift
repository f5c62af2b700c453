// client_settings: what clients may keep for their users.

import Base

extension Configuration {
    package struct ClientSettings: Sendable {
        package var perUser = 500
        package var valueSize = 16 << 10
        package var totalSize = 1 << 20
    }

    static let clientSettingsSection = Section(
        "client_settings", "What clients may keep for their users.",
        [
            Key(
                "client_settings.per_user", \.clientSettings.perUser, .integer(1...10_000),
                "Settings that one user may have."),
            Key(
                "client_settings.value_size", \.clientSettings.valueSize, .size(256...(256 << 10)),
                "The largest value of one setting, as JSON."),
            Key(
                "client_settings.total_size", \.clientSettings.totalSize, .size((16 << 10)...(16 << 20)),
                "What all settings of one user may take together, keys included."),
        ])
}
