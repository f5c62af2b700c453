// client_settings: what clients may keep for their users.

import Base

extension Configuration {
    package struct ClientSettings: Sendable {
        package var perUser = 500
        package var valueSize = 16 << 10
        package var totalSize = 1 << 20
        package var imageSize = 5 << 20
        package var imagesTotalSize = 50 << 20
        package var imageTypes = ImageType.allCases

        package enum ImageType: String, Sendable, CaseIterable { case jpeg, png, gif, webp }
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
            Key(
                "client_settings.image_size", \.clientSettings.imageSize, .size((16 << 10)...(64 << 20)),
                "The largest image of a setting. It is in memory while it is looked at."),
            Key(
                "client_settings.images_total_size", \.clientSettings.imagesTotalSize, .size((64 << 10)...(1 << 40)),
                "What all images of one user's settings may take together."),
            Key(
                "client_settings.image_types", \.clientSettings.imageTypes, .list(of: .choice),
                "Kinds of images that are taken, by their content."),
        ])
}
