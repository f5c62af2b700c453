// Backup: repositories of backups, in folders and buckets.
//
// Owns: the format of docs/formats/backup.md (`Format/`), what makes objects out of it (`Coding/`: compression, erasure
// coding), where they lie (`Places/`), what there is and what of it is to be believed (`Repository/`), writing, verifying
// and restoring (`Writing/`, `Reading/`), what is backed up (`Sources/`), and when it is done by itself (`Schedule/`).
// Knows no HTTP, and keeps no key: `BackupKeys` is given. Start with the page, then `Repository.swift` and `BackupWriter.swift`.
//
// Forms and machines own no clock: the time is an argument, or a `Clock` that is given. Blocking work (files, hashing,
// compression) runs on the two threads of `BackupThreads`, never on a loop's.
