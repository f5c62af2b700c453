// Between our addresses and the kernel's.
#pragma once

#include "Datagrams.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static inline socklen_t to_kernel(const plexi_address *from, struct sockaddr_in6 *storage) {
    if (from->is_v6) {
        memset(storage, 0, sizeof *storage);
        storage->sin6_family = AF_INET6;
        storage->sin6_port = htons(from->port);
        memcpy(&storage->sin6_addr, from->ip, 16);
        return sizeof *storage;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
    memset(v4, 0, sizeof *v4);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(from->port);
    memcpy(&v4->sin_addr, from->ip, 4);
    return sizeof *v4;
}

static inline void from_kernel(const struct sockaddr_in6 *storage, plexi_address *to) {
    if (storage->sin6_family == AF_INET6) {
        to->is_v6 = 1;
        to->port = ntohs(storage->sin6_port);
        memcpy(to->ip, &storage->sin6_addr, 16);
        return;
    }
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)storage;
    to->is_v6 = 0;
    to->port = ntohs(v4->sin_port);
    memset(to->ip, 0, sizeof to->ip);
    memcpy(to->ip, &v4->sin_addr, 4);
}
