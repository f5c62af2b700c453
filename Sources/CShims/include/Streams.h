// TCP of media (RFC 6544): listening, accepting, reading and writing without blocking, behind plain types.
#pragma once

#include "Datagrams.h"

/// A bound, listening, non-blocking TCP socket. `*address` takes the port that the kernel chose. Returns the
/// descriptor, or -1 with errno.
int plexi_stream_listener(plexi_address *address, int backlog);
/// A connection that waits, without Nagle's delay and with a send buffer of about `send_bytes`; -1 with errno.
int plexi_stream_accept(int listener, plexi_address *peer, int send_bytes);
/// A connection that is being made to `peer`: for tests and the load generator. -1 with errno.
int plexi_stream_connect(const plexi_address *peer);
/// What there is: its count, 0 when there is nothing now, -1 when the connection has ended or failed.
long plexi_stream_read(int descriptor, void *bytes, unsigned long count);
/// How much was taken, 0 when nothing can be taken now, -1 when the connection has failed.
long plexi_stream_write(int descriptor, const void *bytes, unsigned long count);
