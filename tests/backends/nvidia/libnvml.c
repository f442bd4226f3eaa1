/* A library with NVML's interface, whose answers are lines of a file: what proves our use of NVIDIA's own binding.
 *
 * The file is named by the environment variable FAKE_NVML and read anew at each call. A line is a question, a blank,
 * and the answer: "gpu0.uuid GPU-..."; "!" and a number is that error. A question that is not in the file is answered
 * with NVML_ERROR_NOT_SUPPORTED, as an old driver does. Handles are pointers to their own names: "gpu0", "gpu0.mig1".
 * Structures are laid out as in nvml.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TIMEOUT = 10 };

typedef char *device;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char busId[32]; } pci;
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned processors, copy, decoder, encoder, jpeg, ofa, gi, ci; unsigned long long mib; } attributes;
typedef struct { device device; unsigned long long type, data; unsigned gi, ci; } event;
typedef struct { unsigned field, scope; long long time, latency; int type, ret; union { unsigned ui; double d; } value; } field;
typedef struct { unsigned char cluster[16]; int status; unsigned clique, state; } fabric;

static int initialised;
static char registered[4096];
static int told;

/* Return what the file says to "<name>.<question>", or an error. */
static int ask(const char *name, const char *question, char *answer, size_t size) {
    if (!initialised) return UNINITIALIZED;
    char key[256], line[512];
    snprintf(key, sizeof key, "%s%s%s ", name, *name ? "." : "", question);
    FILE *file = fopen(getenv("FAKE_NVML"), "r");
    if (!file) return UNINITIALIZED;
    int ret = NOT_SUPPORTED;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key))) continue;
        line[strcspn(line, "\n")] = 0;
        char *value = line + strlen(key);
        ret = *value == '!' ? atoi(value + 1) : OK;
        if (ret == OK) snprintf(answer, size, "%s", value);
        break;
    }
    fclose(file);
    return ret;
}

static int number(const char *name, const char *question, unsigned long long *answer) {
    char text[64];
    int ret = ask(name, question, text, sizeof text);
    if (ret == OK) *answer = strtoull(text, 0, 10);
    return ret;
}

static int small(const char *name, const char *question, unsigned *answer) {
    unsigned long long value;
    int ret = number(name, question, &value);
    if (ret == OK) *answer = value;
    return ret;
}

/* Handles are never freed: a real one stays valid too. */
static device handle(const char *name) {
    static char names[256][32];
    for (int i = 0; i < 256; i++) {
        if (!*names[i]) strcpy(names[i], name);
        if (!strcmp(names[i], name)) return names[i];
    }
    abort();
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    initialised = 1;
    char text[8];
    int ret = ask("", "init", text, sizeof text);
    if (ret == NOT_SUPPORTED) ret = OK;
    initialised = ret == OK;
    told = 0;
    return ret;
}
int nvmlShutdown(void) { initialised = 0; return OK; }
const char *nvmlErrorString(int code) { (void)code; return "an error of the fake library"; }

int nvmlSystemGetDriverVersion(char *text, unsigned size) { return ask("", "driver", text, size); }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { return small("", "cuda", (unsigned *)version); }
int nvmlDeviceGetCount_v2(unsigned *count) { return small("", "count", count); }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *device) {
    char name[32], text[256];
    snprintf(name, sizeof name, "gpu%u", index);
    int ret = ask(name, "handle", text, sizeof text);
    *device = handle(name);
    return ret == NOT_SUPPORTED ? OK : ret;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, device *device) {
    char name[32], text[96];
    unsigned count = 0;
    int ret = small("", "count", &count);
    if (ret != OK) return ret;
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "gpu%u", i);
        if (ask(name, "uuid", text, sizeof text) == OK && !strcmp(text, uuid))
            return nvmlDeviceGetHandleByIndex_v2(i, device);
    }
    return NOT_FOUND;
}
int nvmlDeviceGetName(device d, char *text, unsigned size) { return ask(d, "name", text, size); }
int nvmlDeviceGetUUID(device d, char *text, unsigned size) { return ask(d, "uuid", text, size); }
int nvmlDeviceGetMinorNumber(device d, unsigned *minor) { return small(d, "minor", minor); }
int nvmlDeviceGetPciInfo_v3(device d, pci *info) { return ask(d, "pci", info->busId, sizeof info->busId); }
int nvmlDeviceGetMemoryInfo(device d, memory *info) { return number(d, "memory", &info->total); }
int nvmlDeviceGetCudaComputeCapability(device d, int *major, int *minor) {
    char text[16];
    int ret = ask(d, "capability", text, sizeof text);
    if (ret == OK) sscanf(text, "%d.%d", major, minor);
    return ret;
}

int nvmlDeviceGetMigMode(device d, unsigned *now, unsigned *pending) {
    int ret = small(d, "migmode", now);
    *pending = *now;
    return ret;
}
int nvmlDeviceGetMaxMigDeviceCount(device d, unsigned *count) { return small(d, "migcount", count); }
int nvmlDeviceGetMigDeviceHandleByIndex(device d, unsigned index, device *mig) {
    char name[32], text[96];
    snprintf(name, sizeof name, "%s.mig%u", d, index);
    if (ask(name, "uuid", text, sizeof text) != OK) return NOT_FOUND;
    *mig = handle(name);
    return OK;
}
int nvmlDeviceGetAttributes_v2(device d, attributes *facts) {
    char text[64];
    int ret = ask(d, "attributes", text, sizeof text);
    if (ret == OK) sscanf(text, "%u %u %llu", &facts->gi, &facts->ci, &facts->mib);
    return ret;
}
int nvmlDeviceGetGpuInstanceId(device d, unsigned *id) { return small(d, "gi", id); }
int nvmlDeviceGetComputeInstanceId(device d, unsigned *id) { return small(d, "ci", id); }

int nvmlDeviceGetRemappedRows(device d, unsigned *correctable, unsigned *not, unsigned *pending, unsigned *failed) {
    char text[64];
    int ret = ask(d, "rows", text, sizeof text);
    if (ret == OK) sscanf(text, "%u %u %u %u", correctable, not, pending, failed);
    return ret;
}
int nvmlDeviceGetRetiredPagesPendingStatus(device d, unsigned *pending) { return small(d, "retirement", pending); }
int nvmlDeviceGetTotalEccErrors(device d, int type, int counter, unsigned long long *count) {
    return type == 1 && counter == 0 ? number(d, "ecc", count) : INVALID_ARGUMENT;
}
int nvmlDeviceGetTemperature(device d, int sensor, unsigned *degrees) {
    return sensor == 0 ? small(d, "temperature", degrees) : INVALID_ARGUMENT;
}
int nvmlDeviceGetTemperatureThreshold(device d, int threshold, unsigned *degrees) {
    return threshold == 1 ? small(d, "slowdown", degrees) : INVALID_ARGUMENT;
}
int nvmlDeviceGetFieldValues(device d, int count, field *fields) {
    for (int i = 0; i < count; i++) {
        char question[32];
        snprintf(question, sizeof question, "field%u", fields[i].field);
        fields[i].type = 1;
        fields[i].ret = small(d, question, &fields[i].value.ui);
    }
    return OK;
}
int nvmlDeviceGetGpuFabricInfo(device d, fabric *info) {
    char text[64];
    int ret = ask(d, "fabric", text, sizeof text);
    if (ret == OK) sscanf(text, "%u %d", &info->state, &info->status);
    return ret;
}

int nvmlDeviceGetNvLinkState(device d, unsigned link, unsigned *up) {
    char question[32];
    snprintf(question, sizeof question, "link%u", link);
    return small(d, question, up);
}
int nvmlDeviceGetNvLinkRemoteDeviceType(device d, unsigned link, unsigned *type) {
    char question[32];
    snprintf(question, sizeof question, "link%u.type", link);
    return small(d, question, type);
}
int nvmlDeviceGetNvLinkRemotePciInfo_v2(device d, unsigned link, pci *info) {
    char question[32];
    snprintf(question, sizeof question, "link%u.pci", link);
    return ask(d, question, info->busId, sizeof info->busId);
}
int nvmlDeviceGetTopologyCommonAncestor(device a, device b, int *level) {
    char question[64];
    snprintf(question, sizeof question, "ancestor.%s", b);
    return small(a, question, (unsigned *)level);
}

int nvmlEventSetCreate(void **set) { *registered = 0; *set = registered; return OK; }
int nvmlEventSetFree(void *set) { (void)set; return OK; }
int nvmlDeviceGetSupportedEventTypes(device d, unsigned long long *types) { return number(d, "events", types); }
int nvmlDeviceRegisterEvents(device d, unsigned long long types, void *set) {
    unsigned long long supported = 0;
    number(d, "events", &supported);
    if (types & ~supported) return NOT_SUPPORTED;
    strcat(strcat(set, d), " ");
    return OK;
}
/* Events are the questions "event0", "event1", ...: the GPU, the type, the XID, and the instances. */
int nvmlEventSetWait_v2(void *set, event *event, unsigned milliseconds) {
    char question[32], text[64], name[34];
    for (unsigned waited = 0;; waited += 10) {
        snprintf(question, sizeof question, "event%d", told);
        int ret = ask("", question, text, sizeof text);
        if (ret == OK) {
            told++;
            sscanf(text, "%31s %llu %llu %u %u", name, &event->type, &event->data, &event->gi, &event->ci);
            event->device = handle(name);
            strcat(name, " ");
            if (strstr(set, name)) return OK;
        } else if (ret != NOT_SUPPORTED) {
            return ret;
        }
        if (waited >= milliseconds) return TIMEOUT;
        usleep(10000);
    }
}
