#define _GNU_SOURCE
#include "CShims.h"
#include "kernel_address.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

static int failed(int descriptor) {
    int code = errno;
    close(descriptor);
    errno = code;
    return -1;
}

int plexi_stream_listener(plexi_address *address, int backlog) {
    int family = address->is_v6 ? AF_INET6 : AF_INET;
    int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    int one = 1;
    (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address->is_v6) (void)setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    struct sockaddr_in6 storage;
    socklen_t length = to_kernel(address, &storage);
    if (bind(descriptor, (struct sockaddr *)&storage, length) != 0) return failed(descriptor);
    if (listen(descriptor, backlog) != 0) return failed(descriptor);
    length = sizeof storage;
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) != 0) return failed(descriptor);
    from_kernel(&storage, address);
    return descriptor;
}

int plexi_stream_accept(int listener, plexi_address *peer, int send_bytes) {
    struct sockaddr_in6 storage;
    socklen_t length = sizeof storage;
    int descriptor;
    do descriptor = accept4(listener, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) return -1;
    int one = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
    from_kernel(&storage, peer);
    return descriptor;
}

int plexi_stream_connect(const plexi_address *peer) {
    int family = peer->is_v6 ? AF_INET6 : AF_INET;
    int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    int one = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in6 storage;
    socklen_t length = to_kernel(peer, &storage);
    if (connect(descriptor, (struct sockaddr *)&storage, length) != 0 && errno != EINPROGRESS) return failed(descriptor);
    return descriptor;
}

long plexi_stream_read(int descriptor, void *bytes, unsigned long count) {
    ssize_t result;
    do result = recv(descriptor, bytes, count, MSG_DONTWAIT);
    while (result < 0 && errno == EINTR);
    if (result > 0) return result;
    return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
}

long plexi_stream_write(int descriptor, const void *bytes, unsigned long count) {
    ssize_t result;
    do result = send(descriptor, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (result < 0 && errno == EINTR);
    if (result >= 0) return result;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 0 : -1;
}
