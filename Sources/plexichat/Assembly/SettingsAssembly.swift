// Client settings over the accounts, with their images among the files, told to chat sockets.

import Accounts
import Configuration
import Content

enum SettingsAssembly {
    static func make(
        _ configuration: Configuration, _ accounts: AccountService, _ files: FileParts, events: any ClientSettingEvents
    ) -> ClientSettings {
        let inspector = ContentImageInspector(
            workers: files.images, scanner: files.scanner, holds: configuration.files.scanUnavailable == .hold)
        let settings = ClientSettings(
            accounts, options: configuration.clientSettingOptions,
            images: ClientImageStore(ledger: files.ledger, inspector: inspector))
        settings.setEvents(events)
        return settings
    }
}
