// Starting workers, and descriptors that travel to them.
#define _GNU_SOURCE
#include "Sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/// The child's end must not lie where its standard descriptors are put.
enum { OUT_OF_THE_WAY = 10 };

static int arrange(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int end) {
    int code = 0;
    for (int standard = 0; standard <= 2 && code == 0; standard++)
        code = posix_spawn_file_actions_addopen(actions, standard, "/dev/null", O_RDWR, 0);
    if (code == 0) code = posix_spawn_file_actions_adddup2(actions, end, PLEXI_WORKER_SOCKET);
    if (code == 0) code = posix_spawn_file_actions_addclosefrom_np(actions, PLEXI_WORKER_SOCKET + 1);
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    if (code == 0) code = posix_spawnattr_setsigdefault(attributes, &all);
    if (code == 0) code = posix_spawnattr_setsigmask(attributes, &none);
    if (code == 0) code = posix_spawnattr_setpgroup(attributes, 0);
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP;
    if (code == 0) code = posix_spawnattr_setflags(attributes, flags);
    return code;
}

static int start(const char *program, char *const arguments[], int end, pid_t *process) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int code = posix_spawn_file_actions_init(&actions);
    if (code != 0) return code;
    code = posix_spawnattr_init(&attributes);
    if (code != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return code;
    }
    char *const environment[] = {NULL};
    code = arrange(&actions, &attributes, end);
    if (code == 0) code = posix_spawn(process, program, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

int plexi_worker_start(const char *program, char *const arguments[], int *descriptor) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return -1;
    int end = fcntl(pair[1], F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
    int code = end < 0 ? errno : 0;
    close(pair[1]);
    pid_t process = -1;
    if (code == 0) code = start(program, arguments, end, &process);
    if (end >= 0) close(end);
    if (code != 0) {
        close(pair[0]);
        errno = code;
        return -1;
    }
    *descriptor = pair[0];
    return process;
}

int plexi_worker_reap(int process, int wait) {
    int status;
    pid_t ended;
    do ended = waitpid(process, &status, wait ? 0 : WNOHANG);
    while (ended < 0 && errno == EINTR);
    return ended < 0 ? -1 : ended == process;
}

typedef union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr alignment;
} descriptor_control;

long plexi_send_with_descriptor(int socket, const void *bytes, unsigned long count, int descriptor) {
    struct iovec piece = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    descriptor_control control = {.bytes = {0}};
    if (descriptor >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

long plexi_receive_with_descriptor(int socket, void *bytes, unsigned long count, int *descriptor, int wait) {
    struct iovec piece = {.iov_base = bytes, .iov_len = count};
    descriptor_control control = {.bytes = {0}};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *descriptor = -1;
    ssize_t received;
    do received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    while (received < 0 && errno == EINTR);
    if (received < 0) return received;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
    return received;
}

int plexi_sealed_memory(const void *bytes, unsigned long count) {
    int descriptor = memfd_create("plexichat-content", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) return -1;
    unsigned long done = 0;
    while (done < count) {
        ssize_t written = write(descriptor, (const char *)bytes + done, count - done);
        if (written > 0) done += (unsigned long)written;
        if (written <= 0 && errno != EINTR) goto failed;
    }
    if (fcntl(descriptor, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) return descriptor;
failed:;
    int code = errno;
    close(descriptor);
    errno = code;
    return -1;
}

int plexi_reopen_for_reading(int descriptor) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

int plexi_local_connect(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS) return descriptor;
    int code = errno;
    close(descriptor);
    errno = code;
    return -1;
}
