// Net: threads, sockets and the protocols that drivers speak on them.
//
// Owns: the shards (`Runtime/`: one thread and one loop each, also executors of Swift tasks), TCP with and without TLS
// (`TCP/`), the HTTP/1.1 server and what it serves files with (`HTTP/`), WebSockets (`WebSocket/`), outgoing HTTP
// (`Client/`), the process's signals and its service manager (`Process/`). It alone touches a socket. How bytes are
// read and written is Wire's; what is answered is a service's (`HTTP/HTTPService.swift`).
//
// Start with `Runtime/Shard.swift`, then follow a request: `TCP/Listener.swift` accepts, `TCP/Transport.swift` moves
// bytes, `HTTP/HTTPConnection.swift` makes requests of them and bytes of answers.
