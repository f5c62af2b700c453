// Content: what is in a file that a stranger gave us.
//
// Owns: the type of content by its bytes (`Sniffing`), the seam to a virus scanner and clamd behind it (`Scanning`),
// images and documents read in separate processes that may do nothing but answer (`Worker`), the decoders that run
// there (`Images`, `Documents`), and the removal of metadata (`Stripping`). docs/chat/content.md is normative.
//
// Never: a table, a blob, a route, or who may see what. Nothing that a stranger wrote is decoded in the server's own
// process: it sniffs, passes a descriptor on, and checks what comes back. Start with `Worker/ImageWorkers.swift`.
