// What a relay and its clients ask of UDP sockets beyond `Datagrams.h`.
#pragma once

#include "Datagrams.h"

/// A non-blocking UDP socket that speaks with one peer only, and hears of ICMP errors. -1 with errno.
int plexi_datagram_connect(const plexi_address *peer);
/// Where a socket is bound. 0, or -1 with errno.
int plexi_local_address(int descriptor, plexi_address *address);
/// One datagram to one destination: its bytes taken, 0 when the socket takes nothing now, -1 with errno.
long plexi_datagram_send(int descriptor, const void *bytes, unsigned long count, const plexi_address *to);
/// One datagram and whence it came: its count, -1 with errno when there is none (EAGAIN) or the socket has an error.
/// What is longer than the room is cut, and its whole count returned.
long plexi_datagram_receive(int descriptor, void *bytes, unsigned long count, plexi_address *from);
/// The error of a connection that was being made: 0, or errno.
int plexi_socket_error(int descriptor);

/// As `plexi_datagram_socket`, shared by `count` sockets that are to be opened one after the other on this address:
/// datagrams of one 5-tuple always reach the same of them (SO_REUSEPORT). 0 and EADDRINUSE where others have it.
int plexi_shared_datagram_socket(plexi_address *address, int buffer_bytes);
/// Whether IPv4's header forbids, and IPv6 does not do, fragments of what is sent from now on. 0, or -1 with errno.
int plexi_datagram_forbid_fragments(int descriptor, int is_v6, int forbid);

/// Bytes somewhere in memory: the kernel's `struct iovec`.
typedef struct {
    const void *bytes;
    unsigned long count;
} plexi_piece;

/// Datagrams for one destination, each a piece, wherever they lie: all of `segment` bytes but the last, which may be
/// shorter.
typedef struct {
    unsigned int first;
    unsigned int count;
    unsigned int segment;
    plexi_address address;
} plexi_gathering;

/// What the kernel cuts up in one call at most (UDP_MAX_SEGMENTS), and the longest that it takes.
enum { PLEXI_GATHERED_PIECES = 64, PLEXI_GATHERED_BYTES = 65000, PLEXI_GATHERINGS = 64 };

/// sendmmsg(2), with UDP_SEGMENT where there are several pieces: how many gatherings were taken, or -1 with errno for
/// the first. At most PLEXI_GATHERINGS at once.
int plexi_send_gathered(int descriptor, const plexi_piece *pieces, const plexi_gathering *gatherings, unsigned int count);
/// The same without UDP_SEGMENT, for kernels and interfaces that refuse it: how many pieces were taken.
int plexi_send_pieces(int descriptor, const plexi_piece *pieces, const plexi_gathering *gathering);

/// A relayed TCP address (RFC 6062): listens, and lets connections be made from its port. A descriptor, or -1 with
/// errno. `*address` takes the port that was bound.
int plexi_relay_listener(plexi_address *address, int backlog);
/// A connection that is being made from `local`, the address of such a listener, to `peer`.
int plexi_relay_connect(const plexi_address *local, const plexi_address *peer, int send_bytes);
