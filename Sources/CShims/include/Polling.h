// Waiting for descriptors with epoll(7), behind plain types.
#pragma once

enum { PLEXI_READABLE = 1, PLEXI_WRITABLE = 2 };

typedef struct {
    /// What the descriptor was added with.
    unsigned long long token;
    /// An error or a hang-up counts as both: the next call on the descriptor tells.
    unsigned int ready;
} plexi_readiness;

/// A descriptor, or -1 with errno; so for all of these that make one.
int plexi_poller_make(void);
/// Level-triggered. 0, or -1 with errno.
int plexi_poller_add(int poller, int descriptor, unsigned long long token, unsigned int interest);
int plexi_poller_change(int poller, int descriptor, unsigned long long token, unsigned int interest);
int plexi_poller_remove(int poller, int descriptor);
/// Waits at most so many nanoseconds; less than 0 is without limit. How many of `list` were filled, or -1 with errno.
int plexi_poller_wait(int poller, plexi_readiness *list, int capacity, long long nanoseconds);

/// A descriptor that becomes readable when it is rung, from any thread, until it is cleared.
int plexi_doorbell_make(void);
void plexi_doorbell_ring(int doorbell);
void plexi_doorbell_clear(int doorbell);

/// From now on the signal rings this doorbell instead of having its effect. One doorbell for each signal: the latest.
int plexi_signal_watch(int number, int doorbell);
/// The signal has its own effect again, if it still rings this doorbell.
void plexi_signal_unwatch(int number, int doorbell);
