// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// dnsmasq's options that are records: host-record, cname, txt-record, ptr-record, mx-host,
// srv-host, caa-record.

#include "import_model.h"

// False: another option. The text is changed.
bool import_dnsmasq_record(struct import_model *m, const char *key, char *value);
