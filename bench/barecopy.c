/* How long a process must stand still for all of its memory to be copied: the yardstick
 * for a pause.
 *
 *     barecopy PID
 *
 * Stops the main thread, copies every private writable mapping whole, 1 MiB a call, into
 * room that was made and touched before, lets it go.  Prints
 * `bytes N stopped_s SECONDS stopped_cpu_s SECONDS`.  Nothing is looked at.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

enum { PIECE = 1 << 20, MOST = 1 << 16 };

struct range {
    unsigned long start, end;
};

static struct range ranges[MOST];

static size_t private_writable(int pid)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "r");
    if (!maps)
        return 0;
    char *line = NULL;
    size_t room = 0, count = 0;
    while (count < MOST && getline(&line, &room, maps) > 0) {
        struct range r;
        char may[5];
        if (sscanf(line, "%lx-%lx %4s", &r.start, &r.end, may) == 3 && !strcmp(may, "rw-p"))
            ranges[count++] = r;
    }
    free(line);
    fclose(maps);
    return count;
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(const char *what)
{
    fprintf(stderr, "barecopy: %s: %s\n", what, strerror(errno));
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: barecopy PID\n", stderr);
        return 2;
    }
    int pid = atoi(argv[1]);
    size_t count = private_writable(pid), capacity = 64 << 20, copied = 0;
    for (size_t i = 0; i < count; i++)
        capacity += ranges[i].end - ranges[i].start;
    char *room = mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!count || room == MAP_FAILED)
        return fail("nothing to copy, or no room");
    for (size_t i = 0; i < capacity; i += 4096)
        ((volatile char *)room)[i] = 1;

    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) || ptrace(PTRACE_INTERRUPT, pid, 0, 0) || waitpid(pid, NULL, __WALL) != pid)
        return fail("cannot stop it");
    count = private_writable(pid);
    for (size_t i = 0; i < count; i++)
        for (unsigned long at = ranges[i].start; at < ranges[i].end; at += PIECE) {
            size_t length = ranges[i].end - at < PIECE ? ranges[i].end - at : PIECE;
            if (length > capacity - copied)
                break;
            struct iovec here = {room + copied, length}, there = {(void *)at, length};
            ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
            copied += got > 0 ? (size_t)got : 0;
        }
    ptrace(PTRACE_DETACH, pid, 0, 0);
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("bytes %zu stopped_s %.6f stopped_cpu_s %.6f\n", copied, wall, cpu);
    return 0;
}
