// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The domains of the services of <weir/service_names.h>: those that a service needs and that are
// its own, each with all names below. Domains that others need too (content networks, a maker's
// other products) are left out, so a service may go on working in part.
//
// The table is written by hand. Its one reference is https://github.com/v2fly/domain-list-community
// (MIT): tools/services compares the table with a checkout of it, and a person decides what of the
// difference belongs to the service alone.

#include <weir/dns_name.h>
#include <weir/service_names.h>

// Hands each domain to `take`, one at least, and stops with what that returns if it is not 0.
// `service` below SERVICE_COUNT.
int services_table_each(
	unsigned service, int (*take)(void *arg, const struct dns_name *name), void *arg);
