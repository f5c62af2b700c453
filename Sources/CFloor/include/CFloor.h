// The floors of `make bench-media` and `make bench-crypto`: what forwarding and encrypting cost with nothing around them.
// For plexibench only.
#pragma once

enum { PLEXI_FLOOR_GCM = 0, PLEXI_FLOOR_CM = 1 };

/// Who sends to the floor.
enum {
    /// One publisher, from anywhere.
    PLEXI_FLOOR_MEDIA = 0,
    /// He, and each sink its reports (a second byte of 192 to 223): these are decrypted, and nothing is done with them.
    PLEXI_FLOOR_REPORTS = 1,
    /// Each sink media and reports: a conference. Media go to all others.
    PLEXI_FLOOR_CONFERENCE = 2,
};

typedef struct {
    unsigned long received;
    unsigned long forwarded;
    unsigned long refused;
} plexi_floor_result;

/// Receives SRTP on 127.0.0.1:`port`, decrypts, and sends a rewritten, encrypted copy of each packet to every one of
/// the `count` ports of 127.0.0.1, in bursts by destination. Ends when a datagram of one byte comes, or nothing does
/// for a minute. Each sender and each sink has a cipher of its own; the session key is 0, 1, 2, …, the salt zeros.
/// Returns 0, or an errno.
int plexi_floor_run(unsigned short port, const unsigned short *sinks, unsigned int count, int profile, int senders,
                    plexi_floor_result *result);

/// What the floor expects of a publisher, and what its sinks get: in place, with room for the tag behind `count`. Both
/// return the new count, or -1.
int plexi_floor_protect(int profile, void *packet, int count);
int plexi_floor_unprotect(int profile, void *packet, int count);

/// ChaCha20-Poly1305 by EVP over `count` chunks of `size` bytes, from `input` to `output`, which has 16 bytes more. Returns
/// 0, or -1.
int plexi_floor_chacha(const unsigned char *input, unsigned char *output, int size, unsigned long count);
