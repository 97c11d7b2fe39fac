// SPDX-License-Identifier: BSD-3-Clause
#include "eal_args.h"

#include "steering.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/heap_site.h>

enum { EAL_SLEEP_NS = 100 * 1000 * 1000 };

static _Atomic int shortens;

void eal_tsc_begin(void)
{
	atomic_store_explicit(&shortens, 1, memory_order_relaxed);
}

void eal_tsc_end(void)
{
	atomic_store_explicit(&shortens, 0, memory_order_relaxed);
}

static int program_sleep(const struct timespec *wanted, struct timespec *left)
{
	static const struct timespec brief = {.tv_nsec = EAL_TSC_SLEEP_MS * 1000 * 1000};
	if (atomic_load_explicit(&shortens, memory_order_relaxed) && wanted->tv_sec == 0
		&& wanted->tv_nsec == EAL_SLEEP_NS)
		wanted = &brief;
	const int rc = clock_nanosleep(CLOCK_REALTIME, 0, wanted, left);
	if (rc)
		errno = rc;
	return rc ? -1 : 0;
}

int nanosleep(const struct timespec *, struct timespec *) __attribute__((alias("program_sleep")));

// The number in a file of one size of pages; 0 without a number.
static uint64_t number_in(const char *sysfs, const char *size, const char *file)
{
	char path[512], text[32] = "";
	snprintf(path, sizeof(path), "%s/%s/%s", sysfs, size, file);
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	(void)fclose(f);
	return strtoull(text, NULL, 10);
}

int eal_pages_check(const char *sysfs, unsigned memory_mb, char why[EAL_PAGES_WHY_MAX])
{
	uint64_t reserved_kb = 0, left_kb = 0;
	DIR *sizes = opendir(sysfs);
	if (!sizes)
		return 0;
	for (const struct dirent *d; (d = readdir(sizes));) {
		uint64_t kb;
		if (sscanf(d->d_name, "hugepages-%" SCNu64 "kB", &kb) != 1)
			continue;
		// nr_hugepages counts those already taken beyond the reserve.
		uint64_t more = number_in(sysfs, d->d_name, "nr_overcommit_hugepages"),
			 taken = number_in(sysfs, d->d_name, "surplus_hugepages");
		more = more > taken ? more - taken : 0;
		reserved_kb += kb * (number_in(sysfs, d->d_name, "nr_hugepages") + more);
		left_kb += kb * (number_in(sysfs, d->d_name, "free_hugepages") + more);
	}
	closedir(sizes);
	if (left_kb >> 10 >= memory_mb)
		return 0;
	snprintf(why, EAL_PAGES_WHY_MAX,
		"dataplane.eal_hugepages: dataplane.memory_mb takes %u MiB, and of this machine's "
		"%" PRIu64 " MiB in huge pages %" PRIu64
		" MiB are free; reserve more (sysctl vm.nr_hugepages, or default_hugepagesz= and "
		"hugepages= of the kernel's command line), or set it to false",
		memory_mb, reserved_kb >> 10, left_kb >> 10);
	return -ENOMEM;
}

#define LIBRARY_PREFIX "librte_"

// A virtual device has the name of its driver and a suffix of its own.
static const char *const virtual_drivers[] = {
	"net_af_packet", "net_af_xdp", "net_memif", "net_null", "net_pcap", "net_ring", "net_tap"};

static _Thread_local const struct config_dataplane *wanted; // NULL: all drivers

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *driver_of(const char *device)
{
	for (unsigned i = 0; i < sizeof(virtual_drivers) / sizeof(virtual_drivers[0]); i++) {
		if (begins(device, virtual_drivers[i]))
			return virtual_drivers[i];
	}
	return NULL;
}

void eal_drivers_begin(const struct config_dataplane *dp)
{
	wanted = dp;
	for (unsigned i = 0; i < dp->port_count; i++) {
		if (!driver_of(dp->ports[i].device))
			wanted = NULL;
	}
}

void eal_drivers_end(void)
{
	wanted = NULL;
}

// "librte_net_tap.so.23.0" is of "net_tap".
static bool is_of(const char *file, const char *driver)
{
	const char *name = file + strlen(LIBRARY_PREFIX);
	return begins(name, driver) && begins(name + strlen(driver), ".so");
}

static bool needs(const struct config_dataplane *dp, const char *file)
{
	if (!begins(file, LIBRARY_PREFIX) || is_of(file, "bus_vdev") || is_of(file, "mempool_ring"))
		return true;
	for (unsigned i = 0; i < dp->port_count; i++) {
		const struct config_port *port = &dp->ports[i];
		if (is_of(file, driver_of(port->device))
			|| (port->exception[0] && is_of(file, "net_tap")))
			return true;
	}
	return false;
}

// glibc has two names for one function, and <dirent.h> turns the first into the second.
struct dirent *libc_readdir(DIR *folder) __asm__("readdir");

static struct dirent *program_readdir(DIR *folder)
{
	struct dirent *entry = libc_readdir(folder);
	while (entry && wanted && !needs(wanted, entry->d_name))
		entry = libc_readdir(folder);
	return entry;
}

struct dirent64 *readdir64(DIR *) __attribute__((alias("program_readdir")));

enum { LCORE_OF_ITS_OWN = 127 }; // the last that DPDK is built for

// Consumes exactly `n` hex digits.
static const char *skip_hex(const char *s, unsigned n)
{
	for (; n > 0; n--, s++) {
		if (!isxdigit((unsigned char)*s))
			return NULL;
	}
	return s;
}

// "BB:DD.F" from s on, then the end or a comma.
static bool is_bus_device_function(const char *s)
{
	s = skip_hex(s, 2);
	if (!s || *s++ != ':')
		return false;
	s = skip_hex(s, 2);
	if (!s || *s++ != '.')
		return false;
	s = skip_hex(s, 1);
	return s && (*s == '\0' || *s == ',');
}

static bool has_domain(const char *device)
{
	const char *s = skip_hex(device, 4);
	return s && *s == ':' && is_bus_device_function(s + 1);
}

static bool is_pci(const char *device)
{
	return has_domain(device) || is_bus_device_function(device);
}

int eal_device_name(const char *device, char out[EAL_ARG_TEXT_MAX])
{
	size_t len = strcspn(device, ",");
	const char *domain = is_bus_device_function(device) ? "0000:" : "";
	if (len == 0 || len + strlen(domain) >= EAL_ARG_TEXT_MAX)
		return -EINVAL;
	snprintf(out, EAL_ARG_TEXT_MAX, "%s%.*s", domain, (int)len, device);
	return 0;
}

void eal_exception_name(unsigned port, char out[EAL_ARG_TEXT_MAX])
{
	snprintf(out, EAL_ARG_TEXT_MAX, "net_tap_exception%u", port);
}

static int append(struct eal_args *a, const char *fmt, ...) ATTR_PRINTF(2, 3);
static int append(struct eal_args *a, const char *fmt, ...)
{
	if (a->argc == EAL_ARGS_MAX)
		return -ENOMEM;
	va_list ap;
	va_start(ap, fmt);
	char *text = NULL;
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -ENOMEM;
	a->argv[a->argc++] = text;
	a->argv[a->argc] = NULL;
	return 0;
}

// May main and a worker have one core? Main sleeps nearly always; on two cores that makes two
// workers. EAL wants an lcore for each thread, so main's then has a number that no core has.
static bool main_shares(const struct config_dataplane *dp)
{
	for (unsigned i = 0; i < dp->worker_count; i++) {
		if (dp->worker_lcores[i] == dp->main_lcore)
			return true;
	}
	return false;
}

// "1,2,5" of main and workers, "127@1,1,2" when main shares core 1.
static int append_lcores(struct eal_args *a, const struct config_dataplane *dp)
{
	char list[EAL_ARG_TEXT_MAX];
	bool shares = main_shares(dp);
	unsigned main = shares ? LCORE_OF_ITS_OWN : dp->main_lcore;
	int len = shares ? snprintf(list, sizeof(list), "%u@%u", main, dp->main_lcore)
			 : snprintf(list, sizeof(list), "%u", main);
	for (unsigned i = 0; i < dp->worker_count; i++) {
		if ((size_t)len >= sizeof(list) - 8)
			return -ENOMEM;
		len += snprintf(
			list + len, sizeof(list) - (size_t)len, ",%u", dp->worker_lcores[i]);
	}
	int rc = append(a, shares ? "--lcores" : "-l");
	rc = rc ? rc : append(a, "%s", list);
	return rc ? rc : append(a, "--main-lcore=%u", main);
}

static int check_lcores(const struct config_dataplane *dp, char why[EAL_WHY_MAX])
{
	for (unsigned i = 0; i < dp->worker_count; i++) {
		bool twice = dp->worker_lcores[i] == LCORE_OF_ITS_OWN && main_shares(dp);
		for (unsigned k = 0; k < i; k++)
			twice |= dp->worker_lcores[i] == dp->worker_lcores[k];
		if (twice) {
			snprintf(why, EAL_WHY_MAX, "dataplane: lcore %u is used twice",
				dp->worker_lcores[i]);
			return -EINVAL;
		}
	}
	if (dp->worker_count > 0)
		return 0;
	snprintf(why, EAL_WHY_MAX, "dataplane: no worker lcores");
	return -EINVAL;
}

// Devices of one name would make EAL fail with a message that names neither setting.
static int check_devices(const struct config_dataplane *dp, char why[EAL_WHY_MAX])
{
	char name[CONFIG_PORTS_MAX][EAL_ARG_TEXT_MAX];
	for (unsigned i = 0; i < dp->port_count; i++) {
		const struct config_port *port = &dp->ports[i];
		if (eal_device_name(port->device, name[i]) != 0) {
			snprintf(why, EAL_WHY_MAX, "dataplane.ports[%u]: empty device string", i);
			return -EINVAL;
		}
		for (unsigned k = 0; k < i; k++) {
			if (strcmp(name[i], name[k]) == 0) {
				snprintf(why, EAL_WHY_MAX,
					"dataplane.ports[%u]: device %.100s is also ports[%u]", i,
					name[i], k);
				return -EINVAL;
			}
		}
		if (strlen(port->exception) >= IFNAMSIZ || strpbrk(port->exception, ",/ ")) {
			snprintf(why, EAL_WHY_MAX,
				"dataplane.ports[%u]: %.100s is no interface name", i,
				port->exception);
			return -EINVAL;
		}
	}
	return 0;
}

static uint64_t fnv1a(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return h * UINT64_C(0x100000001b3); // ends the text, so that "a","bc" is not "ab","c"
}

// A MAC that is the same in every life, so that clients' neighbour entries outlive a restart: a
// frame for another MAC would reach the kernel and be dropped there. Random would be the driver's.
static void stable_mac(const char *run, const char *interface, char out[18])
{
	char host[256] = "";
	(void)gethostname(host, sizeof(host) - 1);
	uint64_t h = fnv1a(fnv1a(fnv1a(UINT64_C(0xcbf29ce484222325), host), run), interface);
	h ^= h >> 40;
	// Locally administered, unicast.
	snprintf(out, 18, "02:%02x:%02x:%02x:%02x:%02x", (unsigned)(h >> 32 & 0xff),
		(unsigned)(h >> 24 & 0xff), (unsigned)(h >> 16 & 0xff), (unsigned)(h >> 8 & 0xff),
		(unsigned)(h & 0xff));
}

static int append_exception(
	struct eal_args *a, unsigned port, const char *interface, const char *run)
{
	char name[EAL_ARG_TEXT_MAX], mac[18];
	eal_exception_name(port, name);
	stable_mac(run, interface, mac);
	return append(a, "--vdev=%s,iface=%s,persist,mac=%s", name, interface, mac);
}

// The driver takes one socket per worker and the steering program; weir sets both.
static int append_xdp(struct eal_args *a, const struct config_dataplane *dp,
	const struct config_port *port, const char *run)
{
	char path[SHM_PATH_MAX + 16];
	steering_object_path(run, path, sizeof(path));
	return append(
		a, "--vdev=%s,queue_count=%u,xdp_prog=%s", port->device, dp->worker_count, path);
}

bool eal_pages_too_large(const struct config_dataplane *dp, size_t page, char why[EAL_WHY_MAX])
{
	unsigned pci = 0;
	for (unsigned i = 0; i < dp->port_count; i++)
		pci += !dp->ports[i].xdp && is_pci(dp->ports[i].device);
	if (pci == 0 || dp->eal_hugepages || page <= 4096)
		return false;
	snprintf(why, EAL_WHY_MAX,
		"dataplane.eal_hugepages: a device of vfio-pci takes true on this kernel, whose "
		"pages have %zu KiB: without huge pages DPDK maps 4 KiB at a time",
		page >> 10);
	return true;
}

static int append_ports(struct eal_args *a, const struct config_dataplane *dp, const char *run)
{
	bool any_pci = false;
	int rc = 0;
	for (unsigned i = 0; i < dp->port_count && rc == 0; i++) {
		const char *device = dp->ports[i].device;
		if (dp->ports[i].xdp) {
			rc = append_xdp(a, dp, &dp->ports[i], run);
		} else if (is_pci(device)) {
			any_pci = true;
			rc = append(a, "-a");
			rc = rc ? rc : append(a, "%s%s", has_domain(device) ? "" : "0000:", device);
		} else {
			rc = append(a, "--vdev=%s", device);
		}
		if (rc == 0 && dp->ports[i].exception[0])
			rc = append_exception(a, i, dp->ports[i].exception, run);
	}
	if (rc == 0 && !any_pci)
		rc = append(a, "--no-pci");
	return rc;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : slash ? "weir" : path;
}

static int append_all(struct eal_args *a, const char *program, const struct config *c)
{
	const struct config_dataplane *dp = &c->dataplane;
	int rc = append(a, "%s", program);
	rc = rc ? rc : append_lcores(a, dp);
	rc = rc ? rc : append(a, "--file-prefix=weir-%s", base_name(c->runtime.directory));
	rc = rc ? rc : append(a, "--no-telemetry");
	rc = rc ? rc : append(a, "--log-level=warning");
	// It warns for each queue that no signal was left for it, which is how main.c wants it.
	rc = rc ? rc : append(a, "--log-level=pmd.net.tap:error");
	// --no-huge implies --legacy-mem, which does not go with --in-memory; there the shared
	// configuration is all that would be written.
	rc = rc ? rc : append(a, "%s", dp->eal_hugepages ? "--in-memory" : "--no-shconf");
	if (!dp->eal_hugepages)
		rc = rc ? rc : append(a, "--no-huge");
	// Physical addresses need more privilege than a DNS server should have.
	rc = rc ? rc : append(a, "--iova-mode=va");
	rc = rc ? rc : append(a, "-m");
	rc = rc ? rc : append(a, "%u", dp->memory_mb);
	return rc ? rc : append_ports(a, dp, c->runtime.directory);
}

int eal_args_build(struct eal_args *out, const char *program, const struct config *config,
	char why[EAL_WHY_MAX])
{
	int rc = check_lcores(&config->dataplane, why);
	if (rc == 0)
		rc = check_devices(&config->dataplane, why);
	if (rc)
		return rc;

	struct eal_args args = {0};
	rc = append_all(&args, program, config);
	if (rc) {
		snprintf(why, EAL_WHY_MAX, "no memory for EAL's arguments");
		eal_args_free(&args);
		return rc;
	}
	*out = args;
	return 0;
}

void eal_args_free(struct eal_args *a)
{
	for (int i = 0; i < a->argc; i++)
		FREE_AND_NULL(a->argv[i]);
	*a = (struct eal_args){0};
}
