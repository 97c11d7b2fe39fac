// SPDX-License-Identifier: BSD-3-Clause

// `weirctl nic`: gives a network card to weir and takes it back, with the checks that keep
// operators from locking themselves out. docs/how-to/nic.md is the guide.

#include "lib/ctl.h"
#include "lib/json_doc.h"
#include "lib/table_out.h"
#include "nic_bind.h"
#include "nic_unit.h"
#include "nic_use.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NIC_NOTE_MAX = NIC_USE_MAX + 64 };

static void status_before(const struct nic_device *d, char out[NIC_USE_MAX])
{
	if (nic_device_is_user_driver(d->driver))
		snprintf(out, NIC_USE_MAX, "bound to weir or another user program");
	else
		nic_use_obstacles(d, out);
}

static void status_json(const struct nic_device *devices, unsigned count)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *list = json_put_array(json_doc_root(doc), "devices");
	char before[NIC_USE_MAX];
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
	char before[NIC_USE_MAX];
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

int cmd_nic_status(struct ctl *c)
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

// How a bind or unbind ended. `note`: what is to be known about the next boot, or "".
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

// What was overridden by --force takes a second command to last: a power cycle undoes a lock-out.
static bool is_left_out(const struct nic_bind *b, const char *obstacles, char note[NIC_NOTE_MAX])
{
	char group[NIC_USE_MAX];
	nic_use_group(&b->device, group);
	if (*group)
		snprintf(note, NIC_NOTE_MAX, "until the next boot, which refuses it: %s", group);
	else if (*obstacles)
		snprintf(note, NIC_NOTE_MAX,
			"until the next boot, because of --force; `weirctl nic remember %s` has "
			"each boot bind it",
			b->device.pci);
	return *group || *obstacles;
}

// Has the next boot repeat the bind, or not. `note` says what the operator must know. CTL_OK;
// CTL_FAILED (said): systemd refused.
static int boot_set(
	const struct nic_bind *b, bool enable, const char *obstacles, char note[NIC_NOTE_MAX])
{
	char why[NIC_WHY_MAX];
	const char *pci = b->device.pci;
	*note = '\0';
	if (b->c->once || b->c->dry_run || nic_unit_is_enabled(pci) == enable)
		return CTL_OK;
	if (enable && strcmp(b->to, NIC_VFIO) != 0) {
		snprintf(note, NIC_NOTE_MAX,
			"until the next boot: the unit binds to " NIC_VFIO " alone");
		return CTL_OK;
	}
	if (enable && is_left_out(b, obstacles, note))
		return CTL_OK;
	if (!nic_unit_is_possible()) {
		snprintf(note, NIC_NOTE_MAX,
			"until the next boot: systemd does not manage this machine");
		return CTL_OK;
	}
	if (nic_unit_enable(pci, enable, why)) {
		snprintf(note, NIC_NOTE_MAX, "%s",
			enable ? "each boot binds it again" : "no longer bound at boot");
		return CTL_OK;
	}
	return ctl_fail(b->c, "%s has the driver %s until the next boot: %s", pci, b->to, why);
}

int cmd_nic_bind(struct ctl *c)
{
	const char *driver = c->type ? c->type : NIC_VFIO;
	struct nic_bind b = {.c = c};
	char why[NIC_WHY_MAX], note[NIC_NOTE_MAX], obstacles[NIC_USE_MAX];
	if (!nic_device_find(c->operand, &b.device, why))
		return ctl_fail(c, "%s", why);
	bool is_bound = strcmp(b.device.driver, driver) == 0;
	nic_use_obstacles(&b.device, obstacles);
	if (!is_bound && obstacles[0] && !c->force)
		return ctl_fail(
			c, "%s: %s (--force binds it all the same)", b.device.pci, obstacles);
	if (nic_bind_to(&b, driver) != CTL_OK || boot_set(&b, true, obstacles, note) != CTL_OK)
		return CTL_FAILED;
	result_print(&b, b.to, note);
	if (!c->json && !c->dry_run && !is_bound)
		printf("weir.yaml: dataplane.ports: [{device: \"%s\", exception: weir0}]\n",
			b.device.pci);
	return CTL_OK;
}

int cmd_nic_unbind(struct ctl *c)
{
	struct nic_bind b = {.c = c};
	char why[NIC_WHY_MAX], note[NIC_NOTE_MAX], use[NIC_USE_MAX];
	if (!nic_device_find(c->operand, &b.device, why))
		return ctl_fail(c, "%s", why);
	// One that the kernel has would lose its addresses on the way there and back.
	if (nic_device_is_user_driver(b.device.driver))
		nic_use_holder(&b.device, use);
	else
		nic_use_find(&b.device, use);
	if (use[0] && !c->force)
		return ctl_fail(
			c, "%s: in use: %s (--force unbinds it all the same)", b.device.pci, use);
	if (nic_bind_back(&b, c->type) != CTL_OK || boot_set(&b, false, "", note) != CTL_OK)
		return CTL_FAILED;
	const char *none = c->dry_run ? "what the kernel has for it" : "no driver";
	result_print(&b, b.to[0] ? b.to : none, note);
	return CTL_OK;
}

static int unit_change(struct ctl *c, bool enable)
{
	struct nic_device d;
	char why[NIC_WHY_MAX], group[NIC_USE_MAX] = "";
	// The device of a forgotten bind may be gone from the machine.
	bool is_there = nic_device_find(c->operand, &d, why);
	if (!is_there && (enable || !pci_name_parse(c->operand, d.pci)))
		return ctl_fail(c, "%s", why);
	if (enable)
		nic_use_group(&d, group);
	if (*group)
		return ctl_fail(c, "%s: each boot would refuse it: %s", d.pci, group);
	if (!nic_unit_enable(d.pci, enable, why))
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

int cmd_nic_remember(struct ctl *c)
{
	return unit_change(c, true);
}

int cmd_nic_forget(struct ctl *c)
{
	return unit_change(c, false);
}
