#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool memory_parse_bytes(const char *words, uint64_t *bytes)
{
    if (*words < '0' || *words > '9') return false; /* strtod would take "inf", "0x", signs and spaces */
    if (words[0] == '0' && (words[1] == 'x' || words[1] == 'X')) return false;
    char *end;
    double amount = strtod(words, &end);
    if (*end == ' ') end++;
    static const char units[] = "KMGT";
    const char letter = *end >= 'a' && *end <= 'z' ? (char)(*end - 'a' + 'A') : *end;
    const char *unit = letter ? strchr(units, letter) : NULL;
    if (unit) {
        end++;
        const double step = *end == 'i' ? 1024 : 1000;
        if (*end == 'i') end++;
        for (const char *u = units; u <= unit; u++)
            amount *= step;
    }
    if (*end == 'B' || (*end == 'b' && unit)) end++;
    if (*end || !(amount < 0x1p63)) return false;
    *bytes = (uint64_t)amount;
    return true;
}

const char *memory_print_bytes(uint64_t bytes, char words[MEMORY_TEXT])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    double amount = (double)bytes;
    int unit = 0;
    while (amount >= 999.5) {
        amount /= 1000;
        unit++;
    }
    const int decimals = unit == 0 || amount >= 99.95 ? 0 : amount >= 9.995 ? 1 : 2;
    snprintf(words, MEMORY_TEXT, "%.*f %s", decimals, amount, units[unit]);
    return words;
}

/* A small file of the system, zero-terminated; empty when it is not there. */
static void read_small(const char *path, char *contents, size_t room)
{
    FILE *file = fopen(path, "r");
    const size_t got = file ? fread(contents, 1, room - 1, file) : 0;
    contents[got] = '\0';
    if (file) fclose(file);
}

uint64_t memory_proc_field(const char *contents, const char *key)
{
    const size_t length = strlen(key);
    for (const char *line = contents; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ':') return strtoull(line + length + 1, NULL, 10) * 1024;
    }
    return 0;
}

static uint64_t proc_field(const char *path, const char *key)
{
    char contents[8192];
    read_small(path, contents, sizeof contents);
    return memory_proc_field(contents, key);
}

enum { GROUP_PATH_BYTES = 4096 };

/* A control group's number; UINT64_MAX for "max", none, or version 1's "no limit" (a huge number). */
static uint64_t group_value(const char *folder, const char *name)
{
    char path[GROUP_PATH_BYTES + 64], contents[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    read_small(path, contents, sizeof contents);
    if (contents[0] < '0' || contents[0] > '9') return UINT64_MAX;
    const uint64_t value = strtoull(contents, NULL, 10);
    return value >= UINT64_MAX / 4 ? UINT64_MAX : value;
}

/* One folder of limits: version 2 names first, then version 1's. */
static void group_tighten(const char *folder, uint64_t *limit, uint64_t *room)
{
    static const char *const names[2][2] = {{"memory.max", "memory.current"},
                                            {"memory.limit_in_bytes", "memory.usage_in_bytes"}};
    for (int version = 0; version < 2; version++) {
        const uint64_t most = group_value(folder, names[version][0]);
        const uint64_t used = group_value(folder, names[version][1]);
        if (most < *limit) *limit = most;
        if (most != UINT64_MAX && used != UINT64_MAX && (most > used ? most - used : 0) < *room)
            *room = most > used ? most - used : 0;
    }
}

/* The tightest limit and the least room among this process's memory control group and those above it;
 * UINT64_MAX where nothing limits. Inside a container the path that /proc names may not be mounted:
 * then only the root answers, which there is the container's own group. */
static void group_limits(uint64_t *limit, uint64_t *room)
{
    *limit = *room = UINT64_MAX;
    char groups[8192];
    read_small("/proc/self/cgroup", groups, sizeof groups);
    for (char *line = groups, *next; *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next) *next++ = '\0';
        /* "0::/path" in version 2, "5:memory:/path" in version 1 */
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path) continue;
        *path++ = '\0';
        const bool version2 = controllers[1] == '\0';
        if (!version2 && !strstr(controllers + 1, "memory")) continue;
        char folder[GROUP_PATH_BYTES];
        const char *const root = version2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
        snprintf(folder, sizeof folder, "%s%s", root, path);
        for (char *slash; strlen(folder) > strlen(root); *slash = '\0') {
            group_tighten(folder, limit, room);
            slash = strrchr(folder, '/');
        }
        group_tighten(root, limit, room);
    }
}

static uint64_t lesser(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t memory_physical_bytes(void)
{
    uint64_t limit, room;
    group_limits(&limit, &room);
    const uint64_t machine = proc_field("/proc/meminfo", "MemTotal");
    return machine ? lesser(machine, limit) : limit == UINT64_MAX ? 0 : limit;
}

uint64_t memory_available_bytes(void)
{
    uint64_t limit, room;
    group_limits(&limit, &room);
    const uint64_t machine = proc_field("/proc/meminfo", "MemAvailable");
    return machine ? lesser(machine, room) : room == UINT64_MAX ? 0 : room;
}

uint64_t memory_resident_bytes(void) { return proc_field("/proc/self/status", "VmRSS"); }
uint64_t memory_resident_peak_bytes(void) { return proc_field("/proc/self/status", "VmHWM"); }
