// The floor of `make bench-media`: what forwarding costs with nothing around it. For plexibench only.
#pragma once

enum { PLEXI_FLOOR_GCM = 0, PLEXI_FLOOR_CM = 1 };

typedef struct {
    unsigned long received;
    unsigned long forwarded;
    unsigned long refused;
} plexi_floor_result;

/// Receives SRTP on 127.0.0.1:`port`, decrypts, and sends a rewritten, encrypted copy of each packet to every one of
/// the `count` ports of 127.0.0.1, in bursts by destination. Ends when a datagram of one byte comes, or nothing does
/// for a minute. Where `everybody` is not 0, who sends is one of the sinks, and gets nothing of its own back. The session key is 0, 1, 2, …; the salt is zeros. Returns 0, or an errno.
int plexi_floor_run(unsigned short port, const unsigned short *sinks, unsigned int count, int profile, int everybody,
                    plexi_floor_result *result);

/// What the floor expects of a publisher, and what its sinks get: in place, with room for the tag behind `count`. Both
/// return the new count, or -1.
int plexi_floor_protect(int profile, void *packet, int count);
int plexi_floor_unprotect(int profile, void *packet, int count);
