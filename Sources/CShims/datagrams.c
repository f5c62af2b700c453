#define _GNU_SOURCE
#include "CShims.h"
#include "Datagrams.h"
#include "kernel_address.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

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
    struct mmsghdr *messages;
    struct iovec *buffers;
    struct sockaddr_in6 *addresses;
};

plexi_receiver *plexi_receiver_make(unsigned int capacity, unsigned long size) {
    plexi_receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver) return NULL;
    receiver->capacity = capacity;
    receiver->messages = calloc(capacity, sizeof *receiver->messages);
    receiver->buffers = calloc(capacity, sizeof *receiver->buffers);
    receiver->addresses = calloc(capacity, sizeof *receiver->addresses);
    if (!receiver->messages || !receiver->buffers || !receiver->addresses) {
        plexi_receiver_free(receiver);
        return NULL;
    }
    for (unsigned int i = 0; i < capacity; i++) {
        receiver->buffers[i].iov_len = size;
        struct msghdr *header = &receiver->messages[i].msg_hdr;
        header->msg_iov = &receiver->buffers[i];
        header->msg_iovlen = 1;
        header->msg_name = &receiver->addresses[i];
        header->msg_namelen = sizeof receiver->addresses[i];
    }
    return receiver;
}

void plexi_receiver_free(plexi_receiver *receiver) {
    if (!receiver) return;
    free(receiver->messages);
    free(receiver->buffers);
    free(receiver->addresses);
    free(receiver);
}

void plexi_receiver_set_buffer(plexi_receiver *receiver, unsigned int index, void *bytes) {
    receiver->buffers[index].iov_base = bytes;
}

int plexi_receive(plexi_receiver *receiver, int descriptor) {
    return plexi_receive_at(receiver, descriptor, 0, receiver->capacity);
}

int plexi_receive_at(plexi_receiver *receiver, int descriptor, unsigned int first, unsigned int limit) {
    if (first >= receiver->capacity) return 0;
    if (limit > receiver->capacity - first) limit = receiver->capacity - first;
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

typedef union {
    char bytes[CMSG_SPACE(sizeof(unsigned short))];
    struct cmsghdr alignment;
} segment_control;

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
        if (burst->count <= burst->segment) continue;
        header->msg_control = controls[i].bytes;
        header->msg_controllen = sizeof controls[i].bytes;
        struct cmsghdr *control = CMSG_FIRSTHDR(header);
        control->cmsg_level = IPPROTO_UDP;
        control->cmsg_type = UDP_SEGMENT;
        control->cmsg_len = CMSG_LEN(sizeof(unsigned short));
        unsigned short segment = (unsigned short)burst->segment;
        memcpy(CMSG_DATA(control), &segment, sizeof segment);
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
