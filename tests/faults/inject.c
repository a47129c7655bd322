/* Runs a command and breaks one of its system calls on files below a folder: the K-th call that writes, syncs, names or makes
 * something there fails with an error, is the moment of a signal, or is the last thing the command does.
 *
 * An LD_PRELOAD library would not see the calls that the program makes without libc, so the kernel reports them: a seccomp
 * filter stops the command at these calls only, and the command runs at full speed otherwise.
 *
 *   cc -O2 -o inject inject.c
 *   inject LOG FOLDER count      0 -- COMMAND...    counts the calls
 *   inject LOG FOLDER errno:28   K -- COMMAND...    the K-th call, from 1, fails with this error
 *   inject LOG FOLDER signal:15  K -- COMMAND...    the command gets this signal at the K-th call, which then goes on
 *   inject LOG FOLDER twice:2    K -- COMMAND...    the same, with the signal again a little later
 *   inject LOG FOLDER kill       K -- COMMAND...    the command is killed before the K-th call
 *   inject LOG FOLDER die:6      K -- COMMAND...    the process that opens the K-th file, to read or to write it, gets this signal
 *
 * K may be followed by a pattern, as in `1:fsync *commits`: then only calls count whose name and path fit it.
 * LOG gets one line a call that was counted: number, name, path, and for a call that gives a file another name, behind a tab,
 * the name that it had. The exit code is the command's, 128 + N for a signal.
 * x86-64 Linux only. */
#define _GNU_SOURCE
#include <errno.h>
#include <fnmatch.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Where a call's path stands: the descriptor or folder descriptor, and the name behind it; -1 for none. Then the same of the name
 * that a file had, where the call gives it another. */
struct place {
    int descriptor;
    int path;
};
struct call {
    long number;
    const char *name;
    struct place at, from;
};

#define NONE {-1, -1}
static const struct call CALLS[] = {
    {SYS_write, "write", {0, -1}, NONE},
    {SYS_pwrite64, "pwrite", {0, -1}, NONE},
    {SYS_writev, "writev", {0, -1}, NONE},
    {SYS_fsync, "fsync", {0, -1}, NONE},
    {SYS_fdatasync, "fdatasync", {0, -1}, NONE},
    {SYS_ftruncate, "ftruncate", {0, -1}, NONE},
    {SYS_rename, "rename", {-1, 1}, {-1, 0}},
    {SYS_renameat, "renameat", {2, 3}, {0, 1}},
    {SYS_renameat2, "renameat2", {2, 3}, {0, 1}},
    {SYS_link, "link", {-1, 1}, {-1, 0}},
    {SYS_linkat, "linkat", {2, 3}, {0, 1}},
    {SYS_symlink, "symlink", {-1, 1}, NONE},
    {SYS_symlinkat, "symlinkat", {1, 2}, NONE},
    {SYS_mkdir, "mkdir", {-1, 0}, NONE},
    {SYS_mkdirat, "mkdirat", {0, 1}, NONE},
    {SYS_openat, "create", {0, 1}, NONE},
    {SYS_open, "create", {-1, 0}, NONE},
};
#define COUNT (sizeof CALLS / sizeof CALLS[0])

static void fail(const char *what) {
    perror(what);
    exit(125);
}

static void install_filter(void) {
    struct sock_filter program[COUNT + 4];
    size_t at = 0;
    program[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT; i++)
        program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)CALLS[i].number,
                                                     (uint8_t)(COUNT - i), 0);
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    struct sock_fprog filter = {.len = (unsigned short)at, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) fail("no_new_privs");
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter)) fail("seccomp");
}

static unsigned long long argument(const struct user_regs_struct *regs, int number) {
    const unsigned long long all[] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};
    return all[number];
}

static void read_text(pid_t tid, unsigned long long address, char *to, size_t size) {
    to[0] = 0;
    size_t got = 0;
    /* Page by page: a text may end just before a page that is not there. */
    while (got + 1 < size) {
        size_t room = 4096 - (address + got) % 4096;
        if (room > size - 1 - got) room = size - 1 - got;
        struct iovec local = {to + got, room}, remote = {(void *)(address + got), room};
        ssize_t read = process_vm_readv(tid, &local, 1, &remote, 1, 0);
        if (read <= 0) break;
        if (memchr(to + got, 0, (size_t)read)) return;
        got += (size_t)read;
    }
    to[got] = 0;
}

/* The path that stands at a place of a call's arguments. */
static void path_of(pid_t tid, const struct place *call, const struct user_regs_struct *regs, char *to, size_t size) {
    char base[PATH_MAX] = "", name[PATH_MAX] = "", link[64];
    if (call->path >= 0) read_text(tid, argument(regs, call->path), name, sizeof name);
    if (name[0] != '/') {
        int descriptor = call->descriptor >= 0 ? (int)argument(regs, call->descriptor) : AT_FDCWD;
        if (descriptor == AT_FDCWD) snprintf(link, sizeof link, "/proc/%d/cwd", tid);
        else snprintf(link, sizeof link, "/proc/%d/fd/%d", tid, descriptor);
        ssize_t length = readlink(link, base, sizeof base - 1);
        base[length > 0 ? length : 0] = 0;
    }
    snprintf(to, size, name[0] && base[0] ? "%s/%s" : "%s%s", base, name);
}

int main(int argc, char **argv) {
    if (argc < 7 || strcmp(argv[5], "--")) {
        fprintf(stderr, "usage: inject LOG FOLDER count|errno:N|signal:N|twice:N|kill|die:N K -- COMMAND...\n");
        return 125;
    }
    FILE *log = fopen(argv[1], "w");
    if (!log) fail(argv[1]);
    fcntl(fileno(log), F_SETFD, FD_CLOEXEC);
    const char *folder = argv[2], *mode = argv[3];
    size_t length = strlen(folder);
    long wanted = atol(argv[4]), seen = 0;
    const char *pattern = strchr(argv[4], ':');
    const char *number = strchr(mode, ':');
    int value = number ? atoi(number + 1) : 0;
    pid_t main_pid = fork();
    if (main_pid < 0) fail("fork");
    if (main_pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0)) fail("ptrace");
        raise(SIGSTOP);
        install_filter();
        execvp(argv[6], argv + 6);
        fail(argv[6]);
    }
    int status;
    if (waitpid(main_pid, &status, 0) < 0 || !WIFSTOPPED(status)) fail("waitpid");
    long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, main_pid, 0, options)) fail("setoptions");
    ptrace(PTRACE_CONT, main_pid, 0, 0);

    /* The thread whose call waits until the signal has been seen by the rest of the command. */
    pid_t held = 0;
    int pauses = 0;
    for (;;) {
        pid_t tid = waitpid(-1, &status, __WALL | (held ? WNOHANG : 0));
        if (tid == 0) {
            struct timespec pause = {0, 2000000};
            nanosleep(&pause, NULL);
            pauses++;
            // On a busy machine the program needs longer to see the first signal, and then the second.
            int twice = !strncmp(mode, "twice", 5);
            if (pauses == 60 && twice) kill(main_pid, value);
            if (pauses >= (twice ? 180 : 40)) {
                ptrace(PTRACE_CONT, held, 0, 0);
                held = 0;
            }
            continue;
        }
        if (tid < 0) {
            if (errno == EINTR) continue;
            break;
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (tid == held) held = 0;
            if (tid == main_pid) {
                fclose(log);
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            }
            continue;
        }
        if (!WIFSTOPPED(status)) continue;
        if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_SECCOMP << 8))) {
            struct user_regs_struct regs;
            if (ptrace(PTRACE_GETREGS, tid, 0, &regs)) continue;
            const struct call *call = NULL;
            for (size_t i = 0; i < COUNT; i++)
                if (CALLS[i].number == (long)regs.orig_rax) call = &CALLS[i];
            int makes = 1, opens = call && (call->number == SYS_openat || call->number == SYS_open);
            if (call && call->number == SYS_openat) makes = (regs.rdx & O_CREAT) != 0;
            if (call && call->number == SYS_open) makes = (regs.rsi & O_CREAT) != 0;
            if (!strncmp(mode, "die", 3)) makes = opens;
            char path[2 * PATH_MAX] = "";
            if (call && makes) path_of(tid, &call->at, &regs, path, sizeof path);
            int inside = call && makes && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
            if (inside && pattern) {
                char line[2 * PATH_MAX + 32];
                snprintf(line, sizeof line, "%s %s", call->name, path);
                inside = !fnmatch(pattern + 1, line, 0);
            }
            if (inside) {
                seen++;
                char from[2 * PATH_MAX] = "";
                int moved = call->from.path >= 0;
                if (moved) path_of(tid, &call->from, &regs, from, sizeof from);
                fprintf(log, "%ld %s %s%s%s\n", seen, call->name, path, moved ? "\t" : "", from);
                fflush(log);
            }
            if (inside && seen == wanted) {
                if (!strncmp(mode, "errno", 5)) {
                    regs.orig_rax = (unsigned long long)-1;
                    regs.rax = (unsigned long long)-(long long)value;
                    ptrace(PTRACE_SETREGS, tid, 0, &regs);
                } else if (!strncmp(mode, "die", 3)) {
                    /* A signal of a fault that nothing repeats is ignored by handlers that wait for the fault again. */
                    regs.rip = value == SIGSEGV ? 8 : regs.rip;
                    if (value == SIGSEGV) ptrace(PTRACE_SETREGS, tid, 0, &regs);
                    /* To this thread: a signal to the process may find it after the thread has gone on to its next file. */
                    else syscall(SYS_tkill, tid, value);
                } else if (!strcmp(mode, "kill")) {
                    kill(main_pid, SIGKILL);
                    continue;
                } else if (value > 0) {
                    kill(main_pid, value);
                    held = tid;
                    pauses = 0;
                    continue;
                }
            }
            ptrace(PTRACE_CONT, tid, 0, 0);
            continue;
        }
        int signal = WSTOPSIG(status);
        /* New threads begin with a stop, and events are no signals of the command's own. */
        if (signal == SIGSTOP || signal == SIGTRAP || status >> 16) signal = 0;
        ptrace(PTRACE_CONT, tid, 0, signal);
    }
    return 125;
}
