// SPDX-License-Identifier: BSD-3-Clause
#include "nic_bind.h"

#include "lib/passwd_find.h"
#include "lib/program.h"
#include "lib/sysroot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MODPROBE_MS = 10000, TRIES = 20, TRY_MS = 100, NODE_MODE = 0660 };

static const char process_user[] = "weir-dp";

// What a dry run would do goes to standard error with --json.
#define WOULD(b, ...) fprintf((b)->c->json ? stderr : stdout, "would " __VA_ARGS__)

// The one place that writes to sysfs. 0 or -errno; -EIO: cut short.
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

// An empty line takes an override away.
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

// Drivers may probe asynchronously. With `driver` NULL any will do; "": none.
static bool is_taken_by(struct nic_bind *b, const char *driver)
{
	for (unsigned i = 0; i < TRIES; i++) {
		nic_device_driver(b->device.pci, b->to);
		if (driver ? strcmp(b->to, driver) == 0 : b->to[0])
			return true;
		nanosleep(&(struct timespec){.tv_nsec = TRY_MS * 1000000L}, NULL);
	}
	return false;
}

// Away from the driver that has it, which may be another one than when the device was read: at boot
// udev binds it at the same time.
static int release(struct nic_bind *b, const char *driver)
{
	if (driver_write(b, driver, "unbind") != CTL_OK)
		return CTL_FAILED;
	if (b->c->dry_run || is_taken_by(b, ""))
		return CTL_OK;
	return ctl_fail(b->c, "%s: %s does not let it go", b->device.pci, driver);
}

// With the override in place.
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
	else if (!is_taken_by(b, driver))
		return ctl_fail(
			b->c, "%s: %s did not take it (dmesg says why)", b->device.pci, driver);
	return CTL_OK;
}

// A device that no driver has goes to the one that knows it.
static void give_up(const struct nic_bind *b)
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

// The override comes first: between the other two writes no other driver can take the device.
static int hand_over(struct nic_bind *b, const char *driver)
{
	if (override_write(b, driver) != CTL_OK)
		return CTL_FAILED;
	int rc = driver_change(b, driver);
	if (rc != CTL_OK)
		give_up(b);
	return rc;
}

// A data plane that is not root opens the node of the device's group. Nothing on machines without
// that user: there weir runs as root.
static int node_give(struct nic_bind *b)
{
	struct passwd_user user;
	struct stat st;
	char path[SYSROOT_PATH_MAX];
	if (!b->device.group[0] || !passwd_find(process_user, 0, &user))
		return CTL_OK;
	if (b->c->dry_run) {
		WOULD(b, "give /dev/vfio/%s to %s, mode %04o\n", b->device.group, process_user,
			NODE_MODE);
		return CTL_OK;
	}
	sysroot_path(path, "/dev/vfio/%s", b->device.group);
	bool ok = lstat(path, &st) == 0;
	// The mode first: later the node is another user's.
	if (ok && (st.st_mode & 07777) != NODE_MODE)
		ok = chmod(path, NODE_MODE) == 0;
	if (ok && (st.st_uid != user.uid || st.st_gid != user.gid))
		ok = lchown(path, user.uid, user.gid) == 0;
	return ok ? CTL_OK
		  : ctl_fail(b->c, "%s is bound, but %s cannot be given to the user %s: %s",
			  b->device.pci, path, process_user, strerror(errno));
}

int nic_bind_to(struct nic_bind *b, const char *driver)
{
	bool is_bound = strcmp(b->device.driver, driver) == 0;
	if (is_bound)
		snprintf(b->to, sizeof(b->to), "%s", driver);
	else if (driver_load(b, driver) != CTL_OK || hand_over(b, driver) != CTL_OK)
		return CTL_FAILED;
	return strcmp(driver, NIC_VFIO) == 0 ? node_give(b) : CTL_OK;
}

int nic_bind_back(struct nic_bind *b, const char *driver)
{
	if (driver) {
		if (driver_load(b, driver) != CTL_OK || hand_over(b, driver) != CTL_OK)
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
		(void)is_taken_by(b, NULL); // without one it is nobody's
	return CTL_OK;
}
