// Batches of UDP datagrams in and out, behind plain types.
#pragma once

/// Where a datagram came from or goes to: the address in network order (4 or 16 bytes), and what the kernel wants.
typedef struct {
    unsigned char ip[16];
    unsigned short port;
    unsigned char is_v6;
} plexi_address;

/// A bound, non-blocking UDP socket. `*address` takes the port that the kernel chose. Returns the descriptor, or -1
/// with errno. `buffer_bytes` is asked for in both directions; the kernel may give less.
int plexi_datagram_socket(plexi_address *address, int buffer_bytes);

/// Room for `capacity` datagrams of `size` bytes each. NULL without memory.
typedef struct plexi_receiver plexi_receiver;
plexi_receiver *plexi_receiver_make(unsigned int capacity, unsigned long size);
/// The same for sockets whose datagrams may come together (`plexi_datagram_join`): what does not fit into the first
/// `size` bytes is put into `rest` others.
plexi_receiver *plexi_receiver_make_joined(unsigned int capacity, unsigned long size, unsigned long rest);
void plexi_receiver_free(plexi_receiver *receiver);
/// Where datagram `index` of the next batch is to be put.
void plexi_receiver_set_buffer(plexi_receiver *receiver, unsigned int index, void *bytes);
/// Where the rest of it is to be put.
void plexi_receiver_set_rest(plexi_receiver *receiver, unsigned int index, void *bytes);
/// recvmmsg(2): the number of datagrams received, 0 when there are none, -1 with errno.
int plexi_receive(plexi_receiver *receiver, int descriptor);
/// The same into the places from `first` on, at most `limit` of them: several sockets fill one batch.
int plexi_receive_at(plexi_receiver *receiver, int descriptor, unsigned int first, unsigned int limit);
/// Bytes of datagram `index`; -1 when it was longer than its buffer.
long plexi_received_count(const plexi_receiver *receiver, unsigned int index);
/// 0, or the size of the datagrams of one sender that came together as this one; only the last may be shorter.
unsigned int plexi_received_segment(const plexi_receiver *receiver, unsigned int index);
/// From now on datagrams of one sender and size that arrive together are received together (UDP_GRO). 0, or -1 with
/// errno: a kernel that knows no such thing gives them one by one.
int plexi_datagram_join(int descriptor);
void plexi_received_address(const plexi_receiver *receiver, unsigned int index, plexi_address *address);

/// One or more datagrams for one destination, one behind the other: all of `segment` bytes but the last, which may be
/// shorter.
typedef struct {
    const void *bytes;
    unsigned int count;
    unsigned int segment;
    plexi_address address;
} plexi_burst;

/// sendmmsg(2), with UDP_SEGMENT on bursts of several datagrams: how many of the bursts were taken, or -1 with errno
/// for the first. At most PLEXI_BURSTS at once.
enum { PLEXI_BURSTS = 64 };
int plexi_send_bursts(int descriptor, const plexi_burst *bursts, unsigned int count);
/// The same without UDP_SEGMENT, for kernels and interfaces that refuse it: sends one burst datagram by datagram and
/// returns how many datagrams were taken.
int plexi_send_datagrams(int descriptor, const plexi_burst *burst, unsigned int first);
