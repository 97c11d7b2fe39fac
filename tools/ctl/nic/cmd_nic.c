// SPDX-License-Identifier: BSD-3-Clause
// `weirctl nic`: binds a network card to a driver for weir and back to the kernel, with checks that
// keep operators from locking themselves out. docs/how-to/nic.md is the guide.

#include "cmd_nic.h"

#include "lib/ctl.h"
#include "lib/json_doc.h"
#include "lib/program.h"
#include "lib/sysroot.h"
#include "lib/table_cell.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/own_file.h>

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void why_set(char why[NIC_WHY_MAX], const char *fmt, ...) ATTR_PRINTF(2, 3);
static void why_set(char why[NIC_WHY_MAX], const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(why, NIC_WHY_MAX, fmt, args);
	va_end(args);
}

static void class_read(const char *pci, char out[NIC_WORD_MAX])
{
	(void)sysroot_line(out, NIC_WORD_MAX, NIC_DEVICES "/%s/class", pci);
}

// PCI class 2: network controllers.
static bool is_network(const char *pci)
{
	char class[NIC_WORD_MAX];
	class_read(pci, class);
	return strncmp(class, "0x02", 4) == 0;
}

static bool nic_device_is_bridge(const char *pci)
{
	char class[NIC_WORD_MAX];
	class_read(pci, class);
	return strncmp(class, "0x06", 4) == 0;
}

bool nic_device_is_user_driver(const char *driver)
{
	return strcmp(driver, "vfio-pci") == 0 || strcmp(driver, "uio_pci_generic") == 0
	       || strcmp(driver, "igb_uio") == 0;
}

// `out` "": the device has no driver
static void nic_device_driver(const char *pci, char out[NIC_WORD_MAX])
{
	(void)sysroot_link(out, NIC_WORD_MAX, NIC_DEVICES "/%s/driver", pci);
}

// Finds the interfaces below the device or its virtio device: of some cards all ports are one
// device (cxgb4, mlx4). The caller frees them by globfree().
static void interfaces_find(const char *pci, glob_t *out)
{
	static const char *const places[] = {"net", "virtio*/net"};
	char pattern[SYSROOT_PATH_MAX];
	*out = (glob_t){0};
	for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
		sysroot_path(pattern, NIC_DEVICES "/%s/%s/*", pci, places[i]);
		(void)glob(pattern, out->gl_pathc ? GLOB_APPEND : 0, NULL, out);
	}
}

static void interface_read(const char *pci, char out[IF_NAMESIZE])
{
	glob_t found;
	interfaces_find(pci, &found);
	snprintf(out, IF_NAMESIZE, "%s", found.gl_pathc ? last_part(found.gl_pathv[0]) : "");
	globfree(&found);
}

static bool device_read(const char *pci, struct nic_device *out)
{
	*out = (struct nic_device){0};
	snprintf(out->pci, sizeof(out->pci), "%s", pci);
	if (!sysroot_exists(NIC_DEVICES "/%s", pci))
		return false;
	nic_device_driver(pci, out->driver);
	interface_read(pci, out->interface);
	(void)sysroot_link(out->group, sizeof(out->group), NIC_DEVICES "/%s/iommu_group", pci);
	if (sysroot_line(out->numa, sizeof(out->numa), NIC_DEVICES "/%s/numa_node", pci) != 0)
		snprintf(out->numa, sizeof(out->numa), "-1");
	return true;
}

// Finds the PCI device of an interface. A virtio device is below its PCI device.
static bool interface_device(const char *name, char pci[PCI_NAME_MAX])
{
	char path[SYSROOT_PATH_MAX], real[PATH_MAX];
	sysroot_path(path, "/sys/class/net/%s/device", name);
	if (!realpath(path, real))
		return false;
	if (strncmp(last_part(real), "virtio", 6) == 0)
		*strrchr(real, '/') = '\0';
	return pci_name_parse(last_part(real), pci);
}

static bool is_interface_name(const char *text)
{
	return *text && strlen(text) < IF_NAMESIZE && !strchr(text, '/') && strcmp(text, ".") != 0
	       && strcmp(text, "..") != 0;
}

bool nic_device_find(const char *text, struct nic_device *out, char why[NIC_WHY_MAX])
{
	char pci[PCI_NAME_MAX], class[NIC_WORD_MAX];
	if (!pci_name_parse(text, pci)) {
		if (!is_interface_name(text)) {
			why_set(why, "%s is neither a PCI address nor an interface", text);
			return false;
		}
		if (!interface_device(text, pci)) {
			why_set(why, "no interface %s with a PCI device behind it", text);
			return false;
		}
	}
	if (!device_read(pci, out)) {
		why_set(why, "no PCI device %s", pci);
		return false;
	}
	if (is_network(pci))
		return true;
	class_read(pci, class);
	why_set(why, "%s is no network device (class %s)", pci, class);
	return false;
}

unsigned nic_device_list(struct nic_device *out, unsigned cap)
{
	char pattern[SYSROOT_PATH_MAX];
	unsigned count = 0;
	glob_t found;
	if (glob(sysroot_path(pattern, NIC_DEVICES "/*"), 0, NULL, &found) != 0)
		return 0;
	for (size_t i = 0; i < found.gl_pathc && count < cap; i++) {
		const char *pci = last_part(found.gl_pathv[i]);
		if (is_network(pci) && device_read(pci, &out[count]))
			count++;
	}
	globfree(&found);
	return count;
}

bool nic_unit_is_enabled(const char *pci)
{
	char to[NIC_WORD_MAX];
	return sysroot_link(to, sizeof(to),
		       "/etc/systemd/system/multi-user.target.wants/weir-nic@%s.service", pci)
	       == 0;
}

bool nic_unit_is_possible(void)
{
	return sysroot_exists("/run/systemd/system");
}

#define NIC_VFIO "vfio-pci"

enum { USE_MAX = 512 };

// Obstacles to a bind: an interface in use, a shared IOMMU group, no IOMMU. The sources are sysfs,
// the addresses of this network namespace (getifaddrs) and its routes (/proc/net). A source that
// cannot be read is an obstacle, too.
static void add(char out[USE_MAX], const char *between, const char *fmt, ...) ATTR_PRINTF(3, 4);
static void add(char out[USE_MAX], const char *between, const char *fmt, ...)
{
	char text[USE_MAX];
	size_t len = strlen(out);
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	snprintf(out + len, USE_MAX - len, "%s%s", len ? between : "", text);
}

// Did someone set this address up? The kernel itself gives each interface a link-local IPv6
// address.
static bool is_set_up(const struct sockaddr *address)
{
	return address->sa_family == AF_INET
	       || (address->sa_family == AF_INET6
		       && !IN6_IS_ADDR_LINKLOCAL(
			       &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr));
}

// Is the label "eth0" or, for an IPv4 address, "eth0:1" of this interface?
static bool is_of(const char *label, const char *interface)
{
	size_t len = strcspn(label, ":");
	return len == strlen(interface) && strncmp(label, interface, len) == 0;
}

static void addresses_find(const char *interface, char out[USE_MAX])
{
	struct ifaddrs *all;
	bool has = false;
	if (getifaddrs(&all) != 0) {
		add(out, ", ", "its addresses cannot be read: %s", strerror(errno));
		return;
	}
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		has |= a->ifa_addr && is_of(a->ifa_name, interface) && is_set_up(a->ifa_addr);
	freeifaddrs(all);
	if (has)
		add(out, ", ", "has an address");
}

// The first word of a line of /proc/net/route is its interface.
static bool is_route_v4(const char *line, const char *interface)
{
	char name[IF_NAMESIZE];
	return sscanf(line, "%15s", name) == 1 && strcmp(name, interface) == 0;
}

// Is it a default route? The interface has routes to its link and to groups in any case.
static bool is_default_v6(const char *line, const char *interface)
{
	char name[IF_NAMESIZE], to[33];
	unsigned len;
	return sscanf(line, "%32s %x %*s %*s %*s %*s %*s %*s %*s %15s", to, &len, name) == 3
	       && len == 0 && strspn(to, "0") == 32 && strcmp(name, interface) == 0;
}

// 1: the file has a route of the interface; 0: it has none of it; -errno.
static int routes_match(const char *file, const char *interface,
	bool (*is_one)(const char *line, const char *interface))
{
	char path[SYSROOT_PATH_MAX], line[256];
	FILE *f = fopen(sysroot_path(path, "%s", file), "re");
	int has = 0;
	if (!f)
		return -errno;
	while (!has && fgets(line, sizeof(line), f))
		has = is_one(line, interface);
	has = ferror(f) ? -EIO : has;
	fclose(f);
	return has;
}

static void routes_find(const char *interface, char out[USE_MAX])
{
	int v4 = routes_match("/proc/net/route", interface, is_route_v4);
	int v6 = routes_match("/proc/net/ipv6_route", interface, is_default_v6);
	if (v6 == -ENOENT) // a kernel without IPv6
		v6 = 0;
	if (v4 > 0 || v6 > 0)
		add(out, ", ", "has a route");
	else if (v4 < 0 || v6 < 0)
		add(out, ", ", "its routes cannot be read: %s", strerror(v4 < 0 ? -v4 : -v6));
}

// Finds a VLAN or a macvlan on the interface, which may have addresses of its own.
static void uppers_find(const char *interface, char out[USE_MAX])
{
	char pattern[SYSROOT_PATH_MAX];
	glob_t found;
	sysroot_path(pattern, "/sys/class/net/%s/upper_*", interface);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		add(out, ", ", "carries %s", strrchr(found.gl_pathv[i], '/') + strlen("/upper_"));
	globfree(&found);
}

// Why an interface is in use, in words; "": it is not.
static void interface_use_find(const char *interface, char out[USE_MAX])
{
	char master[NIC_WORD_MAX];
	*out = '\0';
	if (sysroot_link(master, sizeof(master), "/sys/class/net/%s/master", interface) == 0)
		add(out, ", ", "belongs to %s", master);
	else
		uppers_find(interface, out);
	addresses_find(interface, out);
	routes_find(interface, out);
}

// Why interfaces of the device are in use, in words, with their names if it has several; "": no
// interface is in use.
static void use_find(const struct nic_device *d, char out[USE_MAX])
{
	char part[USE_MAX];
	glob_t found;
	*out = '\0';
	interfaces_find(d->pci, &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *interface = last_part(found.gl_pathv[i]);
		interface_use_find(interface, part);
		if (*part && found.gl_pathc > 1)
			add(out, "; ", "%s: %s", interface, part);
		else if (*part)
			add(out, "; ", "%s", part);
	}
	globfree(&found);
}

// Finds the other devices of the device's IOMMU group with a driver of the kernel: vfio gives a
// program only a whole group. Bridges may keep their drivers.
static void fellows_find(const struct nic_device *d, char out[USE_MAX])
{
	char pattern[SYSROOT_PATH_MAX], driver[NIC_WORD_MAX];
	glob_t found;
	*out = '\0';
	sysroot_path(pattern, "/sys/kernel/iommu_groups/%s/devices/*", d->group);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *other = strrchr(found.gl_pathv[i], '/') + 1;
		nic_device_driver(other, driver);
		if (*driver && strcmp(driver, "vfio-pci") != 0 && strcmp(driver, "pci-stub") != 0
			&& strcmp(other, d->pci) != 0 && !nic_device_is_bridge(other))
			add(out, " ", "%s", other);
	}
	globfree(&found);
}

// Finds the obstacle of the device's IOMMU group, which also prevents a bind at boot; "": no
// obstacle.
static void group_find(const struct nic_device *d, char out[USE_MAX])
{
	char part[USE_MAX];
	*out = '\0';
	if (!d->group[0])
		add(out, "", "no IOMMU group (docs/how-to/nic.md, step 1)");
	else
		fellows_find(d, part);
	if (d->group[0] && *part)
		add(out, "", "IOMMU group shared with %s", part);
}

// Finds all obstacles to a bind to vfio-pci, in words; "": no obstacle.
static void obstacles_find(const struct nic_device *d, char out[USE_MAX])
{
	char part[USE_MAX];
	*out = '\0';
	use_find(d, part);
	if (*part)
		add(out, "; ", "in use: %s", part);
	group_find(d, part);
	if (*part)
		add(out, "; ", "%s", part);
}

struct holder {
	char node[SYSROOT_PATH_MAX];
	pid_t pid;
};

static bool holder_visit(void *arg, pid_t pid, const char *to)
{
	struct holder *h = arg;
	if (strcmp(to, h->node) != 0)
		return true;
	h->pid = pid;
	return false;
}

// Finds the program that uses the device by vfio, in words; "": no program that this process may
// inspect does. Reads the descriptors of all processes.
static void holder_find(const struct nic_device *d, char out[USE_MAX])
{
	struct holder h = {.pid = 0};
	char name[32];
	*out = '\0';
	if (!d->group[0])
		return;
	sysroot_path(h.node, "/dev/vfio/%s", d->group);
	int rc = sysroot_fds_walk(holder_visit, &h);
	if (rc)
		add(out, "", "who has it open cannot be read: %s", strerror(-rc));
	if (!h.pid)
		return;
	(void)sysroot_line(name, sizeof(name), "/proc/%d/comm", (int)h.pid);
	add(out, "", "%s (pid %d) has it open: stop that first", name, (int)h.pid);
}

// A bind moves a device from one driver to another, by the files of its bus in sysfs. It needs
// root, and waits 2 s at most for a driver, 10 s for modprobe. The kernel blocks a write to
// `unbind` while a program has the device open, so call holder_find() before. If a bind fails, the
// kernel's driver for the device gets it.
struct nic_bind {
	const struct ctl *c; // has dry_run
	struct nic_device device;
	char to[NIC_WORD_MAX]; // driver that the device has at the end
};

enum { MODPROBE_MS = 10000, TRIES = 20, TRY_MS = 100, NODE_MODE = 0660 };

static const char process_user[] = "weir-dp";

// Prints what a dry run would do: on standard error with --json.
#define WOULD(b, ...) fprintf((b)->c->json ? stderr : stdout, "would " __VA_ARGS__)

// Only this function writes to sysfs. -errno; -EIO: the write was incomplete.
static int file_put(const char *text, const char *file)
{
	char path[SYSROOT_PATH_MAX];
	int fd = open(sysroot_path(path, "%s", file), O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	int err = errno;
	if (fd >= 0)
		close(fd);
	return n < 0 ? -err : n == (ssize_t)strlen(text) ? 0 : -EIO;
}

static int file_write(struct nic_bind *b, const char *text, const char *file)
{
	if (b->c->dry_run) {
		WOULD(b, "write \"%.*s\" to %s\n", (int)strcspn(text, "\n"), text, file);
		return CTL_OK;
	}
	int rc = file_put(text, file);
	if (rc == 0)
		return CTL_OK;
	return ctl_fail(b->c, "%s: cannot write \"%.*s\" to %s: %s", b->device.pci,
		(int)strcspn(text, "\n"), text, file, strerror(-rc));
}

// Sets the override; an empty line removes it.
static int override_write(struct nic_bind *b, const char *driver)
{
	char file[SYSROOT_PATH_MAX];
	snprintf(file, sizeof(file), NIC_DEVICES "/%s/driver_override", b->device.pci);
	return file_write(b, driver, file);
}

static int driver_write(struct nic_bind *b, const char *driver, const char *what)
{
	char file[SYSROOT_PATH_MAX];
	snprintf(file, sizeof(file), NIC_DRIVERS "/%s/%s", driver, what);
	return file_write(b, b->device.pci, file);
}

static int driver_load(const struct nic_bind *b, const char *driver)
{
	const char *const args[] = {"/usr/sbin/modprobe", "--", driver, NULL};
	if (strchr(driver, '/') || *driver == '.')
		return ctl_fail(b->c, "%s is no name of a driver", driver);
	if (sysroot_exists(NIC_DRIVERS "/%s", driver))
		return CTL_OK;
	if (b->c->dry_run) {
		WOULD(b, "load the module %s\n", driver);
		return CTL_OK;
	}
	int rc = program_run(args, MODPROBE_MS);
	if (sysroot_exists(NIC_DRIVERS "/%s", driver))
		return CTL_OK;
	return ctl_fail(b->c, "the kernel has no driver %s (`modprobe %s`%s%s)", driver, driver,
		rc < 0 ? ": " : "", rc < 0 ? strerror(-rc) : "");
}

// Waits until the device has `driver`, as drivers may probe asynchronously. `driver` NULL: any
// driver;
// "": no driver.
static bool is_bound_to(struct nic_bind *b, const char *driver)
{
	for (unsigned i = 0; i < TRIES; i++) {
		nic_device_driver(b->device.pci, b->to);
		if (driver ? strcmp(b->to, driver) == 0 : b->to[0])
			return true;
		nanosleep(&(struct timespec){.tv_nsec = TRY_MS * 1000000L}, NULL);
	}
	return false;
}

// Unbinds the device from its current driver, which may differ from device.driver: at boot udev
// binds it at the same time.
static int release(struct nic_bind *b, const char *driver)
{
	if (driver_write(b, driver, "unbind") != CTL_OK)
		return CTL_FAILED;
	if (b->c->dry_run || is_bound_to(b, ""))
		return CTL_OK;
	return ctl_fail(b->c, "%s: %s does not let it go", b->device.pci, driver);
}

// Moves the device to `driver`, for which the override must be set.
static int driver_change(struct nic_bind *b, const char *driver)
{
	char now[NIC_WORD_MAX];
	nic_device_driver(b->device.pci, now);
	if (strcmp(now, driver) != 0
		&& ((now[0] && release(b, now) != CTL_OK)
			|| driver_write(b, driver, "bind") != CTL_OK))
		return CTL_FAILED;
	if (b->c->dry_run)
		snprintf(b->to, sizeof(b->to), "%s", driver);
	else if (!is_bound_to(b, driver))
		return ctl_fail(
			b->c, "%s: %s did not take it (dmesg says why)", b->device.pci, driver);
	return CTL_OK;
}

// Removes the override, and has the kernel find a driver for a device without one.
static void bind_abandon(const struct nic_bind *b)
{
	char file[SYSROOT_PATH_MAX], now[NIC_WORD_MAX];
	if (b->c->dry_run)
		return;
	snprintf(file, sizeof(file), NIC_DEVICES "/%s/driver_override", b->device.pci);
	(void)file_put("\n", file);
	nic_device_driver(b->device.pci, now);
	if (!now[0])
		(void)file_put(b->device.pci, "/sys/bus/pci/drivers_probe");
}

// Sets the override first, so that no other driver can bind the device between unbind and bind.
static int driver_switch(struct nic_bind *b, const char *driver)
{
	if (override_write(b, driver) != CTL_OK)
		return CTL_FAILED;
	int rc = driver_change(b, driver);
	if (rc != CTL_OK)
		bind_abandon(b);
	return rc;
}

// Gives the node of the device's group to the data plane's user, who opens it. On machines without
// that user weir runs as root, and nothing is to be done.
static int node_own(struct nic_bind *b)
{
	struct passwd_user user;
	struct stat st;
	char path[SYSROOT_PATH_MAX];
	if (!b->device.group[0] || !sysroot_user_find(process_user, 0, &user))
		return CTL_OK;
	if (b->c->dry_run) {
		WOULD(b, "give /dev/vfio/%s to %s, mode %04o\n", b->device.group, process_user,
			NODE_MODE);
		return CTL_OK;
	}
	sysroot_path(path, "/dev/vfio/%s", b->device.group);
	bool ok = lstat(path, &st) == 0;
	// The mode is set first: after lchown the node belongs to another user.
	if (ok && (st.st_mode & 07777) != NODE_MODE)
		ok = chmod(path, NODE_MODE) == 0;
	if (ok && (st.st_uid != user.uid || st.st_gid != user.gid))
		ok = lchown(path, user.uid, user.gid) == 0;
	return ok ? CTL_OK
		  : ctl_fail(b->c, "%s is bound, but %s cannot be given to the user %s: %s",
			  b->device.pci, path, process_user, strerror(errno));
}

// Binds the device to `driver`, and gives the node of its IOMMU group to the data plane's user.
// CTL_OK, or CTL_FAILED after an error message.
static int bind_to(struct nic_bind *b, const char *driver)
{
	bool is_bound = strcmp(b->device.driver, driver) == 0;
	if (is_bound)
		snprintf(b->to, sizeof(b->to), "%s", driver);
	else if (driver_load(b, driver) != CTL_OK || driver_switch(b, driver) != CTL_OK)
		return CTL_FAILED;
	return strcmp(driver, NIC_VFIO) == 0 ? node_own(b) : CTL_OK;
}

// Binds the device to `driver` of the kernel; NULL: to a driver that the kernel finds for it.
static int bind_back(struct nic_bind *b, const char *driver)
{
	if (driver) {
		if (driver_load(b, driver) != CTL_OK || driver_switch(b, driver) != CTL_OK)
			return CTL_FAILED;
		return override_write(b, "\n");
	}
	char now[NIC_WORD_MAX];
	if (override_write(b, "\n") != CTL_OK)
		return CTL_FAILED;
	nic_device_driver(b->device.pci, now);
	if ((now[0] && release(b, now) != CTL_OK)
		|| file_write(b, b->device.pci, "/sys/bus/pci/drivers_probe") != CTL_OK)
		return CTL_FAILED;
	if (!b->c->dry_run)
		(void)is_bound_to(b, NULL); // the kernel may have no driver for it
	return CTL_OK;
}

// The card that each boot is to bind, by its MAC address: another card may be at its PCI address
// when cards were added or moved. One file for each address, with the MAC address as its line.
#define NIC_CARDS "/etc/weir/nic"

enum { MAC_TEXT_MAX = 18 };

// Reads the MAC address that the card itself has. "": the kernel has no interface for it, or
// someone gave that another address.
static void mac_read(const char *pci, char out[MAC_TEXT_MAX])
{
	char interface[IF_NAMESIZE], type[NIC_WORD_MAX];
	*out = '\0';
	interface_read(pci, interface);
	if (*interface && sysroot_line(type, sizeof(type), "/sys/class/net/%s/addr_assign_type", interface) == 0
		&& strcmp(type, "0") == 0)
		(void)sysroot_line(out, MAC_TEXT_MAX, "/sys/class/net/%s/address", interface);
}

// Keeps the MAC address for the next boots. "" keeps what there is, as a card that is bound has no
// interface. Needs root. False, with `why`.
static bool mac_keep(const char *pci, const char *mac, char why[NIC_WHY_MAX])
{
	char path[SYSROOT_PATH_MAX];
	if (!*mac)
		return true;
	(void)mkdir(sysroot_path(path, "/etc/weir"), 0755);
	(void)mkdir(sysroot_path(path, NIC_CARDS), 0755);
	int fd = own_file_make(sysroot_path(path, NIC_CARDS "/%s", pci), 0644);
	if (fd >= 0 && dprintf(fd, "%s\n", mac) > 0 && close(fd) == 0)
		return true;
	why_set(why, "cannot keep its MAC address in " NIC_CARDS "/%s: %s", pci,
		strerror(fd < 0 ? -fd : errno));
	return false;
}

// Finds the device whose card has this MAC address. "": the kernel shows no such card.
static void mac_find(const char *mac, char pci[PCI_NAME_MAX])
{
	struct nic_device *devices = calloc(NIC_DEVICES_MAX, sizeof(*devices));
	char other[MAC_TEXT_MAX];
	unsigned count = devices ? nic_device_list(devices, NIC_DEVICES_MAX) : 0;
	*pci = '\0';
	for (unsigned i = 0; i < count && !*pci; i++) {
		mac_read(devices[i].pci, other);
		if (strcmp(other, mac) == 0)
			snprintf(pci, PCI_NAME_MAX, "%s", devices[i].pci);
	}
	free(devices);
}

// The card that each boot is to bind at this address, in words, and where it is now; "": not known.
static void card_describe(const char *pci, char mac[MAC_TEXT_MAX], char out[NIC_WHY_MAX])
{
	char at[PCI_NAME_MAX];
	*out = '\0';
	if (sysroot_line(mac, MAC_TEXT_MAX, NIC_CARDS "/%s", pci) != 0 || !*mac)
		return;
	mac_find(mac, at);
	why_set(out, "each boot is to bind the card %s, which is %s%s", mac,
		*at ? "at " : "not to be seen", at);
}

// Waits for an interface of the card: at boot its driver may come later than this program.
static void interface_wait(const char *pci)
{
	char interface[IF_NAMESIZE];
	for (unsigned i = 0; i < TRIES; i++) {
		interface_read(pci, interface);
		if (*interface)
			return;
		nanosleep(&(struct timespec){.tv_nsec = TRY_MS * 1000000L}, NULL);
	}
}

// Is another card at the address than the one that each boot is to bind? With `why`.
static bool is_other_card(const char *pci, char why[USE_MAX])
{
	char kept[MAC_TEXT_MAX] = "", mac[MAC_TEXT_MAX], card[NIC_WHY_MAX];
	card_describe(pci, kept, card);
	if (!*card)
		return false;
	interface_wait(pci);
	mac_read(pci, mac);
	if (!*mac || strcmp(mac, kept) == 0)
		return false;
	snprintf(why, USE_MAX,
		"another card is there, %s; %s (`weirctl nic bind %s` takes this one, at each boot "
		"too, `weirctl nic forget %s` neither)",
		mac, card, pci, pci);
	return true;
}

enum { SYSTEMCTL_MS = 30000 };

// Enables or disables the unit that repeats the bind at each boot. Needs root. False, with `why`.
static bool unit_enable(const char *pci, bool enable, char why[NIC_WHY_MAX])
{
	char path[SYSROOT_PATH_MAX];
	char unit[NIC_WORD_MAX];
	const char *verb = enable ? "enable" : "disable";
	snprintf(unit, sizeof(unit), "weir-nic@%s.service", pci);
	const char *const args[] = {"/usr/bin/systemctl", "--quiet", verb, unit, NULL};
	if (!nic_unit_is_possible()) {
		snprintf(why, NIC_WHY_MAX, "systemd does not manage this machine");
		return false;
	}
	int rc = program_run(args, SYSTEMCTL_MS);
	if (rc == 0 && !enable)
		(void)unlink(sysroot_path(path, NIC_CARDS "/%s", pci));
	if (rc == 0)
		return true;
	if (rc > 0)
		snprintf(why, NIC_WHY_MAX, "`systemctl %s %s` ends with status %d", verb, unit, rc);
	else
		snprintf(why, NIC_WHY_MAX, "`systemctl %s %s`: %s", verb, unit, strerror(-rc));
	return false;
}

enum { NOTE_MAX = USE_MAX + 64 };

static void status_before(const struct nic_device *d, char out[USE_MAX])
{
	if (nic_device_is_user_driver(d->driver))
		snprintf(out, USE_MAX, "bound to weir or another user program");
	else
		obstacles_find(d, out);
}

static void status_json(const struct nic_device *devices, unsigned count)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *list = json_put_array(json_doc_root(doc), "devices");
	char before[USE_MAX];
	for (unsigned i = 0; i < count; i++) {
		const struct nic_device *d = &devices[i];
		struct json_node *n = json_put_object(list, NULL);
		status_before(d, before);
		json_put_text(n, "device", d->pci);
		json_put_text(n, "driver", d->driver);
		json_put_text(n, "interface", d->interface);
		json_put_text(n, "numa_node", d->numa);
		json_put_text(n, "iommu_group", d->group);
		json_put_bool(n, "at_boot", nic_unit_is_enabled(d->pci));
		json_put_text(n, "before_bind", before);
	}
	json_doc_end(doc);
}

static void status_table(const struct nic_device *devices, unsigned count)
{
	static const char *const heads[] = {
		"device", "driver", "interface", "numa", "group", "at boot", "before a bind", NULL};
	struct table *t = table_new(heads);
	char before[USE_MAX];
	for (unsigned i = 0; i < count; i++) {
		const struct nic_device *d = &devices[i];
		status_before(d, before);
		table_cell(t, "%s", d->pci);
		table_cell(t, "%s", d->driver[0] ? d->driver : "-");
		table_cell(t, "%s", d->interface[0] ? d->interface : "-");
		table_cell(t, "%s", d->numa);
		table_cell(t, "%s", d->group[0] ? d->group : "-");
		table_cell(t, "%s", nic_unit_is_enabled(d->pci) ? "bound" : "-");
		table_cell(t, "%s", before[0] ? before : "-");
		table_row_end(t);
	}
	table_print(t);
}

static int cmd_nic_status(struct ctl *c)
{
	struct nic_device *devices = calloc(NIC_DEVICES_MAX, sizeof(*devices));
	if (!devices)
		return ctl_fail(c, "out of memory");
	unsigned count = nic_device_list(devices, NIC_DEVICES_MAX);
	if (c->json)
		status_json(devices, count);
	else if (count == 0)
		printf("no PCI network device\n");
	else
		status_table(devices, count);
	free(devices);
	return CTL_OK;
}

// Prints how a bind or unbind ended. `note`: what happens at the next boot, or "".
static void result_print(const struct nic_bind *b, const char *to, const char *note)
{
	const struct nic_device *d = &b->device;
	const char *from = d->driver[0] ? d->driver : "no driver";
	if (b->c->json) {
		struct json_doc *doc = json_doc_new();
		struct json_node *root = json_doc_root(doc);
		json_put_text(root, "device", d->pci);
		json_put_text(root, "from", d->driver);
		json_put_text(root, "to", b->to);
		json_put_bool(root, "dry_run", b->c->dry_run);
		json_put_bool(root, "at_boot", nic_unit_is_enabled(d->pci));
		json_put_text(root, "note", note);
		json_doc_end(doc);
		return;
	}
	if (strcmp(from, to) == 0)
		printf("%s is bound to %s already\n", d->pci, to);
	else
		printf("%s: %s -> %s%s\n", d->pci, from, to, b->c->dry_run ? " (dry run)" : "");
	if (*note)
		printf("%s\n", note);
}

// Is the bind not to be repeated at boot? After --force that needs a second command, so that a
// power cycle ends a lock-out.
static bool is_left_out(const struct nic_bind *b, const char *obstacles, char note[NOTE_MAX])
{
	char group[USE_MAX];
	group_find(&b->device, group);
	if (*group)
		snprintf(note, NOTE_MAX, "until the next boot, which refuses it: %s", group);
	else if (*obstacles)
		snprintf(note, NOTE_MAX,
			"until the next boot, because of --force; `weirctl nic remember %s` has "
			"each boot bind it",
			b->device.pci);
	return *group || *obstacles;
}

// Makes the next boot repeat the bind, or not. `note` says what the operator must know. CTL_OK;
// CTL_FAILED after an error message: systemd refused.
static int boot_set(
	const struct nic_bind *b, bool enable, const char *obstacles, char note[NOTE_MAX])
{
	char why[NIC_WHY_MAX];
	const char *pci = b->device.pci;
	*note = '\0';
	if (b->c->once || b->c->dry_run || nic_unit_is_enabled(pci) == enable)
		return CTL_OK;
	if (enable && strcmp(b->to, NIC_VFIO) != 0) {
		snprintf(note, NOTE_MAX,
			"until the next boot: the unit binds to " NIC_VFIO " alone");
		return CTL_OK;
	}
	if (enable && is_left_out(b, obstacles, note))
		return CTL_OK;
	if (!nic_unit_is_possible()) {
		snprintf(note, NOTE_MAX,
			"until the next boot: systemd does not manage this machine");
		return CTL_OK;
	}
	if (unit_enable(pci, enable, why)) {
		snprintf(note, NOTE_MAX, "%s",
			enable ? "each boot binds it again" : "no longer bound at boot");
		return CTL_OK;
	}
	return ctl_fail(b->c, "%s has the driver %s until the next boot: %s", pci, b->to, why);
}

// Says where the card is that each boot is to bind at an address without a device.
static int device_missing(struct ctl *c, const char *why)
{
	char pci[PCI_NAME_MAX], mac[MAC_TEXT_MAX], card[NIC_WHY_MAX] = "";
	if (pci_name_parse(c->operand, pci))
		card_describe(pci, mac, card);
	return ctl_fail(c, "%s%s%s", why, *card ? "; " : "", card);
}

static int cmd_nic_bind(struct ctl *c)
{
	const char *driver = c->type ? c->type : NIC_VFIO;
	struct nic_bind b = {.c = c};
	char why[NIC_WHY_MAX], note[NOTE_MAX], obstacles[USE_MAX], mac[MAC_TEXT_MAX];
	if (!nic_device_find(c->operand, &b.device, why))
		return device_missing(c, why);
	bool is_bound = strcmp(b.device.driver, driver) == 0;
	obstacles_find(&b.device, obstacles);
	if (!is_bound && obstacles[0] && !c->force)
		return ctl_fail(
			c, "%s: %s (--force binds it all the same)", b.device.pci, obstacles);
	if (!is_bound && c->once && !c->force && is_other_card(b.device.pci, obstacles))
		return ctl_fail(c, "%s: %s", b.device.pci, obstacles);
	mac_read(b.device.pci, mac); // a bind takes the interface
	if (bind_to(&b, driver) != CTL_OK || boot_set(&b, true, obstacles, note) != CTL_OK)
		return CTL_FAILED;
	if (!c->once && !c->dry_run && nic_unit_is_enabled(b.device.pci)
		&& !mac_keep(b.device.pci, mac, why))
		return ctl_fail(c, "%s: each boot binds it, but weir %s", b.device.pci, why);
	result_print(&b, b.to, note);
	if (!c->json && !c->dry_run && !is_bound)
		printf("weir.yaml: dataplane.ports: [{device: \"%s\", exception: weir0}]\n",
			b.device.pci);
	return CTL_OK;
}

static int cmd_nic_unbind(struct ctl *c)
{
	struct nic_bind b = {.c = c};
	char why[NIC_WHY_MAX], note[NOTE_MAX], use[USE_MAX];
	if (!nic_device_find(c->operand, &b.device, why))
		return ctl_fail(c, "%s", why);
	// A device that a driver of the kernel has would lose its addresses.
	if (nic_device_is_user_driver(b.device.driver))
		holder_find(&b.device, use);
	else
		use_find(&b.device, use);
	if (use[0] && !c->force)
		return ctl_fail(
			c, "%s: in use: %s (--force unbinds it all the same)", b.device.pci, use);
	if (bind_back(&b, c->type) != CTL_OK || boot_set(&b, false, "", note) != CTL_OK)
		return CTL_FAILED;
	const char *none = c->dry_run ? "what the kernel has for it" : "no driver";
	result_print(&b, b.to[0] ? b.to : none, note);
	return CTL_OK;
}

static int unit_change(struct ctl *c, bool enable)
{
	struct nic_device d;
	char why[NIC_WHY_MAX], group[USE_MAX] = "", mac[MAC_TEXT_MAX] = "";
	// The device of a forgotten bind may be gone from the machine.
	bool is_there = nic_device_find(c->operand, &d, why);
	if (!is_there && (enable || !pci_name_parse(c->operand, d.pci)))
		return ctl_fail(c, "%s", why);
	if (enable)
		group_find(&d, group);
	if (*group)
		return ctl_fail(c, "%s: each boot would refuse it: %s", d.pci, group);
	if (enable)
		mac_read(d.pci, mac);
	if (!unit_enable(d.pci, enable, why) || !mac_keep(d.pci, mac, why))
		return ctl_fail(c, "%s", why);
	if (c->json) {
		struct json_doc *doc = json_doc_new();
		json_put_text(json_doc_root(doc), "device", d.pci);
		json_put_bool(json_doc_root(doc), "at_boot", enable);
		json_doc_end(doc);
	} else {
		printf("%s: %s\n", d.pci,
			enable ? "each boot binds it to " NIC_VFIO : "no longer bound at boot");
	}
	return CTL_OK;
}

static int cmd_nic_remember(struct ctl *c)
{
	return unit_change(c, true);
}

static int cmd_nic_forget(struct ctl *c)
{
	return unit_change(c, false);
}

CTL_COMMANDS = {
	{"nic", "status", 0, 0, CTL_OPT_LOCAL, cmd_nic_status, "",
		"List the network devices: driver, interface, NUMA node, IOMMU group, and what "
		"stands in the way of a bind."},
	{"nic", "bind", 1, 2, CTL_OPT_FORCE | CTL_OPT_DRY_RUN | CTL_OPT_ONCE | CTL_OPT_LOCAL,
		cmd_nic_bind, "[--once] [--force] [--dry-run] DEVICE [DRIVER]",
		"Take a device (PCI address or interface) from the kernel, and bind it to vfio-pci "
		"or DRIVER, at each boot too; --once: until the next boot; --force: also one in "
		"use; --dry-run: only say what would change."},
	{"nic", "unbind", 1, 2, CTL_OPT_FORCE | CTL_OPT_DRY_RUN | CTL_OPT_ONCE | CTL_OPT_LOCAL,
		cmd_nic_unbind, "[--once] [--force] [--dry-run] DEVICE [DRIVER]",
		"Give a device back to the kernel: to DRIVER, or to the driver that knows it; "
		"--once: until the next boot."},
	{"nic", "remember", 1, 1, CTL_OPT_LOCAL, cmd_nic_remember, "DEVICE",
		"Bind a device to vfio-pci at each boot (weir-nic@DEVICE.service)."},
	{"nic", "forget", 1, 1, CTL_OPT_LOCAL, cmd_nic_forget, "DEVICE",
		"Stop binding a device at boot."},
};
