// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A shorter calibration of the TSC at EAL's start.
//
// Where the CPU does not state its TSC's frequency (virtual machines, AMD, most of the rest), EAL
// counts cycles over nanosleep(100 ms), rounds to 10 MHz, and offers no setting (get_tsc_freq in
// lib/eal/linux/eal_timer.c, DPDK 22.11). That is half of a data plane's start. So the program
// defines nanosleep itself, which EAL's library then calls: between eal_tsc_begin and eal_tsc_end
// a sleep of exactly that length lasts EAL_TSC_SLEEP_MS. EAL divides by the time that really
// passed, so a wrong step of 10 MHz takes a delay of 10 us between two adjacent instructions.
// All other sleeps, of any thread, are nanosleep(2).

enum { EAL_TSC_SLEEP_MS = 5 };

void eal_tsc_begin(void);
void eal_tsc_end(void);
