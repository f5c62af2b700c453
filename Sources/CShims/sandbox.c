// What a worker may do: limits of the kernel, and a filter over system calls (seccomp(2)), written out by hand. A filter
// of forty lines needs no library that would have to be there on every machine, and is read in one go.
#define _GNU_SOURCE
#include "Sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the sandbox knows the system calls of x86_64 and aarch64"
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITISED 1
#endif
#endif

int plexi_sandbox_limits_memory(void) {
#ifdef IS_SANITISED
    return 0;
#else
    return 1;
#endif
}

enum { FILTER_MAX = 160 };

typedef struct {
    struct sock_filter lines[FILTER_MAX];
    unsigned short count;
} program;

static void add(program *to, struct sock_filter line) {
    if (to->count < FILTER_MAX) to->lines[to->count] = line;
    to->count++;
}

static void load(program *to, unsigned int offset) {
    add(to, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

/// Lines to skip when equal, and when not.
static void compare(program *to, unsigned int value, unsigned char equal, unsigned char different) {
    add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, equal, different));
}

static void any_bit(program *to, unsigned int bits, unsigned char set, unsigned char clear) {
    add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, set, clear));
}

static void verdict(program *to, unsigned int action) {
    add(to, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/// The low half of an argument: the flags looked at here all fit, on little-endian machines.
static unsigned int argument(int index) {
    return offsetof(struct seccomp_data, args) + (unsigned int)index * sizeof(unsigned long long);
}

static void allow(program *to, long number) {
    compare(to, (unsigned int)number, 0, 1);
    verdict(to, SECCOMP_RET_ALLOW);
}

/// Memory that is private and not executable. The accumulator holds the number before and, if it is another, after.
static void allow_mapping(program *to) {
    compare(to, __NR_mmap, 0, 6);
    load(to, argument(2));
    any_bit(to, PROT_EXEC, 3, 0);
    load(to, argument(3));
    // MAP_SHARED_VALIDATE has this bit too.
    any_bit(to, MAP_SHARED, 1, 0);
    verdict(to, SECCOMP_RET_ALLOW);
    verdict(to, SECCOMP_RET_KILL_PROCESS);
}

static void allow_protecting(program *to) {
    compare(to, __NR_mprotect, 0, 4);
    load(to, argument(2));
    any_bit(to, PROT_EXEC, 1, 0);
    verdict(to, SECCOMP_RET_ALLOW);
    verdict(to, SECCOMP_RET_KILL_PROCESS);
}

static void allow_threads(program *to) {
    // clone3 passes its flags in memory, which no filter reads: "not there" lets the C library take clone.
    compare(to, __NR_clone3, 0, 1);
    verdict(to, SECCOMP_RET_ERRNO | ENOSYS);
    compare(to, __NR_clone, 0, 4);
    load(to, argument(0));
    any_bit(to, CLONE_THREAD, 0, 1);
    verdict(to, SECCOMP_RET_ALLOW);
    verdict(to, SECCOMP_RET_KILL_PROCESS);
    allow(to, __NR_set_robust_list);
#ifdef __NR_rseq
    allow(to, __NR_rseq);
#endif
    allow(to, __NR_sched_getaffinity);
    allow(to, __NR_clock_nanosleep);
    allow(to, __NR_exit);
}

static void allow_always(program *to) {
    static const long calls[] = {
        __NR_recvmsg,     __NR_sendmsg,      __NR_munmap,     __NR_mremap,       __NR_brk,
        __NR_madvise,     __NR_futex,        __NR_exit_group, __NR_close,        __NR_clock_gettime,
        __NR_gettimeofday, __NR_getrandom,   __NR_sched_yield, __NR_rt_sigreturn, __NR_restart_syscall,
    };
    for (unsigned int i = 0; i < sizeof calls / sizeof *calls; i++) allow(to, calls[i]);
}

static int install(unsigned int permissions) {
    program filter = {.count = 0};
    load(&filter, offsetof(struct seccomp_data, arch));
    compare(&filter, OWN_ARCHITECTURE, 1, 0);
    verdict(&filter, SECCOMP_RET_KILL_PROCESS);
    load(&filter, offsetof(struct seccomp_data, nr));
    allow_always(&filter);
    if (permissions & PLEXI_SANDBOX_READS) {
        allow(&filter, __NR_read);
        allow(&filter, __NR_pread64);
        allow(&filter, __NR_readv);
        allow(&filter, __NR_lseek);
    }
    if (permissions & PLEXI_SANDBOX_WRITES) {
        allow(&filter, __NR_write);
        allow(&filter, __NR_pwrite64);
        allow(&filter, __NR_writev);
        allow(&filter, __NR_fsync);
        allow(&filter, __NR_fdatasync);
        allow(&filter, __NR_ftruncate);
    }
    if (permissions & PLEXI_SANDBOX_THREADS) allow_threads(&filter);
    allow_mapping(&filter);
    allow_protecting(&filter);
    verdict(&filter, SECCOMP_RET_KILL_PROCESS);
    if (filter.count > FILTER_MAX) {
        errno = E2BIG;
        return -1;
    }
    struct sock_fprog built = {.len = filter.count, .filter = filter.lines};
    // Threads that the runtime may have started are bound too.
    if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &built) == 0) return 0;
    // Some service managers' own filters know prctl(2) only; a worker has one thread when it comes here.
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &built, 0, 0);
}

static int limit(int what, rlim_t most) {
    struct rlimit now;
    if (getrlimit(what, &now) != 0) return -1;
    // What was narrower stays so.
    if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most) most = now.rlim_max;
    struct rlimit wanted = {.rlim_cur = most, .rlim_max = most};
    return setrlimit(what, &wanted);
}

int plexi_sandbox_enter(const plexi_sandbox *sandbox) {
    int limits_memory = sandbox->memory_bytes > 0 && plexi_sandbox_limits_memory();
    if (limits_memory && limit(RLIMIT_AS, sandbox->memory_bytes) != 0) return -1;
    if (limit(RLIMIT_CPU, sandbox->cpu_seconds) != 0 || limit(RLIMIT_CORE, 0) != 0) return -1;
    if (!(sandbox->permissions & PLEXI_SANDBOX_WRITES) && limit(RLIMIT_FSIZE, 0) != 0) return -1;
    // Counted over all processes of the user, threads included: who may start threads is held by the filter alone.
    if (!(sandbox->permissions & PLEXI_SANDBOX_THREADS) && limit(RLIMIT_NPROC, 0) != 0) return -1;
    if (limit(RLIMIT_NOFILE, sandbox->descriptors) != 0) return -1;
    // Nobody attaches to it, and /proc shows its memory to root alone.
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return install(sandbox->permissions);
}

// MARK: - Probe

enum { DONE = 0, REFUSED = 1, NOT_ENTERED = 3, PROBE_MEMORY_BYTES = 1 << 30 };

static int mapped(unsigned long count, int protection, int flags) {
    return mmap(NULL, count, protection, flags | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? REFUSED : DONE;
}

/// Raw calls: between fork and the end nothing of the C library's state is touched.
static int try(plexi_probe what) {
    switch (what) {
        case PLEXI_PROBE_NOTHING: return mapped(4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        case PLEXI_PROBE_OPEN: return syscall(__NR_openat, AT_FDCWD, "/dev/null", O_RDONLY) < 0 ? REFUSED : DONE;
        case PLEXI_PROBE_SOCKET: return syscall(__NR_socket, AF_INET, SOCK_STREAM, 0) < 0 ? REFUSED : DONE;
        case PLEXI_PROBE_FORK: {
            long child = syscall(__NR_clone, SIGCHLD, 0, 0, 0, 0);
            if (child == 0) syscall(__NR_exit_group, 0);
            return child < 0 ? REFUSED : DONE;
        }
        case PLEXI_PROBE_EXECUTABLE_MEMORY: return mapped(4096, PROT_READ | PROT_EXEC, MAP_PRIVATE);
        case PLEXI_PROBE_SHARED_MEMORY: return mapped(4096, PROT_READ | PROT_WRITE, MAP_SHARED);
        case PLEXI_PROBE_WRITE: return syscall(__NR_write, PLEXI_WORKER_SOCKET, "", 0) < 0 ? REFUSED : DONE;
        case PLEXI_PROBE_KILL: return syscall(__NR_kill, syscall(__NR_getppid), 0) < 0 ? REFUSED : DONE;
        case PLEXI_PROBE_MEMORY: return mapped(2UL * PROBE_MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    }
    return DONE;
}

/// Room for what the trying process has mapped already, and not for what it asks for.
static unsigned long long probe_limit(void) {
#ifdef IS_SANITISED
    return 0;
#else
    return 64ULL << 20;
#endif
}

int plexi_sandbox_probe(plexi_probe what) {
    pid_t child = fork();
    if (child < 0) return -1;
    if (child == 0) {
        plexi_sandbox sandbox = {.memory_bytes = probe_limit(), .cpu_seconds = 2, .descriptors = 16};
        if (what != PLEXI_PROBE_MEMORY) sandbox.memory_bytes = 0;
        if (plexi_sandbox_enter(&sandbox) != 0) syscall(__NR_exit_group, NOT_ENTERED);
        syscall(__NR_exit_group, try(what));
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return -1;
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGSYS ? 2 : NOT_ENTERED;
    return WEXITSTATUS(status);
}
