// Base: the words that every other target speaks.
//
// Owns: bytes and their text encodings, identifiers, time as values, wrapping of personal data, logging, metrics,
// bounded containers. Knows nothing of sockets, files, formats or the domain, and imports nothing but the C library.
// Start with `Identifier.swift` and `Time.swift`; `Log.swift` shows how personal data stays out of the logs.

/// Bytes in memory. Copies share storage until written to, so one encoded event can go to many sockets.
package typealias Bytes = [UInt8]
