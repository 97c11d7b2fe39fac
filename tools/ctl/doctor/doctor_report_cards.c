// SPDX-License-Identifier: BSD-3-Clause
// What the report says of network cards and of ports: models and drivers, no names and addresses.

#include "doctor_port.h"
#include "doctor_public.h"
#include "doctor_report.h"
#include "lib/sysroot.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CARDS_MAX = 32 };

struct card {
	const char *bus;
	char model[PUBLIC_MAX], driver[PUBLIC_MAX]; // "8086:1521"; "": the bus has no such numbers
	int node;
	unsigned queues, count; // receive queues of the interface; how many cards are the same
};

// "0x8086" and "0x1521", or "0bda" and "8153", in two files of a folder.
static void model_read(
	const char *folder, const char *vendor, const char *device, char out[PUBLIC_MAX])
{
	char of[2][16] = {"", ""}, said[PUBLIC_MAX];
	(void)sysroot_line(of[0], sizeof(of[0]), "%s/%s", folder, vendor);
	(void)sysroot_line(of[1], sizeof(of[1]), "%s/%s", folder, device);
	for (unsigned i = 0; i < 2; i++)
		if (strncmp(of[i], "0x", 2) == 0)
			memmove(of[i], of[i] + 2, strlen(of[i] + 2) + 1);
	snprintf(said, sizeof(said), "%s%s%s", of[0], *of[0] && *of[1] ? ":" : "", of[1]);
	public_word(said, out);
}

static unsigned queues_count(const char *interface)
{
	char pattern[SYSROOT_PATH_MAX];
	snprintf(pattern, sizeof(pattern), "/sys/class/net/%s/queues/rx-*", interface);
	return *interface ? (unsigned)doctor_files_count(pattern) : 0;
}

// Counts it beside the same ones; one too many is left out.
static void card_add(struct card *cards, unsigned *count, const struct card *one)
{
	unsigned i = 0;
	while (i < *count
		&& !(strcmp(cards[i].bus, one->bus) == 0 && strcmp(cards[i].model, one->model) == 0
			&& strcmp(cards[i].driver, one->driver) == 0 && cards[i].node == one->node
			&& cards[i].queues == one->queues))
		i++;
	if (i == CARDS_MAX)
		return;
	if (i == *count)
		cards[(*count)++] = *one;
	cards[i].count++;
}

static void card_of_pci(const struct nic_device *nic, struct card *out)
{
	char folder[SYSROOT_PATH_MAX];
	*out = (struct card){.bus = "PCI", .node = atoi(nic->numa)};
	snprintf(folder, sizeof(folder), NIC_DEVICES "/%s", nic->pci);
	model_read(folder, "vendor", "device", out->model);
	public_word(nic->driver, out->driver);
	out->queues = queues_count(nic->interface);
}

// Of an interface with a driver of its own and no PCI device: USB, or part of the board. False: it
// is another one.
static bool card_of_interface(const char *interface, struct card *out)
{
	char driver[NIC_WORD_MAX], why[NIC_WHY_MAX], folder[SYSROOT_PATH_MAX];
	struct nic_device nic;
	if (sysroot_link(driver, sizeof(driver), "/sys/class/net/%s/device/driver", interface)
		|| nic_device_find(interface, &nic, why))
		return false;
	*out = (struct card){.bus = "board", .node = -1};
	snprintf(folder, sizeof(folder), "/sys/class/net/%s/device/..", interface);
	model_read(folder, "idVendor", "idProduct", out->model);
	if (*out->model)
		out->bus = "USB";
	public_word(driver, out->driver);
	out->queues = queues_count(interface);
	return true;
}

static unsigned cards_find(struct card cards[CARDS_MAX])
{
	char pattern[SYSROOT_PATH_MAX];
	struct nic_device *nics = calloc(NIC_DEVICES_MAX, sizeof(*nics));
	const unsigned devices = nics ? nic_device_list(nics, NIC_DEVICES_MAX) : 0;
	unsigned count = 0;
	struct card one;
	glob_t found;
	for (unsigned i = 0; i < devices; i++) {
		card_of_pci(&nics[i], &one);
		card_add(cards, &count, &one);
	}
	free(nics);
	if (glob(sysroot_path(pattern, "/sys/class/net/*"), 0, NULL, &found) != 0)
		return count;
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (card_of_interface(strrchr(found.gl_pathv[i], '/') + 1, &one))
			card_add(cards, &count, &one);
	globfree(&found);
	return count;
}

// A device of DPDK without hardware: its kind is the beginning of its name.
static const char *virtual_kind(const char *device)
{
	static const char *const kinds[] = {"net_af_packet", "net_af_xdp", "net_memif", "net_null",
		"net_pcap", "net_ring", "net_tap", "net_vhost", "net_virtio_user"};
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		if (strncmp(device, kinds[i], strlen(kinds[i])) == 0)
			return kinds[i];
	return "other";
}

static void port_put(struct json_node *list, const struct config_port *p)
{
	char pci[PCI_NAME_MAX], name[NIC_WORD_MAX], driver[NIC_WORD_MAX], why[NIC_WHY_MAX];
	char said[PUBLIC_MAX] = "";
	struct json_node *n = json_put_object(list, NULL);
	struct nic_device nic;
	const bool is_pci = doctor_port_is_pci(p, pci);
	json_put_text(n, "kind", p->xdp ? "xdp" : is_pci ? "PCI" : virtual_kind(p->device));
	if (p->xdp
		&& sysroot_link(driver, sizeof(driver), "/sys/class/net/%s/device/driver",
			   doctor_port_name(p->xdp, name))
			   == 0)
		public_word(driver, said);
	else if (is_pci && nic_device_find(pci, &nic, why))
		public_word(nic.driver, said);
	json_put_text(n, "driver", said);
	json_put_bool(n, "exception", p->exception[0]);
	json_put_bool(n, "vlans", p->has_vlans);
}

void doctor_report_cards(const struct doctor *d, struct json_node *root)
{
	struct card cards[CARDS_MAX];
	const unsigned count = cards_find(cards);
	struct json_node *list = json_put_array(root, "cards");
	for (unsigned i = 0; i < count; i++) {
		struct json_node *n = json_put_object(list, NULL);
		json_put_text(n, "bus", cards[i].bus);
		json_put_text(n, "model", cards[i].model);
		json_put_text(n, "driver", cards[i].driver);
		json_put_count(n, "receive_queues", cards[i].queues);
		if (cards[i].node >= 0)
			json_put_count(n, "memory_node", (uint64_t)cards[i].node);
		json_put_count(n, "count", cards[i].count);
	}
	list = json_put_array(root, "ports");
	if (!d->config)
		return;
	const struct config_dataplane *dp = &d->config->dataplane;
	for (unsigned i = 0; i < dp->port_count; i++)
		port_put(list, &dp->ports[i]);
	if (!dp->workers_auto)
		json_put_count(root, "workers", dp->worker_count);
}
