// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The grace of a clock that is not right yet. A machine without a battery clock boots in 1970, or
// at a time of long ago. Signatures of DNSSEC and certificates of upstream servers are outside
// their dates then, and a time service needs names before it can set the clock. During the grace
// weir does not check these dates; it checks names, chains, pins, keys and signatures as always.
//
// Evidence. The clock is behind if it is before the date of the program's file, or before the time
// that weir itself saved in its state directory: both moments have passed. Only a program that
// writes files of this machine, or sets its clock, makes such evidence; no packet does. The
// kernel's word that nothing keeps the clock (STA_UNSYNC) is no evidence: it is true of every
// machine without a time service, an attacker who drops the packets of NTP keeps it true, and the
// unit's ProtectClock forbids the call. So a clock that is behind, but after the saved time, is not
// found.
//
// A false time server that sets the clock back while weir runs gets no grace by it: weir decides
// when it starts, once for each boot of the machine. The saved file names the boot and the end of
// its grace, and is written before the grace begins; without that file, or without the id of the
// boot, there is no grace. The grace ends at the first look at a clock that has reached the
// evidence, and at its end by CLOCK_BOOTTIME at the latest. It never begins again in this process.
//
// The saved time is itself wrong if the clock was ahead when weir saved it. Such evidence lasts for
// one boot: after the grace weir saves what the clock shows. A later time that was saved in this
// boot, whose grace is over, is none: the clock was set, and which time was wrong is not known. The
// date of the program's file is evidence for CLOCK_BUILT_BOOTS boots until a clock has reached it:
// a date in the future gives no grace at each boot, and a machine that first boots without a
// network still gets another one.
//
// Any thread; clock_grace_begin before other threads run.

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>

enum { CLOCK_BOOT_MAX = 40, CLOCK_BUILT_BOOTS = 3 };

// The content of the saved file. Moments by the wall clock end in _s, by clock_mono_ms in _ms.
struct clock_saved {
	char boot[CLOCK_BOOT_MAX]; // id of the boot in which it was saved; "": nothing is saved
	int64_t unix_s;
	uint64_t until_ms; // end of that boot's grace; 0: it has none, or no more
	int64_t built_s;   // date of the program's file
	uint64_t boots;    // boots in a row with a clock before that date
};

struct clock_evidence {
	int64_t now_s, built_s; // built_s 0: not known
	uint64_t now_ms;
	const char *boot; // id of this boot; "": not known
	struct clock_saved saved;
};

// What to save for this boot: no grace yet, and `boots` with this one.
void clock_saved_begin(const struct clock_evidence *e, struct clock_saved *out);
// The time that has passed for certain: the later one of the two moments that count. The program's
// date does not in more than CLOCK_BUILT_BOOTS boots, the saved time not in its own boot without a
// grace.
int64_t clock_evident_s(const struct clock_evidence *e);
// When a grace of `ms` from now on, or the one that this boot has already, ends; 0: there is none.
uint64_t clock_grace_decide(const struct clock_evidence *e, uint64_t ms);

// Begins the grace: until_ms of clock_grace_decide; 0: there is none, and the evidence alone is
// kept.
void clock_grace_begin(uint64_t until_ms, int64_t evident_s);
// Is it on? False is the last word: it stays false.
bool clock_grace_is_on(void);
uint64_t clock_grace_left_ms(void); // 0: it is off
bool clock_is_behind(void);         // the clock is before the evidence, with a grace or without
// Unix seconds by the clock, or the evidence during the grace, for what has expired. Not longer:
// evidence that is wrong would keep for ever what has not expired.
int64_t clock_certain_s(void);

// The file of what is saved. Blocking file I/O of one page. A file that is absent or damaged reads
// as zeros. -errno with `why`.
enum { CLOCK_WHY_MAX = 256 };
void clock_saved_read(struct clock_saved *out, const char *path);
ATTR_MUST_CHECK int clock_saved_write(
	const struct clock_saved *s, const char *path, char why[CLOCK_WHY_MAX]);
