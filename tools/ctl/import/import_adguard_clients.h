// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The persistent clients of AdGuard Home. A client is a name; one with settings of its own gets a
// group, which all clients with the same settings share.

#include "import_yaml.h"

// After the lists, the services and safe search of everyone.
void import_adguard_clients(struct import_model *m, const struct yaml_tree *t);
// Names of services, as a list, or as the list `ids` of a mapping. A schedule there is a miss.
void import_adguard_services(struct import_model *m, const struct yaml_tree *t,
	const struct yaml_place *of, struct import_items *to);
// The mapping safe_search, where it is enabled. `says_off`: engines that are off are said to be.
void import_adguard_search(struct import_model *m, const struct yaml_tree *t,
	const struct yaml_place *of, struct import_items *to, bool says_off);
