#define _GNU_SOURCE
#include "CShims.h"
#include "Datagrams.h"
#include "kernel_address.h"
#include "kernel_segments.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int plexi_datagram_socket(plexi_address *address, int buffer_bytes) {
    int family = address->is_v6 ? AF_INET6 : AF_INET;
    int descriptor = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    int one = 1;
    if (address->is_v6) (void)setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    // Best effort: the system's limits decide.
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
    (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
    struct sockaddr_in6 storage;
    socklen_t length = to_kernel(address, &storage);
    if (bind(descriptor, (struct sockaddr *)&storage, length) != 0) goto failed;
    length = sizeof storage;
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) != 0) goto failed;
    from_kernel(&storage, address);
    return descriptor;
failed:;
    int code = errno;
    close(descriptor);
    errno = code;
    return -1;
}

struct plexi_receiver {
    unsigned int capacity;
    /// Buffers of each message: 1, or 2 where datagrams may come together.
    unsigned int parts;
    struct mmsghdr *messages;
    struct iovec *buffers;
    struct sockaddr_in6 *addresses;
    joined_control *controls;
};

plexi_receiver *plexi_receiver_make(unsigned int capacity, unsigned long size) {
    return plexi_receiver_make_joined(capacity, size, 0);
}

plexi_receiver *plexi_receiver_make_joined(unsigned int capacity, unsigned long size, unsigned long rest) {
    plexi_receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver) return NULL;
    unsigned int parts = rest > 0 ? 2 : 1;
    receiver->capacity = capacity;
    receiver->parts = parts;
    receiver->messages = calloc(capacity, sizeof *receiver->messages);
    receiver->buffers = calloc((size_t)capacity * parts, sizeof *receiver->buffers);
    receiver->addresses = calloc(capacity, sizeof *receiver->addresses);
    if (rest > 0) receiver->controls = calloc(capacity, sizeof *receiver->controls);
    if (!receiver->messages || !receiver->buffers || !receiver->addresses || (rest > 0 && !receiver->controls)) {
        plexi_receiver_free(receiver);
        return NULL;
    }
    for (unsigned int i = 0; i < capacity; i++) {
        receiver->buffers[i * parts].iov_len = size;
        if (rest > 0) receiver->buffers[i * parts + 1].iov_len = rest;
        struct msghdr *header = &receiver->messages[i].msg_hdr;
        header->msg_iov = &receiver->buffers[i * parts];
        header->msg_iovlen = parts;
        header->msg_name = &receiver->addresses[i];
        header->msg_namelen = sizeof receiver->addresses[i];
        header->msg_control = rest > 0 ? receiver->controls[i].bytes : NULL;
        header->msg_controllen = rest > 0 ? sizeof receiver->controls[i].bytes : 0;
    }
    return receiver;
}

void plexi_receiver_free(plexi_receiver *receiver) {
    if (!receiver) return;
    free(receiver->messages);
    free(receiver->buffers);
    free(receiver->addresses);
    free(receiver->controls);
    free(receiver);
}

void plexi_receiver_set_buffer(plexi_receiver *receiver, unsigned int index, void *bytes) {
    receiver->buffers[index * receiver->parts].iov_base = bytes;
}

void plexi_receiver_set_rest(plexi_receiver *receiver, unsigned int index, void *bytes) {
    if (receiver->parts == 2) receiver->buffers[index * 2 + 1].iov_base = bytes;
}

unsigned int plexi_received_segment(const plexi_receiver *receiver, unsigned int index) {
    return receiver->parts == 2 ? joined_segment(&receiver->messages[index].msg_hdr) : 0;
}

int plexi_datagram_join(int descriptor) {
    int one = 1;
    return setsockopt(descriptor, IPPROTO_UDP, UDP_GRO, &one, sizeof one);
}

int plexi_receive(plexi_receiver *receiver, int descriptor) {
    return plexi_receive_at(receiver, descriptor, 0, receiver->capacity);
}

int plexi_receive_at(plexi_receiver *receiver, int descriptor, unsigned int first, unsigned int limit) {
    if (first >= receiver->capacity) return 0;
    if (limit > receiver->capacity - first) limit = receiver->capacity - first;
    if (receiver->controls)
        for (unsigned int i = first; i < first + limit; i++)
            receiver->messages[i].msg_hdr.msg_controllen = sizeof receiver->controls[i].bytes;
    int count;
    do count = recvmmsg(descriptor, receiver->messages + first, limit, MSG_DONTWAIT, NULL);
    while (count < 0 && errno == EINTR);
    if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
    for (unsigned int i = first; i < first + (unsigned int)count; i++)
        receiver->messages[i].msg_hdr.msg_namelen = sizeof receiver->addresses[i];
    return count;
}

long plexi_received_count(const plexi_receiver *receiver, unsigned int index) {
    if (receiver->messages[index].msg_hdr.msg_flags & MSG_TRUNC) return -1;
    return receiver->messages[index].msg_len;
}

void plexi_received_address(const plexi_receiver *receiver, unsigned int index, plexi_address *address) {
    from_kernel(&receiver->addresses[index], address);
}

int plexi_send_bursts(int descriptor, const plexi_burst *bursts, unsigned int count) {
    struct mmsghdr messages[PLEXI_BURSTS];
    struct iovec buffers[PLEXI_BURSTS];
    struct sockaddr_in6 addresses[PLEXI_BURSTS];
    segment_control controls[PLEXI_BURSTS];
    if (count > PLEXI_BURSTS) count = PLEXI_BURSTS;
    for (unsigned int i = 0; i < count; i++) {
        const plexi_burst *burst = &bursts[i];
        struct msghdr *header = &messages[i].msg_hdr;
        buffers[i].iov_base = (void *)burst->bytes;
        buffers[i].iov_len = burst->count;
        memset(header, 0, sizeof *header);
        header->msg_name = &addresses[i];
        header->msg_namelen = to_kernel(&burst->address, &addresses[i]);
        header->msg_iov = &buffers[i];
        header->msg_iovlen = 1;
        if (burst->count > burst->segment) cut_into_segments(header, &controls[i], burst->segment);
    }
    int sent;
    do sent = sendmmsg(descriptor, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

int plexi_send_datagrams(int descriptor, const plexi_burst *burst, unsigned int first) {
    struct sockaddr_in6 address;
    socklen_t length = to_kernel(&burst->address, &address);
    unsigned int offset = first * burst->segment;
    int sent = 0;
    while (offset < burst->count) {
        unsigned int size = burst->count - offset < burst->segment ? burst->count - offset : burst->segment;
        ssize_t result;
        do
            result = sendto(descriptor, (const char *)burst->bytes + offset, size, MSG_DONTWAIT | MSG_NOSIGNAL,
                            (struct sockaddr *)&address, length);
        while (result < 0 && errno == EINTR);
        if (result < 0) return sent > 0 ? sent : -1;
        sent++;
        offset += size;
    }
    return sent;
}
