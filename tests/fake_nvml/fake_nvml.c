/* A FAKE libnvidia-ml.so.1, because no machine that runs these tests has a GPU.
 *
 * It has the few functions of NVIDIA's management library that the real pynvml is asked for, with
 * their real names, structures and return codes. What they answer is in the file that the variable
 * FAKE_NVML_STATE names, one "key value" a line, read again at each call, so that a test can take a
 * card away while a server runs. FakeGpus, next to this file, writes it.
 *
 *   count 2                                 how many cards there are
 *   error.nvmlInitWithFlags 9               this call fails; error.* is for every call
 *   0.name NVIDIA A100-SXM4-80GB            what card 0 answers; what is absent is "not supported"
 *   0.error.nvmlDeviceGetName 15            this call fails on card 0; 0.error.* is for every call
 *   0.hang.nvmlDeviceGetName 1              this call does not return while this is there
 *   0.compute.0 4711 1073741824             a process on card 0, and the bytes that it uses
 *   xid.0 1 79                              an event: card 1 reported Xid 79
 *
 * Each call appends its name to the file that FAKE_NVML_CALLS names, if there is such a variable.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  SUCCESS = 0,
  UNINITIALIZED = 1,
  INVALID_ARGUMENT = 2,
  NOT_SUPPORTED = 3,
  INSUFFICIENT_SIZE = 7,
  DRIVER_NOT_LOADED = 9,
  TIMEOUT = 10
};
enum { CARDS = 16, XID_CRITICAL = 8, RECOVERY_ACTION = 230, UNSIGNED_INT = 1 };

typedef struct { unsigned index; } Device;
typedef struct { unsigned registered, seen; } EventSet;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory2;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } Process;
typedef struct { Device *device; unsigned long long type, data; unsigned gi, ci; } Event;
typedef union { double d; unsigned ui; unsigned long long ull; } Value;
typedef struct {
  unsigned id, scope;
  long long timestamp, latency;
  unsigned type, result;
  Value value;
} Field;

static Device devices[CARDS];
static unsigned initialised;

/* The value of a key, or 0 if it is not there. */
static int look(const char *key, char *value, size_t size) {
  const char *path = getenv("FAKE_NVML_STATE");
  FILE *file = path ? fopen(path, "r") : NULL;
  char line[512];
  size_t length = strlen(key);
  int found = 0;
  while (file && !found && fgets(line, sizeof line, file)) {
    if (strncmp(line, key, length) == 0 && line[length] == ' ') {
      line[strcspn(line, "\n")] = 0;
      snprintf(value, size, "%s", line + length + 1);
      found = 1;
    }
  }
  if (file) fclose(file);
  return found;
}

static int number(const char *key, unsigned long long *value) {
  char text[64];
  if (!look(key, text, sizeof text)) return 0;
  *value = strtoull(text, NULL, 10);
  return 1;
}

static int of_card(const Device *device, const char *name, unsigned long long *value) {
  char key[96];
  snprintf(key, sizeof key, "%u.%s", device->index, name);
  return number(key, value);
}

static void count_call(const char *call) {
  const char *path = getenv("FAKE_NVML_CALLS");
  char line[96];
  int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
  if (file < 0) return;
  int size = snprintf(line, sizeof line, "%s\n", call);
  if (write(file, line, (size_t)size) < 0) perror(path);
  close(file);
}

static void hang_while(const char *key) {
  unsigned long long there;
  while (number(key, &there)) usleep(5000);
}

/* How a call fails by the state of the library as a whole. */
static int library(const char *call) {
  unsigned long long code;
  char key[96];
  count_call(call);
  snprintf(key, sizeof key, "hang.%s", call);
  hang_while(key);
  if (!number("count", &code)) return DRIVER_NOT_LOADED;
  snprintf(key, sizeof key, "error.%s", call);
  if (number(key, &code) || number("error.*", &code)) return (int)code;
  return SUCCESS;
}

/* How a call fails on this card. */
static int check(const Device *device, const char *call) {
  unsigned long long code;
  char key[96];
  int failed = initialised ? library(call) : UNINITIALIZED;
  if (failed) return failed;
  if (!device) return INVALID_ARGUMENT;
  snprintf(key, sizeof key, "%u.hang.%s", device->index, call);
  hang_while(key);
  snprintf(key, sizeof key, "error.%s", call);
  return of_card(device, key, &code) || of_card(device, "error.*", &code) ? (int)code : SUCCESS;
}

#define CHECK(device) \
  do { \
    int failed = check(device, __func__); \
    if (failed) return failed; \
  } while (0)

static int text(const Device *device, const char *name, char *value, unsigned size) {
  char key[96];
  snprintf(key, sizeof key, "%u.%s", device->index, name);
  return look(key, value, size) ? SUCCESS : NOT_SUPPORTED;
}

static int one(const Device *device, const char *name, unsigned *value) {
  unsigned long long got;
  if (!of_card(device, name, &got)) return NOT_SUPPORTED;
  *value = (unsigned)got;
  return SUCCESS;
}

int nvmlInitWithFlags(unsigned flags) {
  int failed = library(__func__);
  (void)flags;
  if (!failed) initialised++;
  return failed;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void) {
  if (!initialised) return UNINITIALIZED;
  initialised--;
  return SUCCESS;
}

const char *nvmlErrorString(int code) {
  static char told[64];
  snprintf(told, sizeof told, "the fake NVML fails with %d", code);
  return told;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
  unsigned long long got = 0;
  int failed = initialised ? library(__func__) : UNINITIALIZED;
  if (failed) return failed;
  number("count", &got);
  *count = (unsigned)got;
  return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **device) {
  unsigned count;
  int failed = nvmlDeviceGetCount_v2(&count);
  if (failed) return failed;
  if (index >= count || index >= CARDS) return INVALID_ARGUMENT;
  devices[index].index = index;
  CHECK(&devices[index]);
  *device = &devices[index];
  return SUCCESS;
}

int nvmlDeviceGetUUID(Device *device, char *value, unsigned size) {
  CHECK(device);
  return text(device, "uuid", value, size);
}

int nvmlDeviceGetName(Device *device, char *value, unsigned size) {
  CHECK(device);
  return text(device, "name", value, size);
}

/* As in the real one, what the driver keeps for itself counts as used in the first version only. */
int nvmlDeviceGetMemoryInfo(Device *device, Memory *memory) {
  unsigned long long reserved = 0;
  CHECK(device);
  if (!of_card(device, "memory_total", &memory->total)) return NOT_SUPPORTED;
  if (!of_card(device, "memory_used", &memory->used)) return NOT_SUPPORTED;
  of_card(device, "memory_reserved", &reserved);
  memory->used += reserved;
  memory->free = memory->total - memory->used;
  return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(Device *device, Memory2 *memory) {
  CHECK(device);
  if (!of_card(device, "memory_total", &memory->total)) return NOT_SUPPORTED;
  if (!of_card(device, "memory_used", &memory->used)) return NOT_SUPPORTED;
  if (!of_card(device, "memory_reserved", &memory->reserved)) return NOT_SUPPORTED;
  memory->free = memory->total - memory->used - memory->reserved;
  return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(Device *device, Utilization *rates) {
  CHECK(device);
  rates->memory = 0;
  return one(device, "utilization", &rates->gpu);
}

int nvmlDeviceGetTemperature(Device *device, int sensor, unsigned *value) {
  (void)sensor;
  CHECK(device);
  return one(device, "temperature", value);
}

int nvmlDeviceGetPowerUsage(Device *device, unsigned *milliwatts) {
  CHECK(device);
  return one(device, "power", milliwatts);
}

int nvmlDeviceGetEnforcedPowerLimit(Device *device, unsigned *milliwatts) {
  CHECK(device);
  return one(device, "power_limit", milliwatts);
}

int nvmlDeviceGetTotalEccErrors(Device *device, int error, int counter, unsigned long long *count) {
  (void)counter;
  CHECK(device);
  return of_card(device, error == 1 ? "ecc_uncorrected" : "ecc_corrected", count) ? SUCCESS
                                                                                  : NOT_SUPPORTED;
}

int nvmlDeviceGetRetiredPagesPendingStatus(Device *device, unsigned *pending) {
  CHECK(device);
  return one(device, "retired_pages_pending", pending);
}

int nvmlDeviceGetRemappedRows(Device *device, unsigned *corrected, unsigned *uncorrected,
                              unsigned *pending, unsigned *failure) {
  CHECK(device);
  *corrected = *uncorrected = 0;
  if (one(device, "remap_pending", pending)) *pending = 0;
  return one(device, "remap_failure", failure);
}

int nvmlDeviceGetMigMode(Device *device, unsigned *current, unsigned *pending) {
  int failed;
  CHECK(device);
  failed = one(device, "mig", current);
  *pending = failed ? 0 : *current;
  return failed;
}

int nvmlDeviceGetFieldValues(Device *device, int count, Field *fields) {
  CHECK(device);
  for (int at = 0; at < count; at++) {
    fields[at].type = UNSIGNED_INT;
    fields[at].result = fields[at].id == RECOVERY_ACTION
                            ? (unsigned)one(device, "recovery_action", &fields[at].value.ui)
                            : NOT_SUPPORTED;
  }
  return SUCCESS;
}

static int processes(const Device *device, const char *kind, unsigned *size, Process *found) {
  unsigned there = 0;
  char key[96], value[64];
  for (;; there++) {
    snprintf(key, sizeof key, "%u.%s.%u", device->index, kind, there);
    if (!look(key, value, sizeof value)) break;
    if (found && there < *size) {
      char *rest;
      memset(&found[there], 0, sizeof *found);
      found[there].pid = (unsigned)strtoul(value, &rest, 10);
      found[there].used = strtoull(rest, NULL, 10);
    }
  }
  int fits = there <= *size;
  *size = there;
  return fits ? SUCCESS : INSUFFICIENT_SIZE;
}

int nvmlDeviceGetComputeRunningProcesses_v3(Device *device, unsigned *size, Process *found) {
  CHECK(device);
  return processes(device, "compute", size, found);
}

int nvmlDeviceGetMPSComputeRunningProcesses_v3(Device *device, unsigned *size, Process *found) {
  CHECK(device);
  return processes(device, "mps", size, found);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(Device *device, unsigned *size, Process *found) {
  CHECK(device);
  return processes(device, "graphics", size, found);
}

int nvmlDeviceGetSupportedEventTypes(Device *device, unsigned long long *types) {
  CHECK(device);
  *types = XID_CRITICAL;
  return SUCCESS;
}

static int event(unsigned at, unsigned *card, unsigned long long *xid) {
  char key[32], value[64], *rest;
  snprintf(key, sizeof key, "xid.%u", at);
  if (!look(key, value, sizeof value)) return 0;
  *card = (unsigned)strtoul(value, &rest, 10);
  *xid = strtoull(rest, NULL, 10);
  return 1;
}

/* As in the real one, what happened before the set was made is not told. */
int nvmlEventSetCreate(EventSet **set) {
  unsigned card;
  unsigned long long xid;
  int failed = initialised ? library(__func__) : UNINITIALIZED;
  if (failed) return failed;
  *set = calloc(1, sizeof **set);
  while (event((*set)->seen, &card, &xid)) (*set)->seen++;
  return SUCCESS;
}

int nvmlDeviceRegisterEvents(Device *device, unsigned long long types, EventSet *set) {
  CHECK(device);
  if (types & XID_CRITICAL) set->registered |= 1u << device->index;
  return SUCCESS;
}

int nvmlEventSetWait_v2(EventSet *set, Event *told, unsigned milliseconds) {
  unsigned card;
  unsigned long long xid;
  int failed = initialised ? library(__func__) : UNINITIALIZED;
  (void)milliseconds;
  while (!failed && event(set->seen, &card, &xid)) {
    set->seen++;
    if (card < CARDS && set->registered & 1u << card) {
      memset(told, 0, sizeof *told);
      told->device = &devices[card];
      told->type = XID_CRITICAL;
      told->data = xid;
      return SUCCESS;
    }
  }
  return failed ? failed : TIMEOUT;
}

int nvmlEventSetFree(EventSet *set) {
  free(set);
  return SUCCESS;
}
