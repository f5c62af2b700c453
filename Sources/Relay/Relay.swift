// Relay: STUN and TURN, for clients that cannot reach the media sockets directly.
//
// Owns: the server as a machine (`Server/`: one `RelayEngine` per shard, which takes bytes and the time and fills an
// outbox), whom it relays to (`Policy/`), whose passwords it accepts (`Credentials/`), the sockets around it (`Driver/`),
// and the client's side (`Client/`: the probe of an operator's relays). Everything but `Driver/` owns no socket, no
// clock and no task. Never knows a call or a person: a password names a session, and the session may be revoked.
//
// docs/relay/README.md says what is served, and every bound and refusal. Start reading at `Server/RelayEngine.swift`.
