// SPDX-License-Identifier: BSD-3-Clause

#include "steering.h"

#include "exception_addr.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <weir/log.h>

enum { FDS_LOOKED_AT = 1024, TAKEN_LOOKS = 10, TAKEN_LOOK_NS = 100000000 };

static_assert((int)CONFIG_ADDRESSES_MAX <= (int)STEER_ADDRESSES_MAX);
static_assert((int)STEER_COUNTERS <= (int)STATS_STEER_MAX);
static_assert((int)SHM_WORKERS_MAX <= (int)STEER_QUEUES_MAX);

void steering_object_path(const char *run, char *out, size_t cap)
{
	snprintf(out, cap, "%s/steer.bpf.elf", run);
}

static int refuse(int rc, char why[STEERING_WHY_MAX], const char *interface, const char *what)
{
	snprintf(why, STEERING_WHY_MAX, "port %s: %s", interface, what);
	return rc;
}

// Receive queues of the interface: `usable` by DPDK's driver, which counts combined ones only (a
// veth has none of these, and is one queue to it).
static void queues_count(const char *interface, unsigned *all, unsigned *usable)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq request = {.ifr_data = (void *)&channels};
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	*all = *usable = 1;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (ioctl(fd, SIOCETHTOOL, &request) == 0) {
		*usable = channels.combined_count ? channels.combined_count : 1;
		*all = channels.rx_count > *usable ? channels.rx_count : *usable;
	}
	close(fd);
}

static int check_queues(struct steering_port *p, unsigned workers, char why[STEERING_WHY_MAX])
{
	unsigned all, usable;
	queues_count(p->interface, &all, &usable);
	if (workers > usable) {
		snprintf(why, STEERING_WHY_MAX,
			"port %s: %u workers need as many combined queues, it has %u (ethtool -L, "
			"or fewer dataplane.worker_lcores)",
			p->interface, workers, usable);
		return -ENOTSUP;
	}
	p->spare_queues = all > workers;
	if (p->spare_queues)
		log_warning("port %s: %u receive queues for %u workers: the kernel receives "
			    "queries on the other queues, and sockets ask upstream servers "
			    "(ethtool -L %s combined %u)",
			p->interface, all, workers, p->interface, workers);
	return 0;
}

// True if a data plane holds it that does not share our claims. One that ends may need a moment.
static bool is_taken(unsigned ifindex)
{
	const struct timespec pause = {.tv_nsec = TAKEN_LOOK_NS};
	for (unsigned i = 0; i < TAKEN_LOOKS; i++) {
		if (!xdp_taken(ifindex))
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

// Claims the interface and detaches any leftover program.
static int prepare_one(struct steering_port *p, unsigned workers, char why[STEERING_WHY_MAX])
{
	p->ifindex = if_nametoindex(p->interface);
	if (p->ifindex == 0)
		return refuse(-ENODEV, why, p->interface, "no such interface");
	p->claim = xdp_claim(XDP_CLAIMS, p->ifindex);
	if (p->claim < 0)
		return refuse(p->claim, why, p->interface, xdp_claim_text(p->claim));
	struct xdp_program found;
	int rc = check_queues(p, workers, why);
	if (rc)
		return rc;
	rc = xdp_program_find(p->ifindex, &found);
	if (rc == 0 && found.attached == XDP_FOREIGN) {
		snprintf(why, STEERING_WHY_MAX,
			"port %s: an XDP program of someone else%s%s is attached (ip link set %s "
			"xdp off takes it off)",
			p->interface, found.name[0] ? ", " : "", found.name, p->interface);
		return -EBUSY;
	}
	if (rc == 0 && found.attached == XDP_OURS && is_taken(p->ifindex))
		return refuse(-EBUSY, why, p->interface, xdp_claim_text(-EBUSY));
	if (rc == 0 && found.attached == XDP_OURS) {
		log_info("port %s: detaching the steering program of an earlier run", p->interface);
		rc = xdp_program_detach(p->ifindex, true); // this process holds the claim
	}
	return rc ? refuse(rc, why, p->interface, strerror(-rc)) : 0;
}

// `worker_lcores: [auto]`: no more workers than every shared interface has queues for.
static void fit_workers(struct config_dataplane *dp)
{
	for (unsigned i = 0; i < dp->port_count && dp->workers_auto; i++) {
		unsigned all, usable;
		if (!dp->ports[i].xdp)
			continue;
		queues_count(dp->ports[i].xdp, &all, &usable);
		if (dp->worker_count > usable) {
			log_info("%u workers on %u cores: port %s has no more queues", usable,
				dp->worker_count, dp->ports[i].xdp);
			dp->worker_count = usable;
		}
	}
}

int steering_prepare(struct steering *s, struct config_dataplane *dp, const char *run,
	char why[STEERING_WHY_MAX])
{
	char path[SHM_PATH_MAX + 16];
	*s = (struct steering){0};
	fit_workers(dp);
	for (unsigned i = 0; i < dp->port_count; i++) {
		if (!dp->ports[i].xdp)
			continue;
		struct steering_port *p = &s->port[s->count++];
		*p = (struct steering_port){.index = i, .claim = -1};
		snprintf(p->interface, sizeof(p->interface), "%s", dp->ports[i].xdp);
		steering_mac_init(p->mac, &dp->ports[i]);
		int rc = steering_tags_check(&dp->ports[i], why, STEERING_WHY_MAX);
		if (rc == 0)
			rc = prepare_one(p, dp->worker_count, why);
		if (rc) {
			steering_close(s);
			return rc;
		}
	}
	if (s->count == 0)
		return 0;
	steering_object_path(run, path, sizeof(path));
	int rc = xdp_program_write(path);
	if (rc) {
		snprintf(why, STEERING_WHY_MAX, "%.200s: %s", path, strerror(-rc));
		steering_close(s);
	}
	return rc;
}

// Does any interface of this network namespace have the address?
static bool someone_has(const struct ifaddrs *all, const struct ip_address *a)
{
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		const void *bytes = NULL;
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && a->version == 4)
			bytes = &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr;
		else if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET6 && a->version == 6)
			bytes = &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)
					 ->sin6_addr;
		if (bytes && memcmp(bytes, a->bytes, a->version == 4 ? 4 : 16) == 0)
			return true;
	}
	return false;
}

// The kernel must answer ARP and neighbour discovery for the box's own service addresses. Those
// that it has, wherever, are the operator's and stay as they are.
static int apply_addresses(const struct steering_port *p, const struct config_dataplane *dp,
	char why[STEERING_WHY_MAX])
{
	struct ifaddrs *all;
	if (getifaddrs(&all) != 0)
		return refuse(-errno, why, p->interface, strerror(errno));
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < dp->own_count; i++) {
		if (someone_has(all, &dp->addresses[i]))
			continue;
		char text[SOCKET_ADDRESS_TEXT_MAX];
		log_info("port %s: gets the address %s, configured on no interface", p->interface,
			ip_address_text(&dp->addresses[i], true, text));
		rc = exception_addr_apply(p->interface, &dp->addresses[i], 1, why);
	}
	freeifaddrs(all);
	return rc;
}

// The driver's sockets are recognised by their kind alone; the driver reports neither zero copy nor
// the drops of full rings.
static unsigned sockets_find(int *fds, unsigned cap)
{
	unsigned count = 0;
	for (int fd = 3; fd < FDS_LOOKED_AT && count < cap; fd++) {
		int domain = 0;
		socklen_t len = sizeof(domain);
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_XDP)
			fds[count++] = fd;
	}
	return count;
}

static void tell_sockets(struct steering *s)
{
	unsigned without_copy = 0;
	s->socket_count = sockets_find(s->socket, ARRAY_LEN(s->socket));
	for (unsigned i = 0; i < s->socket_count; i++) {
		struct xdp_options options = {0};
		socklen_t len = sizeof(options);
		if (getsockopt(s->socket[i], SOL_XDP, XDP_OPTIONS, &options, &len) == 0)
			without_copy += (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
	}
	log_info("AF_XDP: %u sockets, %u of them without copies", s->socket_count, without_copy);
}

static uint64_t frames_lost(const struct steering *s)
{
	uint64_t lost = 0;
	for (unsigned i = 0; i < s->socket_count; i++) {
		struct xdp_statistics x = {0};
		socklen_t len = sizeof(x);
		if (getsockopt(s->socket[i], SOL_XDP, XDP_STATISTICS, &x, &len) == 0)
			lost += x.rx_ring_full;
	}
	return lost;
}

int steering_start(struct steering *s, const struct config_dataplane *dp, uint64_t now_ms,
	char why[STEERING_WHY_MAX])
{
	s->start_ms = now_ms;
	for (unsigned i = 0; i < s->count; i++) {
		struct steering_port *p = &s->port[i];
		int rc = xdp_steer_open(&p->maps, p->ifindex);
		if (rc)
			return refuse(rc, why, p->interface,
				"the driver has not attached the steering program");
		p->open = true;
		rc = xdp_steer_asked(&p->maps, &p->asked);
		if (rc)
			return refuse(rc, why, p->interface,
				"the steering program's table of ports cannot be mapped");
		steering_mac_look(p->mac, p->interface);
		rc = xdp_steer_pin(&p->maps);
		if (rc)
			log_info("port %s: the steering program is not pinned below /sys/fs/bpf "
				 "(%s); after a kill, run weirctl xdp detach",
				p->interface, strerror(-rc));
		rc = 0;
		for (unsigned a = 0; rc == 0 && a < dp->address_count; a++)
			rc = xdp_steer_add(&p->maps, &dp->addresses[a]);
		if (rc)
			return refuse(
				rc, why, p->interface, "the steering program takes no addresses");
		rc = apply_addresses(p, dp, why);
		if (rc)
			return rc;
	}
	if (s->count > 0)
		tell_sockets(s);
	return 0;
}

static bool workers_turn(struct worker *const *workers, unsigned count, uint64_t now_ms)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t beat = atomic_load_explicit(
			&workers[i]->stats->heartbeat_ms, memory_order_relaxed);
		if (beat + STEERING_WORKER_HUNG_MS < now_ms)
			return false;
	}
	return true;
}

static void set_gates(struct steering *s, uint64_t until_ms)
{
	atomic_store_explicit(&s->until_ms, until_ms, memory_order_relaxed);
	for (unsigned i = 0; i < s->count; i++) {
		struct steering_port *p = &s->port[i];
		if (!p->open)
			continue;
		int rc = xdp_steer_until(&p->maps, until_ms, p->mac);
		if (rc)
			log_warning("port %s: cannot switch queries between workers and kernel: %s",
				p->interface, strerror(-rc));
	}
}

void steering_beat(struct steering *s, struct stats_region *stats, struct worker *const *workers,
	unsigned worker_count, uint64_t now_ms)
{
	if (s->count == 0)
		return;
	bool ready = atomic_load_explicit(&stats->l0_generation, memory_order_relaxed) != 0
		     || now_ms >= s->start_ms + STEERING_OPEN_MS;
	const bool is_late = now_ms - s->beat_ms >= STEERING_WORKER_HUNG_MS / 2;
	const bool is_spared = is_late && !s->was_spared && s->until_ms;
	bool serve = ready && (is_spared || workers_turn(workers, worker_count, now_ms));
	s->beat_ms = now_ms;
	s->was_spared = is_spared;
	if (serve && !s->until_ms)
		log_info("AF_XDP: workers receive the queries");
	else if (!serve && s->until_ms)
		log_warning("AF_XDP: a worker hangs; the kernel receives all queries");
	if (serve || s->until_ms)
		set_gates(s, serve ? now_ms + STEERING_OPEN_MS : 0);
}

void steering_report(struct steering *s, struct stats_region *stats)
{
	// The first AF_XDP port counts the lost frames of all of them.
	if (s->count > 0)
		stats_add(&stats->port[s->port[0].index].imissed, frames_lost(s));
	for (unsigned i = 0; i < s->count; i++) {
		struct steering_port *p = &s->port[i];
		uint64_t counters[STEER_COUNTERS];
		steering_mac_look(p->mac, p->interface); // the next beat updates the program
		if (!p->open || xdp_steer_counters(&p->maps, counters) != 0)
			continue;
		atomic_store_explicit(&stats->port[p->index].is_xdp, 1, memory_order_relaxed);
		for (unsigned c = 0; c < STEER_COUNTERS; c++)
			atomic_store_explicit(
				&stats->port[p->index].steer[c], counters[c], memory_order_relaxed);
	}
}

void steering_stop(struct steering *s)
{
	const struct timespec drain = {.tv_nsec = STEERING_DRAIN_MS * 1000000L};
	if (!s->until_ms)
		return;
	set_gates(s, 0);
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &drain, NULL);
}

void steering_close(struct steering *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		struct steering_port *p = &s->port[i];
		if (p->open) {
			xdp_steer_unpin(p->ifindex);
			xdp_steer_asked_end(p->asked);
			xdp_steer_close(&p->maps);
		}
		if (p->claim >= 0)
			xdp_claim_end(XDP_CLAIMS, p->ifindex, p->claim);
	}
	s->count = 0;
}
