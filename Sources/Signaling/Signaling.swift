// Signaling: calls and presence, as one domain under all dialects.
//
// Owns: who calls whom, who is in a call and with which rights, ringing on several devices, the end of a call and its
// history, presence, and what clients are told of relays. Knows no HTTP, no dialect and no socket: what happens goes
// out through `CallEvents`, what it means for media through `CallMedia` (Calls/CallSeams.swift). Never touches a packet.
//
// Start with `Calls/CallMachine.swift`, the rules as a value that takes an event and the time, then
// `Calls/CallService.swift`, which owns the live calls. `docs/protocol/calls.md` is normative. Recording/ has who may record a
// call and whose media: `RecordingMachine` is its rules, `CallRecorder` whoever writes.
