// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The sections `clients` and `groups`, and what a group has in common with `blocking`.

#include "import_model.h"

#include <stdio.h>

void import_write_engines(FILE *out, unsigned indent, const struct import_items *engines);
void import_write_services(FILE *out, unsigned indent, const struct import_items *services);
void import_write_servers(FILE *out, unsigned indent, const struct import_items *servers);
void import_write_clients(const struct import_model *m, FILE *out);
// Groups that have a client: weir refuses others, and the reader said why one has none.
void import_write_groups(const struct import_model *m, FILE *out);
