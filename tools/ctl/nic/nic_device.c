// SPDX-License-Identifier: BSD-3-Clause
#include "nic_device.h"

#include "lib/sysroot.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

bool nic_device_is_bridge(const char *pci)
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

void nic_device_driver(const char *pci, char out[NIC_WORD_MAX])
{
	(void)sysroot_link(out, NIC_WORD_MAX, NIC_DEVICES "/%s/driver", pci);
}

// The first of them, below the device or its virtio device.
static void interface_read(const char *pci, char out[IF_NAMESIZE])
{
	static const char *const places[] = {"net", "virtio*/net"};
	char pattern[SYSROOT_PATH_MAX];
	*out = '\0';
	for (unsigned i = 0; i < ARRAY_LEN(places) && !*out; i++) {
		glob_t found;
		sysroot_path(pattern, NIC_DEVICES "/%s/%s/*", pci, places[i]);
		if (glob(pattern, 0, NULL, &found) != 0)
			continue;
		snprintf(out, IF_NAMESIZE, "%s", last_part(found.gl_pathv[0]));
		globfree(&found);
	}
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

// The PCI device behind an interface. A virtio device lies below its PCI device.
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
