#define _GNU_SOURCE
#include "CShims.h"
#include "kernel_address.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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
