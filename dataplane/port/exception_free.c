// SPDX-License-Identifier: BSD-3-Clause

// Whether a TAP is free. The kernel lets several processes have one, each some of its queues, and
// knows better than any file: two data planes may see the same network and different folders.

#include "exception_addr.h"
#include "exception_link.h"

#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 10, TRY_NS = 100000000 };

struct taps {
	unsigned count;
	struct tap {
		char name[IF_NAMESIZE];
		unsigned queues; // that this process has, at most
	} of[2 * CONFIG_PORTS_MAX];
};

static void tap_add(struct taps *t, const char *name, unsigned queues)
{
	struct tap *tap = &t->of[t->count++];
	snprintf(tap->name, sizeof(tap->name), "%.*s", (int)strcspn(name, ","), name);
	tap->queues = queues;
}

// A TAP port has one queue more, the rest queue (port_flow.h).
static struct taps taps_of(const struct config_dataplane *dp)
{
	static const char driver[] = "net_tap", key[] = ",iface=";
	struct taps t = {0};
	for (unsigned i = 0; i < dp->port_count; i++) {
		const char *device = dp->ports[i].device ? dp->ports[i].device : "";
		const char *interface = strstr(device, key);
		if (interface && strncmp(device, driver, strlen(driver)) == 0)
			tap_add(&t, interface + strlen(key),
				dp->worker_count + (dp->flow_rules == FLOW_RULES_AUTO));
		if (dp->ports[i].exception[0])
			tap_add(&t, dp->ports[i].exception, dp->worker_count);
	}
	return t;
}

static int busy(const char *interface, const char *alias, char why[EXCEPTION_WHY_MAX])
{
	snprintf(why, EXCEPTION_WHY_MAX,
		"interface %s: another process is attached to it%s%.100s%s; stop that one, or name "
		"another interface in dataplane.ports",
		interface, alias[0] ? " (" : "", alias, alias[0] ? ")" : "");
	return -EBUSY;
}

static int tap_free(int fd, const char *interface, uint32_t sequence, char why[EXCEPTION_WHY_MAX])
{
	struct exception_link link;
	const unsigned index = if_nametoindex(interface);
	if (index == 0 || !exception_link_read(fd, index, sequence, &link) || !link.is_tun
		|| !link.has_carrier)
		return 0;
	return busy(interface, link.alias, why);
}

int exception_free(const struct config_dataplane *dp, char why[EXCEPTION_WHY_MAX])
{
	const struct taps t = taps_of(dp);
	const struct timespec pause = {.tv_nsec = TRY_NS};
	uint32_t sequence = 1;
	int rc = 0, fd = rtnetlink_open();
	if (fd < 0) {
		snprintf(why, EXCEPTION_WHY_MAX, "rtnetlink: %s", strerror(-fd));
		return fd;
	}
	for (unsigned i = 0; rc == 0 && i < t.count; i++) {
		rc = tap_free(fd, t.of[i].name, sequence++, why);
		for (unsigned tries = 1; rc && tries < TRIES; tries++) {
			(void)nanosleep(&pause, NULL);
			rc = tap_free(fd, t.of[i].name, sequence++, why);
		}
	}
	close(fd);
	return rc;
}

// That are attached, of all processes. 0: not known.
static unsigned queues_of(const char *interface)
{
	char path[64];
	unsigned count = 0;
	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", interface);
	DIR *d = opendir(path);
	for (const struct dirent *e; d && (e = readdir(d));)
		count += strncmp(e->d_name, "rx-", 3) == 0;
	if (d)
		closedir(d);
	return count;
}

int exception_alone(const struct config_dataplane *dp, char why[EXCEPTION_WHY_MAX])
{
	const struct taps t = taps_of(dp);
	for (unsigned i = 0; i < t.count; i++)
		if (queues_of(t.of[i].name) > t.of[i].queues)
			return busy(t.of[i].name, "", why);
	return 0;
}
