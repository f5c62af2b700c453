#define _GNU_SOURCE
#include "CShims.h"
#include "Polling.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

int plexi_poller_make(void) { return epoll_create1(EPOLL_CLOEXEC); }

static int control(int poller, int operation, int descriptor, unsigned long long token, unsigned int interest) {
    struct epoll_event event = {.data.u64 = token};
    if (interest & PLEXI_READABLE) event.events |= EPOLLIN | EPOLLRDHUP;
    if (interest & PLEXI_WRITABLE) event.events |= EPOLLOUT;
    return epoll_ctl(poller, operation, descriptor, &event);
}

int plexi_poller_add(int poller, int descriptor, unsigned long long token, unsigned int interest) {
    return control(poller, EPOLL_CTL_ADD, descriptor, token, interest);
}

int plexi_poller_change(int poller, int descriptor, unsigned long long token, unsigned int interest) {
    return control(poller, EPOLL_CTL_MOD, descriptor, token, interest);
}

int plexi_poller_remove(int poller, int descriptor) {
    struct epoll_event unused = {0};
    return epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, &unused);
}

enum { WAIT_CAPACITY = 256 };

// Kernels before 5.11 count the wait in milliseconds; rounded up, so that a deadline is not looked at too early.
static int wait_milliseconds(int poller, struct epoll_event *events, int capacity, long long nanoseconds) {
    long long rounded = nanoseconds < 0 ? -1 : (nanoseconds + 999999) / 1000000;
    return epoll_wait(poller, events, capacity, rounded > INT_MAX ? INT_MAX : (int)rounded);
}

int plexi_poller_wait(int poller, plexi_readiness *list, int capacity, long long nanoseconds) {
    static atomic_int has_no_nanoseconds;
    struct epoll_event events[WAIT_CAPACITY];
    if (capacity > WAIT_CAPACITY) capacity = WAIT_CAPACITY;
    int count;
    if (atomic_load_explicit(&has_no_nanoseconds, memory_order_relaxed)) {
        count = wait_milliseconds(poller, events, capacity, nanoseconds);
    } else {
        struct timespec limit = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
        count = epoll_pwait2(poller, events, capacity, nanoseconds < 0 ? NULL : &limit, NULL);
        if (count < 0 && errno == ENOSYS) {
            atomic_store_explicit(&has_no_nanoseconds, 1, memory_order_relaxed);
            count = wait_milliseconds(poller, events, capacity, nanoseconds);
        }
    }
    for (int i = 0; i < count; i++) {
        unsigned int ready = 0;
        if (events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) ready |= PLEXI_READABLE;
        if (events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) ready |= PLEXI_WRITABLE;
        list[i].token = events[i].data.u64;
        list[i].ready = ready;
    }
    return count;
}

int plexi_doorbell_make(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void plexi_doorbell_ring(int doorbell) {
    uint64_t one = 1;
    int saved = errno;  // also called from signal handlers
    // It can only fail when it has been rung 2^64 - 2 times, and then it rings.
    (void)!write(doorbell, &one, sizeof one);
    errno = saved;
}

void plexi_doorbell_clear(int doorbell) {
    uint64_t count;
    (void)!read(doorbell, &count, sizeof count);
}

// Doorbells of signals plus one; 0 is none. Written outside of handlers, read in them.
static atomic_int signal_doorbells[NSIG];

static void signal_arrived(int number) {
    int doorbell = atomic_load(&signal_doorbells[number]) - 1;
    if (doorbell >= 0) plexi_doorbell_ring(doorbell);
}

int plexi_signal_watch(int number, int doorbell) {
    if (number <= 0 || number >= NSIG) {
        errno = EINVAL;
        return -1;
    }
    atomic_store(&signal_doorbells[number], doorbell + 1);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = signal_arrived;
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    return sigaction(number, &action, NULL);
}

void plexi_signal_unwatch(int number, int doorbell) {
    int expected = doorbell + 1;
    if (number <= 0 || number >= NSIG) return;
    if (!atomic_compare_exchange_strong(&signal_doorbells[number], &expected, 0)) return;
    signal(number, SIG_DFL);
}
