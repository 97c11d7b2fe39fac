// SPDX-License-Identifier: BSD-3-Clause
#include "nic_unit.h"

#include "lib/program.h"
#include "lib/sysroot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SYSTEMCTL_MS = 30000 };

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

bool nic_unit_enable(const char *pci, bool enable, char why[NIC_WHY_MAX])
{
	char unit[NIC_WORD_MAX];
	const char *verb = enable ? "enable" : "disable";
	snprintf(unit, sizeof(unit), "weir-nic@%s.service", pci);
	const char *const args[] = {"/usr/bin/systemctl", "--quiet", verb, unit, NULL};
	if (!nic_unit_is_possible()) {
		snprintf(why, NIC_WHY_MAX, "systemd does not manage this machine");
		return false;
	}
	int rc = program_run(args, SYSTEMCTL_MS);
	if (rc == 0)
		return true;
	if (rc > 0)
		snprintf(why, NIC_WHY_MAX, "`systemctl %s %s` ends with status %d", verb, unit, rc);
	else
		snprintf(why, NIC_WHY_MAX, "`systemctl %s %s`: %s", verb, unit, strerror(-rc));
	return false;
}
