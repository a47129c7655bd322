/* Preloaded into the program: runs a command before a file of the lake is opened, or lets the opening fail.

   CHANGE_PATH     end of the path of the file
   CHANGE_COMMAND  shell command to be run before it is opened for the second time: after the stock was taken, before it is read
   CHANGE_ALWAYS   set: before every second opening, so that a second attempt meets a change as well
   CHANGE_ERRNO    number of the error with which the opening fails instead
   CHANGE_READ     set: the error is one of reading, not of opening */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int openings;

static int is_victim(const char *path) {
    const char *end = getenv("CHANGE_PATH");
    size_t length = path ? strlen(path) : 0;
    return end && length >= strlen(end) && !strcmp(path + length - strlen(end), end);
}

static int before(const char *path) {
    if (!is_victim(path)) return 0;
    int number = ++openings;
    int now = getenv("CHANGE_ALWAYS") ? number % 2 == 0 : number == 2;
    const char *command = getenv("CHANGE_COMMAND");
    const char *error = getenv("CHANGE_ERRNO");
    if (command && now) {
        unsetenv("LD_PRELOAD");
        if (system(command)) abort();
    }
    if (error && !getenv("CHANGE_READ")) {
        errno = atoi(error);
        return -1;
    }
    return 0;
}

int open64(const char *path, int flags, ...) {
    static int (*real)(const char *, int, ...);
    if (!real) real = dlsym(RTLD_NEXT, "open64");
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return before(path) ? -1 : real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return open64(path, flags, mode);
}

ssize_t read(int file, void *to, size_t length) {
    static ssize_t (*real)(int, void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "read");
    /* The name is asked of the system: the number of a descriptor that was closed stands for another file later, and one file has
       several numbers where a descriptor is duplicated. */
    if (getenv("CHANGE_READ")) {
        char link[64], path[4096];
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        ssize_t bytes = readlink(link, path, sizeof path - 1);
        path[bytes < 0 ? 0 : bytes] = 0;
        if (is_victim(path)) {
            errno = atoi(getenv("CHANGE_ERRNO"));
            return -1;
        }
    }
    return real(file, to, length);
}
