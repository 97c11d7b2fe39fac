// SPDX-License-Identifier: BSD-3-Clause
// The network cards of the configuration: IOMMU, drivers and NUMA nodes, and interfaces that weir
// shares by AF_XDP.

#include "doctor_checks.h"
#include "doctor_files.h"
#include "lib/sysroot.h"
#include "nic/cmd_nic.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <weir/xdp_steer.h>

char *doctor_port_name(const char *device, char out[NIC_WORD_MAX])
{
	snprintf(out, NIC_WORD_MAX, "%.*s", (int)strcspn(device, ","), device);
	return out;
}

bool doctor_port_is_pci(const struct config_port *p, char pci[PCI_NAME_MAX])
{
	char name[NIC_WORD_MAX];
	return !p->xdp && pci_name_parse(doctor_port_name(p->device, name), pci);
}

// Does DPDK share the card with the kernel's driver, as for mlx4 and mlx5?
static bool is_bifurcated(const char *driver)
{
	return strncmp(driver, "mlx", 3) == 0;
}

static bool is_iommu_needed(const struct config_dataplane *dp)
{
	char pci[PCI_NAME_MAX], why[NIC_WHY_MAX];
	struct nic_device nic;
	for (unsigned i = 0; i < dp->port_count; i++)
		if (doctor_port_is_pci(&dp->ports[i], pci)
			&& !(nic_device_find(pci, &nic, why) && is_bifurcated(nic.driver)))
			return true;
	return false;
}

// Has the kernel's command line the option, alone or with more after it ("=on,sm_on")?
static bool has_option(const char *line, const char *option)
{
	size_t len = strlen(option);
	for (const char *p = line; (p = strstr(p, option)); p += len)
		if ((p == line || p[-1] == ' ') && strchr(" ,", p[len]))
			return true;
	return false;
}

static void check_iommu(struct doctor *d)
{
	char line[4096], cpu[2048];
	size_t groups = doctor_files_count("/sys/kernel/iommu_groups/*");
	if (groups > 0) {
		doctor_add(d, DOCTOR_OK, "on, groups: %zu", groups);
		return;
	}
	if (doctor_lacks_config(d))
		return;
	if (!is_iommu_needed(&d->config->dataplane)) {
		doctor_add(d, DOCTOR_OK, "off, and no port of the configuration needs one");
		return;
	}
	int rc = sysroot_line(line, sizeof(line), "/proc/cmdline");
	bool is_amd =
		sysroot_read(cpu, sizeof(cpu), "/proc/cpuinfo") > 0 && strstr(cpu, "AuthenticAMD");
	// The kernel turns AMD's IOMMU on by itself.
	const char *off = is_amd ? "amd_iommu=off" : "intel_iommu=off";
	if (rc) {
		doctor_add(d, DOCTOR_UNKNOWN, "it is off: /proc/cmdline: %s", strerror(-rc));
	} else if (has_option(line, off) || has_option(line, "iommu=off")) {
		doctor_add(d, DOCTOR_WRONG, "off by the kernel's command line: vfio-pci needs one");
		doctor_do(d, "editor /etc/default/grub # take away iommu=off, then update-grub");
	} else if (is_amd || has_option(line, "intel_iommu=on")) {
		doctor_add(d, DOCTOR_WRONG, "none: the firmware hides it, and vfio-pci needs one");
		doctor_do(d, "systemctl reboot --firmware-setup # turn on %s",
			is_amd ? "AMD-Vi (IOMMU)" : "VT-d");
	} else {
		doctor_add(d, DOCTOR_WRONG, "off: vfio-pci needs one");
		doctor_do(d, "editor /etc/default/grub # GRUB_CMDLINE_LINUX, then update-grub: "
			     "intel_iommu=on iommu=pt");
	}
}

static void bound_report(struct doctor *d, const struct nic_device *nic)
{
	if (!nic_unit_is_possible() || nic_unit_is_enabled(nic->pci)) {
		doctor_add(d, DOCTOR_OK, "%s: bound to %s", nic->pci, nic->driver);
	} else {
		doctor_add(d, DOCTOR_WARNING, "%s: bound to %s until the next boot", nic->pci,
			nic->driver);
		doctor_do(d, "weirctl nic remember %s", nic->pci);
	}
}

// Checks the vfio node, which a data plane with a user of its own opens.
static void node_check(struct doctor *d, const struct nic_device *nic)
{
	char path[SYSROOT_PATH_MAX];
	struct doctor_block b;
	sysroot_path(path, "/dev/vfio/%s", nic->group);
	int may = doctor_file_may(&d->dp, path, 6, &b);
	if (may < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s: %s", nic->pci, b.why);
	} else if (may == 0) {
		doctor_add(d, DOCTOR_WRONG, "%s: the user %s may not open it: %s", nic->pci,
			d->dp.name, b.why);
		doctor_do(d, "weirctl nic bind %s", nic->pci);
	} else {
		bound_report(d, nic);
	}
}

static void pci_check(struct doctor *d, const char *pci)
{
	struct nic_device nic;
	char why[NIC_WHY_MAX];
	if (!nic_device_find(pci, &nic, why)) {
		doctor_add(d, DOCTOR_WRONG, "%s", why);
		doctor_do(d, "weirctl nic status");
	} else if (is_bifurcated(nic.driver)) {
		doctor_add(d, DOCTOR_OK, "%s: driver %s, which it shares", pci, nic.driver);
	} else if (!nic_device_is_user_driver(nic.driver)) {
		doctor_add(d, DOCTOR_WRONG, "%s: driver %s, not vfio-pci", pci,
			nic.driver[0] ? nic.driver : "none");
		doctor_do(d, "weirctl nic bind %s", pci);
	} else if (nic.group[0]) {
		node_check(d, &nic);
	} else {
		bound_report(d, &nic);
	}
}

static void xdp_interface_check(struct doctor *d, const char *text)
{
	char name[NIC_WORD_MAX], flags[32];
	doctor_port_name(text, name);
	int rc = sysroot_line(flags, sizeof(flags), "/sys/class/net/%s/flags", name);
	if (rc) {
		doctor_add(d, DOCTOR_WRONG, "no interface %s (%s)", name, strerror(-rc));
		doctor_do(d, "ip -brief link");
	} else if (!(strtoul(flags, NULL, 16) & IFF_UP)) {
		doctor_add(d, DOCTOR_WRONG, "interface %s is down", name);
		doctor_do(d, "ip link set %s up", TEXT_QUOTE(name));
	} else {
		doctor_add(d, DOCTOR_OK, "interface %s is up", name);
	}
}

static void virtual_check(struct doctor *d, const char *device)
{
	if (strncmp(device, "net_tap", 7) == 0 && !sysroot_exists("/dev/net/tun")) {
		doctor_add(d, DOCTOR_WRONG, "%s: no /dev/net/tun", device);
		doctor_do(d, "modprobe tun");
	} else {
		doctor_add(d, DOCTOR_OK, "%s is a virtual device", device);
	}
}

// Finds the MAC address that the running data plane gave its exception interface; false: unknown.
static bool exception_mac(const struct doctor *d, const char *name, char out[CONFIG_MAC_TEXT_MAX])
{
	const struct stats_copy *s = d->view.stats;
	for (unsigned i = 0; d->view.has_stats && d->view.dataplane == PROCESS_UP && i < s->ports;
		i++) {
		struct config_mac mac;
		if (!s->port[i].is_exception || strcmp(s->port[i].name, name) != 0)
			continue;
		memcpy(mac.bytes, s->port[i].mac, sizeof(mac.bytes));
		config_mac_text(&mac, out);
		return true;
	}
	return false;
}

// Checks that an exception interface is this weir's, and as its data plane made it. Another weir
// that has used it leaves its alias and its MAC address there.
static void exception_check(struct doctor *d, const char *name)
{
	char alias[256], has[32], made[CONFIG_MAC_TEXT_MAX], mark[64];
	const bool runs = exception_mac(d, name, made);
	snprintf(mark, sizeof(mark), EXCEPTION_MARK "%016" PRIx64, d->c->paths.instance);
	const int rc = sysroot_line(has, sizeof(has), "/sys/class/net/%s/address", name);
	if (rc && if_nametoindex(name) != 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "exception interface %s: /sys shows another network",
			name);
		return;
	}
	if (rc) {
		doctor_add(d, runs ? DOCTOR_WRONG : DOCTOR_OK, "no exception interface %s%s", name,
			runs ? ": TCP and ping reach nobody" : ": the data plane makes it");
		if (runs)
			doctor_do(d, "systemctl restart weir-dataplane");
		return;
	}
	if (sysroot_line(alias, sizeof(alias), "/sys/class/net/%s/ifalias", name))
		*alias = '\0';
	if (d->c->paths.instance && strncmp(alias, EXCEPTION_MARK, strlen(EXCEPTION_MARK)) == 0
		&& strcmp(alias, mark) != 0) {
		doctor_add(d, DOCTOR_WRONG,
			"exception interface %s is another weir's by its alias (%s), not %s", name,
			alias, mark);
		doctor_do(d,
			"ip link set dev %s alias %s # and name another one in its "
			"dataplane.ports",
			TEXT_QUOTE(name), TEXT_QUOTE(mark));
	}
	if (runs && strcasecmp(has, made) != 0) {
		doctor_add(d, DOCTOR_WRONG,
			"exception interface %s has the MAC address %s, and the data plane gave it "
			"%s: TCP and ping reach nobody",
			name, has, made);
		doctor_do(d, "ip link set dev %s address %s", TEXT_QUOTE(name), made);
	} else {
		doctor_add(d, DOCTOR_OK, "exception interface %s is there%s", name,
			runs ? ", with its MAC address" : "");
	}
}

static void check_ports(struct doctor *d)
{
	char pci[PCI_NAME_MAX];
	if (doctor_lacks_config(d))
		return;
	const struct config_dataplane *dp = &d->config->dataplane;
	for (unsigned i = 0; i < dp->port_count; i++) {
		const struct config_port *p = &dp->ports[i];
		if (p->xdp)
			xdp_interface_check(d, p->xdp);
		else if (doctor_port_is_pci(p, pci))
			pci_check(d, pci);
		else
			virtual_check(d, p->device);
		if (p->exception[0])
			exception_check(d, p->exception);
	}
}

// The NUMA node of a core; -1: the machine has only one.
static int core_node(unsigned core)
{
	char pattern[SYSROOT_PATH_MAX];
	int node = -1;
	glob_t found;
	sysroot_path(pattern, "/sys/devices/system/cpu/cpu%u/node[0-9]*", core);
	if (glob(pattern, 0, NULL, &found) == 0) {
		node = atoi(strrchr(found.gl_pathv[0], '/') + strlen("/node"));
		globfree(&found);
	}
	return node;
}

// The NUMA node of a port; -1: unknown.
static int port_node(const struct config_port *p, char name[NIC_WORD_MAX])
{
	char pci[PCI_NAME_MAX], line[32] = "-1";
	if (p->xdp)
		(void)sysroot_line(line, sizeof(line), "/sys/class/net/%s/device/numa_node",
			doctor_port_name(p->xdp, name));
	else if (doctor_port_is_pci(p, pci))
		(void)sysroot_line(line, sizeof(line), NIC_DEVICES "/%s/numa_node",
			doctor_port_name(pci, name));
	return *line ? atoi(line) : -1;
}

static void check_numa(struct doctor *d)
{
	unsigned core[CONFIG_WORKERS_MAX], far = 0;
	if (doctor_files_count("/sys/devices/system/node/node[0-9]*") <= 1) {
		doctor_add(d, DOCTOR_OK, "the machine has one memory node");
		return;
	}
	unsigned count = doctor_cores_of_workers(d, core);
	if (count == 0 || doctor_lacks_config(d))
		return;
	const struct config_dataplane *dp = &d->config->dataplane;
	for (unsigned i = 0; i < dp->port_count; i++) {
		char name[NIC_WORD_MAX];
		int node = port_node(&dp->ports[i], name);
		for (unsigned w = 0; node >= 0 && w < count; w++) {
			int of_core = core_node(core[w]);
			if (of_core < 0 || of_core == node)
				continue;
			far++;
			doctor_add(d, DOCTOR_WARNING,
				"%s is on node %d, the worker on core %u on node %d", name, node,
				core[w], of_core);
			doctor_do(d,
				"cat /sys/devices/system/node/node%d/cpulist # choose from these "
				"for "
				"dataplane.worker_lcores",
				node);
		}
	}
	if (far == 0)
		doctor_add(d, DOCTOR_OK, "no worker is on another memory node than a port");
}

// A version of the kernel as a number.
#define LINUX(major, minor) ((unsigned)(major) << 16 | (unsigned)(minor))

// The version of the kernel, and its text in `release`; -EINVAL or -errno.
static long long kernel_version(char release[64])
{
	unsigned major = 0, minor = 0;
	int rc = sysroot_line(release, 64, "/proc/sys/kernel/osrelease");
	if (rc)
		return rc;
	return sscanf(release, "%u.%u", &major, &minor) == 2 && major < 1U << 15 && minor < 1U << 16
		       ? (long long)LINUX(major, minor)
		       : -EINVAL;
}

// Has the driver native XDP? `no_copies`: also AF_XDP without copies. The table has the first
// version of Linux with it, if that is newer than 6.1.
static bool is_native(const char *driver, bool *no_copies)
{
	static const struct {
		const char *driver;
		bool no_copies;
		unsigned since;
	} known[] = {{"i40e", true, 0}, {"ice", true, 0}, {"ixgbe", true, 0},
		{"mlx5_core", true, 0}, {"igc", true, 0}, {"stmmac", true, 0},
		{"ixgbevf", false, 0}, {"igb", false, 0}, {"bnxt_en", false, 0}, {"ena", false, 0},
		{"mlx4_en", false, 0}, {"nfp", false, 0}, {"qede", false, 0}, {"sfc", false, 0},
		{"virtio_net", false, 0}, {"hv_netvsc", false, 0}, {"veth", false, 0},
		{"tun", false, 0}, {"mvneta", false, 0}, {"dpaa2-eth", false, 0},
		{"vmxnet3", false, LINUX(6, 3)}};
	char release[64];
	const long long kernel = kernel_version(release);
	for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(driver, known[i].driver) != 0
			|| (known[i].since && kernel < known[i].since))
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

// Checks that there is a worker for each queue (docs/how-to/af-xdp.md). `auto` has as many workers
// as there are queues.
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
		TEXT_QUOTE(name), workers);
}

static void foreign_check(struct doctor *d, const char *name)
{
	struct xdp_program program;
	unsigned ifindex = if_nametoindex(name);
	if (ifindex == 0)
		return; // the check `ports` reports a missing interface
	if (geteuid() != 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "the XDP program on %s: needs root", name);
		return;
	}
	int rc = xdp_program_find(ifindex, &program);
	if (rc) {
		doctor_add(d, DOCTOR_UNKNOWN, "the XDP program on %s: %s", name, strerror(-rc));
	} else if (program.is_hidden) {
		doctor_add(
			d, DOCTOR_UNKNOWN, "the XDP program on %s: no permission to open it", name);
	} else if (program.attached == XDP_FOREIGN) {
		doctor_add(d, DOCTOR_WRONG, "%s has an XDP program of another owner, %s", name,
			*program.name ? program.name : "without a name");
		doctor_do(d, "ip link set dev %s xdp off", TEXT_QUOTE(name));
	} else {
		doctor_add(d, DOCTOR_OK, "%s has no XDP program of another owner", name);
	}
}

static void xdp_kernel_check(struct doctor *d)
{
	char release[64];
	const long long kernel = kernel_version(release);
	if (kernel < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "/proc/sys/kernel/osrelease: %s",
			kernel == -EINVAL ? release : strerror((int)-kernel));
	} else if (kernel < LINUX(5, 11)) {
		doctor_add(
			d, DOCTOR_WRONG, "kernel %s: AF_XDP with busy polling needs 5.11", release);
		doctor_do(d, "apt-get install linux-image-$(dpkg --print-architecture) && reboot");
	} else {
		doctor_add(d, DOCTOR_OK, "kernel %s has AF_XDP with busy polling", release);
	}
}

static void check_xdp(struct doctor *d)
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

const struct doctor_check doctor_ports_checks[] = {
	{"iommu", check_iommu},
	{"ports", check_ports},
	{"xdp", check_xdp},
	{"numa", check_numa},
	{NULL, NULL},
};
