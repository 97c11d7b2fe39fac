// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The readers, one for each resolver whose configuration weirctl imports. Each reads one file (or
// folder) and fills the model; m->place is its path. 0, or -errno with a sentence in `why` when the
// file cannot be read or is not of that program. What it cannot express it notes as a miss.

#include "import_model.h"

enum { IMPORT_WHY_MAX = 400 };

int import_pihole(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX]);
int import_adguard(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX]);
int import_unbound(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX]);
int import_dnsmasq(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX]);
int import_blocky(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX]);
int import_technitium(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX]);
int import_beyond_ads(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX]);
