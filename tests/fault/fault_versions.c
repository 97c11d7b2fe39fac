// SPDX-License-Identifier: BSD-3-Clause

// Versions of the configuration: whenever their writer dies, a start uses one whole version, the
// one before the change or the new one, and the next change succeeds.

#include "controlplane/versions/version_store.h"
#include "fault_run.h"

#include <stdio.h>
#include <string.h>

enum { CHANGES = 30 };

struct ledger {
	unsigned done, trying; // number of the version, 0: none
};

static struct ledger *ledger;
static const char *state;
static char folder[CONFIG_VERSION_FOLDER_MAX], file[SHM_PATH_MAX + 32];

static void config_write(unsigned number)
{
	FILE *f = fopen(file, "w");
	FAULT_CHECK(f);
	FAULT_CHECK(fprintf(f,
			    "runtime: {state_directory: %s}\n"
			    "dataplane: {ports: [{device: net_null0}], service_addresses: "
			    "[198.18.0.53/24]}\n"
			    "upstreams: {servers: [{address: 9.9.9.9}]}\n"
			    "cache: {min_ttl: %u}\n",
			    state, number)
		    > 0);
	FAULT_CHECK(fclose(f) == 0);
}

static void prepare(void)
{
	char why[FILE_WRITE_WHY_MAX];
	memset(ledger, 0, sizeof(*ledger));
	state = fault_folders()->run;
	snprintf(file, sizeof(file), "%s/weir.yaml", state);
	FAULT_CHECK(config_versions_folder(folder, state) == 0);
	FAULT_CHECK(version_store_open(folder, state, why) == 0);
}

// What an apply writes, in its order.
static void change(void)
{
	struct config_version v = {.before = ledger->done, .who = "uid 0"};
	struct config_errors errors;
	struct config_bundle b;
	struct config *c;
	char why[CONFIG_WHY_MAX];
	v.number = version_store_newest(folder) + 1;
	config_write(v.number);
	ledger->trying = v.number;
	FAULT_CHECK(config_bundle_read(file, NULL, CONFIG_SECRETS_ALL, &b, &c, &errors) == 0);
	FAULT_CHECK(version_store_put(folder, &v, &b, why) == 0);
	FAULT_CHECK(version_store_switch(folder, v.number, why) == 0);
	ledger->done = v.number;
	version_store_prune(folder, v.number, v.before, 0);
	FAULT_CHECK(version_store_settle(folder, v.number, CONFIG_VERSION_applied, "", why) == 0);
	config_bundle_free(&b);
	config_free(c);
}

static void work(void)
{
	for (unsigned i = 0; i < CHANGES; i++)
		change();
}

// The file on disk is that of the change that was tried last; a start does not look at it once
// there was a version.
static void start(void)
{
	struct config_start s;
	char why[CONFIG_WHY_MAX];
	if (ledger->trying == 0)
		return;
	FAULT_CHECK(config_start(file, CONFIG_SECRETS_ALL, &s, why) == 0);
	const unsigned number = s.version.number;
	FAULT_CHECK(number == ledger->done || number == ledger->trying);
	FAULT_CHECK(s.config->cache.min_ttl_s == (number ? number : ledger->trying));
	FAULT_CHECK(s.skipped[0] == '\0');
	config_free(s.config);
	config_start_free(&s);
	ledger->done = number;
}

static void audit(enum fault_site)
{
	start();
	for (unsigned i = 0; i < 2; i++) {
		change();
		FAULT_CHECK(ledger->done == ledger->trying);
		start();
	}
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	FAULT_CHECK(config_versions_list(folder, numbers) <= CONFIG_VERSIONS_KEPT + 1);
}

FAULT_MAIN("versions", 1u << FAULT_GROUP_VERSIONS, ledger = fault_shared(sizeof(*ledger)))
