// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The cores of the workers.

#include "doctor.h"

// The workers' cores: of the running data plane, else of the configuration. 0: reported, as nobody
// knows them. Else their number.
unsigned doctor_cores_of_workers(struct doctor *d, unsigned out[CONFIG_WORKERS_MAX]);
