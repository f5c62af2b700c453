#define _GNU_SOURCE
#include "CShims.h"

#include <sys/socket.h>

int plexi_accept(int listener, void *address, unsigned int *length) {
    return accept4(listener, (struct sockaddr *)address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
