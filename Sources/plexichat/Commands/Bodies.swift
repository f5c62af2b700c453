// The bodies of the commands that need the server's parts.

import Configuration

extension CommandBodies {
    static let server = CommandBodies(
        serve: Serve.run, doctor: Doctor.run, createUser: Admin.createUser, setPassword: Admin.setPassword,
        grant: Admin.grant, token: Admin.token, openAPI: OpenAPICommand.run,
        turn: TurnCommand.run, turnDoctor: TurnDoctor.run,
        backup: BackupCommandBodies(
            create: BackupCommand.create, list: BackupCommand.list, verify: BackupCommand.verify,
            restore: BackupCommand.restore, remove: BackupCommand.remove, drill: BackupCommand.drill),
        vault: VaultCommandBodies(
            status: VaultCommands.status, rotate: VaultCommands.rotate, rewrap: VaultCommands.rewrap,
            disable: VaultCommands.disable, enable: VaultCommands.enable, destroy: VaultCommands.destroy,
            keep: VaultCommands.keep, shares: VaultCommands.shares, recover: VaultCommands.recover,
            rekeyRoot: VaultCommands.rekeyRoot))
}
