// Media: the WebRTC engine (ICE, DTLS-SRTP, RTP forwarding, bandwidth, data channels) and its shard driver.
//
// Everything but `Shard/` is an engine without a socket, a clock or a task: it takes `(datagram, now)` and fills an
// outbox. `Shard/` moves batches between the sockets and the engine. Start reading at docs/follow-a-packet.md.
