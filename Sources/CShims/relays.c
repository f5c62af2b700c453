#define _GNU_SOURCE
#include "CShims.h"
#include "kernel_address.h"
#include "kernel_segments.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(sizeof(plexi_piece) == sizeof(struct iovec), "a piece is an iovec");
_Static_assert(offsetof(plexi_piece, bytes) == offsetof(struct iovec, iov_base), "a piece is an iovec");
_Static_assert(offsetof(plexi_piece, count) == offsetof(struct iovec, iov_len), "a piece is an iovec");

static int failed(int descriptor) {
    int code = errno;
    close(descriptor);
    errno = code;
    return -1;
}

int plexi_datagram_connect(const plexi_address *peer) {
    int descriptor = socket(peer->is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    struct sockaddr_in6 storage;
    socklen_t length = to_kernel(peer, &storage);
    if (connect(descriptor, (struct sockaddr *)&storage, length) != 0) return failed(descriptor);
    return descriptor;
}

int plexi_local_address(int descriptor, plexi_address *address) {
    struct sockaddr_in6 storage;
    socklen_t length = sizeof storage;
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) != 0) return -1;
    from_kernel(&storage, address);
    return 0;
}

long plexi_datagram_send(int descriptor, const void *bytes, unsigned long count, const plexi_address *to) {
    struct sockaddr_in6 storage;
    socklen_t length = to_kernel(to, &storage);
    ssize_t result;
    do
        result = sendto(descriptor, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&storage, length);
    while (result < 0 && errno == EINTR);
    if (result >= 0) return result;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 0 : -1;
}

long plexi_datagram_receive(int descriptor, void *bytes, unsigned long count, plexi_address *from) {
    struct sockaddr_in6 storage;
    socklen_t length = sizeof storage;
    ssize_t result;
    do
        result = recvfrom(descriptor, bytes, count, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&storage, &length);
    while (result < 0 && errno == EINTR);
    if (result < 0) return -1;
    from_kernel(&storage, from);
    return result;
}

int plexi_socket_error(int descriptor) {
    int code = 0;
    socklen_t length = sizeof code;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) != 0) return errno;
    return code;
}

int plexi_shared_datagram_socket(plexi_address *address, int buffer_bytes) {
    int family = address->is_v6 ? AF_INET6 : AF_INET;
    int descriptor = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    int one = 1;
    if (address->is_v6) (void)setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    // Best effort: the system's limits decide.
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
    (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) return failed(descriptor);
    struct sockaddr_in6 storage;
    socklen_t length = to_kernel(address, &storage);
    if (bind(descriptor, (struct sockaddr *)&storage, length) != 0) return failed(descriptor);
    length = sizeof storage;
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) != 0) return failed(descriptor);
    from_kernel(&storage, address);
    return descriptor;
}

int plexi_datagram_forbid_fragments(int descriptor, int is_v6, int forbid) {
    int level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP;
    int option = is_v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER;
    // PROBE sets the bit and does not let the kernel's own idea of the path refuse what is sent.
    int value = forbid ? (is_v6 ? IPV6_PMTUDISC_PROBE : IP_PMTUDISC_PROBE)
                       : (is_v6 ? IPV6_PMTUDISC_DONT : IP_PMTUDISC_DONT);
    return setsockopt(descriptor, level, option, &value, sizeof value);
}

int plexi_send_gathered(
    int descriptor, const plexi_piece *pieces, const plexi_gathering *gatherings, unsigned int count) {
    struct mmsghdr messages[PLEXI_GATHERINGS];
    struct sockaddr_in6 addresses[PLEXI_GATHERINGS];
    segment_control controls[PLEXI_GATHERINGS];
    if (count > PLEXI_GATHERINGS) count = PLEXI_GATHERINGS;
    for (unsigned int i = 0; i < count; i++) {
        const plexi_gathering *gathering = &gatherings[i];
        struct msghdr *header = &messages[i].msg_hdr;
        header->msg_name = &addresses[i];
        header->msg_namelen = to_kernel(&gathering->address, &addresses[i]);
        header->msg_iov = (struct iovec *)(pieces + gathering->first);
        header->msg_iovlen = gathering->count;
        header->msg_control = NULL;
        header->msg_controllen = 0;
        header->msg_flags = 0;
        if (gathering->count > 1) cut_into_segments(header, &controls[i], gathering->segment);
    }
    int sent;
    do sent = sendmmsg(descriptor, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

int plexi_send_pieces(int descriptor, const plexi_piece *pieces, const plexi_gathering *gathering) {
    int sent = 0;
    for (unsigned int i = 0; i < gathering->count; i++) {
        const plexi_piece *piece = &pieces[gathering->first + i];
        if (plexi_datagram_send(descriptor, piece->bytes, piece->count, &gathering->address) > 0) sent++;
    }
    return sent;
}

/// A TCP socket bound so that a listener and connections may share its port.
static int shared_stream(const plexi_address *address) {
    int descriptor = socket(address->is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    int one = 1;
    if (address->is_v6) (void)setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    struct sockaddr_in6 storage;
    socklen_t length = to_kernel(address, &storage);
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0 ||
        bind(descriptor, (struct sockaddr *)&storage, length) != 0)
        return failed(descriptor);
    return descriptor;
}

int plexi_relay_listener(plexi_address *address, int backlog) {
    int descriptor = shared_stream(address);
    if (descriptor < 0) return -1;
    if (listen(descriptor, backlog) != 0 || plexi_local_address(descriptor, address) != 0) return failed(descriptor);
    return descriptor;
}

int plexi_relay_connect(const plexi_address *local, const plexi_address *peer, int send_bytes) {
    int descriptor = shared_stream(local);
    if (descriptor < 0) return -1;
    int one = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
    struct sockaddr_in6 storage;
    socklen_t length = to_kernel(peer, &storage);
    if (connect(descriptor, (struct sockaddr *)&storage, length) != 0 && errno != EINPROGRESS) return failed(descriptor);
    return descriptor;
}
