// Recorder: calls that are recorded.
//
// Owns: the journal (`Journal/`), the format of docs/formats/journal.md: what was heard, who agreed, encrypted and readable
// after the process was killed; the session that writes one while a call goes on (`Session/`); what becomes of a journal
// as files that can be played (`Export/`); rows and rights of recordings (`Control/`). Knows no HTTP and no dialect, keeps
// no key (`JournalKeys` is given), and never makes a call wait: what cannot be written becomes a gap that says so. Start
// with the page, then `JournalEntry.swift`, `JournalWriter.swift`, `JournalReader.swift`.
//
// Forms and machines own no clock and no thread: the time is an argument. Files are written on the thread of
// `JournalThreads`, never on a shard's.
