// SPDX-License-Identifier: BSD-3-Clause
// Interfaces that are shared by AF_XDP.

#include "doctor_checks.h"
#include "doctor_port.h"
#include "lib/sysroot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/xdp_steer.h>

// Drivers with XDP of their own, and of these the ones with AF_XDP without copies, in Linux 6.1.
static bool is_native(const char *driver, bool *no_copies)
{
	static const struct {
		const char *driver;
		bool no_copies;
	} known[] = {{"i40e", true}, {"ice", true}, {"ixgbe", true}, {"mlx5_core", true},
		{"igc", true}, {"stmmac", true}, {"ixgbevf", false}, {"igb", false},
		{"bnxt_en", false}, {"ena", false}, {"mlx4_en", false}, {"nfp", false},
		{"qede", false}, {"sfc", false}, {"virtio_net", false}, {"hv_netvsc", false},
		{"veth", false}, {"tun", false}, {"mvneta", false}, {"dpaa2-eth", false}};
	for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(driver, known[i].driver) != 0)
			continue;
		*no_copies = known[i].no_copies;
		return true;
	}
	return false;
}

static void native_check(struct doctor *d, const char *name)
{
	char driver[NIC_WORD_MAX];
	bool no_copies = false;
	int rc = sysroot_link(driver, sizeof(driver), "/sys/class/net/%s/device/driver", name);
	if (rc == -ENOENT)
		doctor_add(d, DOCTOR_OK, "%s is a virtual interface: frames are copied", name);
	else if (rc)
		doctor_add(d, DOCTOR_UNKNOWN, "the driver of %s: %s", name, strerror(-rc));
	else if (is_native(driver, &no_copies))
		doctor_add(d, DOCTOR_OK, "%s: driver %s has XDP of its own%s", name, driver,
			no_copies ? ", without copies" : "; frames are copied");
	else {
		doctor_add(d, DOCTOR_WARNING,
			"%s: driver %s is not known to have XDP: frames go through the kernel's "
			"generic XDP",
			name, driver);
		doctor_do(d, "weirctl xdp status # mode: native or generic");
	}
}

// One worker takes one queue (docs/how-to/af-xdp.md). `auto` takes as many as there are.
static void queues_check(struct doctor *d, const char *name)
{
	const struct config_dataplane *dp = &d->config->dataplane;
	const unsigned workers = dp->worker_count;
	unsigned queues = 0;
	while (sysroot_exists("/sys/class/net/%s/queues/rx-%u", name, queues))
		queues++;
	if (queues == 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "the receive queues of %s: none in /sys", name);
		return;
	}
	if (workers == queues || (workers > queues && dp->workers_auto)) {
		doctor_add(d, DOCTOR_OK, "%s: a worker for each receive queue (%u)", name, queues);
		return;
	}
	doctor_add(d, workers > queues ? DOCTOR_WRONG : DOCTOR_WARNING,
		"%s: receive queues: %u, workers: %u%s", name, queues, workers,
		workers > queues ? "" : "; the kernel receives the queries on the other queues");
	doctor_do(d, "ethtool -L %s combined %u # or dataplane.worker_lcores: [auto]",
		SHELL_QUOTE(name), workers);
}

static void foreign_check(struct doctor *d, const char *name)
{
	struct xdp_program program;
	unsigned ifindex = if_nametoindex(name);
	if (ifindex == 0)
		return; // `ports` reports that
	if (geteuid() != 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "the XDP program on %s: needs root", name);
		return;
	}
	int rc = xdp_program_find(ifindex, &program);
	if (rc) {
		doctor_add(d, DOCTOR_UNKNOWN, "the XDP program on %s: %s", name, strerror(-rc));
	} else if (program.attached == XDP_FOREIGN) {
		doctor_add(d, DOCTOR_WRONG, "%s has an XDP program of another owner: %s", name,
			program.name);
		doctor_do(d, "ip link set dev %s xdp off", SHELL_QUOTE(name));
	} else {
		doctor_add(d, DOCTOR_OK, "%s has no XDP program of another owner", name);
	}
}

static void xdp_kernel_check(struct doctor *d)
{
	char release[64];
	unsigned major = 0, minor = 0;
	int rc = sysroot_line(release, sizeof(release), "/proc/sys/kernel/osrelease");
	if (rc || sscanf(release, "%u.%u", &major, &minor) != 2) {
		doctor_add(d, DOCTOR_UNKNOWN, "/proc/sys/kernel/osrelease: %s",
			rc ? strerror(-rc) : release);
	} else if (major < 5 || (major == 5 && minor < 11)) {
		doctor_add(
			d, DOCTOR_WRONG, "kernel %s: AF_XDP with busy polling needs 5.11", release);
		doctor_do(d, "apt-get install linux-image-$(dpkg --print-architecture) && reboot");
	} else {
		doctor_add(d, DOCTOR_OK, "kernel %s has AF_XDP with busy polling", release);
	}
}

void doctor_check_xdp(struct doctor *d)
{
	unsigned count = 0;
	if (doctor_lacks_config(d))
		return;
	const struct config_dataplane *dp = &d->config->dataplane;
	for (unsigned i = 0; i < dp->port_count; i++) {
		char name[NIC_WORD_MAX];
		if (!dp->ports[i].xdp)
			continue;
		if (count++ == 0)
			xdp_kernel_check(d);
		doctor_port_name(dp->ports[i].xdp, name);
		native_check(d, name);
		queues_check(d, name);
		foreign_check(d, name);
	}
	if (count == 0)
		doctor_add(d, DOCTOR_OK, "no port of the configuration is shared by AF_XDP");
}
