// Wire: the formats that go over a wire or into a file, as functions from bytes to values and back.
//
// Owns: HTTP/1.1, WebSocket frames, multipart, JSON, CBOR, and (with the media engine) STUN, SDP, RTP and RTCP. Knows
// no socket, no clock, no key: time and limits are arguments, what needs a hash or a cipher is done above.
// Every parser refuses with a typed error and never traps, whatever the bytes. Start with `HTTP/RequestParser.swift`.
