// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Pi-hole's settings: pihole.toml of version 6, setupVars.conf and pihole-FTL.conf of version 5.

#include "import_sources.h"

// The text is changed. Returns the number of values in it.
unsigned import_pihole_toml(struct import_model *m, char *text);
// A line KEY=value. The text is changed.
void import_pihole_setting(struct import_model *m, const char *path, char *line);
// What Pi-hole does without a setting. After the last file.
void import_pihole_defaults(struct import_model *m);
