// SPDX-License-Identifier: BSD-3-Clause

// The history of memory that a start finds in its state directory, changed anywhere, with sums that
// fit or do not: what is read is safe to draw lines through and to print, no part of it keeps what
// comes later out, and the next start reads back what this one wrote.
//
// The first byte: 1, the sums are made to fit; 2, the file ends where the next two say; the other
// bits, how the data plane is found and how it ended before. Then
// changes, each its place (two bytes), its length (one) and its bytes.

#include "controlplane/memory/memory_file.h"
#include "fuzz.h"
#include "tests/unit/cp/memory/sample_fill.h"

#include <fcntl.h>
#include <math.h>
#include <weir/keyhash.h>

enum {
	SEALED = 1,
	CUT = 2,
	FEW = 8,    // series
	LENGTH = 4, // samples in the ring
	HEAD = 32,
	SERIES = MEMORY_SERIES_MAX * sizeof(struct memory_series) + 8,
	LIVES = MEMORY_PROCESSES * sizeof(struct memory_lives) + 8,
	ROW = sizeof(struct memory_row) + 16,
	SIZE = HEAD + SERIES + LIVES + LENGTH * ROW,
};

static const uint64_t number_max = UINT64_C(1) << 48; // of an accepted sample
static uint8_t intact[SIZE], changed[SIZE];
static int file_fd;
static char folder[] = "/dev/shm/weir-fuzz-memory-XXXXXX", path[64];
static struct memory_ring ring, again;
static struct memory_lives all[MEMORY_PROCESSES], all_again[MEMORY_PROCESSES];
static struct memory_lives *const lives = &all[MEMORY_CONTROLPLANE];
static struct memory_row *rows, *rows_again;

// A sample of `count` series: with all of them every place for series is taken, as those of the
// file that is read are. Of both kinds in turn, as names of one kind alone are compared.
static void push(struct memory_file *f, struct memory_ring *r, const char *what, uint64_t minute,
	unsigned count)
{
	struct memory_sample s = {.uptime_ms = minute * 60000, .queries = minute};
	char name[MEMORY_NAME_MAX];
	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s %u", what, i);
		if (i % 2)
			memory_sample_bytes(&s, name, minute + i);
		else
			memory_sample_fill(&s, name, minute + i, minute + i);
	}
	memory_ring_push(r, &s, lives->next);
	FUZZ_CHECK(memory_file_row(f, r) == 0);
}

static void begin(struct memory_ring *r, struct memory_row *row, struct memory_lives *l)
{
	memset(row, 0, LENGTH * sizeof(*row));
	*r = (struct memory_ring){.length = LENGTH, .row = row};
	memset(l, 0, MEMORY_PROCESSES * sizeof(*l));
}

// In place: truncating and rewriting a file costs more than all other steps.
static void file_write(const uint8_t *data, size_t len)
{
	FUZZ_CHECK(ftruncate(file_fd, (off_t)len) == 0);
	FUZZ_CHECK(pwrite(file_fd, data, len, 0) == (ssize_t)len);
}

static void clean(void)
{
	unlink(path);
	rmdir(folder);
}

FUZZ_BEGIN
{
	struct memory_place place = {.boot = "here"};
	struct memory_file *f;
	FUZZ_CHECK(mkdtemp(folder));
	atexit(clean);
	snprintf(path, sizeof(path), "%s/history", folder);
	rows = calloc(LENGTH, sizeof(*rows));
	rows_again = calloc(LENGTH, sizeof(*rows_again));
	FUZZ_CHECK(rows && rows_again);
	begin(&ring, rows, all);
	FUZZ_CHECK(memory_file_open(&f, path, &ring, all) == 0);
	for (unsigned i = 0; i < 3; i++)
		(void)memory_life_begin(lives, &place);
	for (unsigned i = 0; i < LENGTH + 2; i++)
		push(f, &ring, "old", i, MEMORY_SERIES_MAX);
	FUZZ_CHECK(memory_file_lives(f, all) == 0);
	memory_file_close(f);
	file_fd = open(path, O_RDWR | O_CLOEXEC);
	FUZZ_CHECK(file_fd >= 0 && read(file_fd, intact, SIZE) == SIZE
		   && read(file_fd, changed, 1) == 0);
	return 0;
}

static void part_seal(uint8_t *part, size_t size)
{
	uint64_t sum = contenthash(part, size - sizeof(sum));
	memcpy(part + size - sizeof(sum), &sum, sizeof(sum));
}

static void seal(uint8_t *file)
{
	part_seal(file, HEAD);
	part_seal(file + HEAD, SERIES);
	part_seal(file + HEAD + SERIES, LIVES);
	for (unsigned i = 0; i < LENGTH; i++)
		part_seal(file + HEAD + SERIES + LIVES + i * (size_t)ROW, ROW);
}

static void change(const uint8_t *data, size_t len)
{
	while (len > 3) {
		size_t at = get_u16(data) % (size_t)SIZE, n = data[2];
		data += 3, len -= 3;
		n = n < len ? n : len;
		memcpy(changed + at, data, n < SIZE - at ? n : SIZE - at);
		data += n, len -= n;
	}
}

static void check_lines(const struct memory_ring *r)
{
	struct trend t;
	unsigned n = memory_ring_span(r, UINT64_MAX);
	FUZZ_CHECK(n <= LENGTH && isfinite(memory_ring_query_rate(r, n)));
	for (unsigned i = 0; i < MEMORY_SERIES_MAX; i++) {
		FUZZ_CHECK(memchr(r->series[i].name, '\0', MEMORY_NAME_MAX));
		memory_ring_trend(r, i, n, &t);
		FUZZ_CHECK(isfinite(t.slope) && isfinite(t.half) && t.samples <= n);
	}
}

static void check_lives(const struct memory_lives *l)
{
	const struct memory_life *life;
	for (unsigned back = 0; (life = memory_life_get(l, back)); back++) {
		FUZZ_CHECK(memchr(life->boot, '\0', MEMORY_BOOT_MAX));
		FUZZ_CHECK(memchr(life->version, '\0', MEMORY_VERSION_MAX));
		FUZZ_CHECK(memory_end_text(life->end)[0]);
	}
}

// What is seen of the data plane, by the first byte of the input, beside what the file says.
static struct memory_other other_of(uint8_t choice)
{
	const struct memory_life *last = memory_life_get(&all[MEMORY_DATAPLANE], 0);
	uint64_t last_id = last ? last->id : 0;
	return (struct memory_other){.is_there = !(choice & 16),
		.id = choice & 32 ? last_id : 7,
		.queries = 5,
		.ended = choice >> 2 & 3,
		.ended_id = choice & 64 ? last_id : 7,
		.former = choice >> 2 & 3,
		.former_id = choice & 128 ? last_id : 7};
}

static void live_other(const struct memory_place *place, uint8_t choice)
{
	struct memory_lives *l = &all[MEMORY_DATAPLANE];
	const struct memory_other other = other_of(choice);
	uint64_t before = l->next;
	bool goes_on = memory_lives_goes_on(l, &other);
	bool is_new = !goes_on && memory_lives_follow(l, &other, place);
	FUZZ_CHECK(memory_lives_goes_on(l, &other));
	FUZZ_CHECK(l->next >= before + is_new && l->next <= before + 2);
	memory_lives_saw(l, &other, place);
	FUZZ_CHECK(memory_lives_resume(l, &other) == other.is_there);
	const struct memory_life *last = memory_life_get(l, 0);
	FUZZ_CHECK(!other.is_there || (last->id == other.id && last->queries == other.queries));
	FUZZ_CHECK(memory_lives_goes_on(l, &other));
}

// A life on top of what was read. The series of its last sample have places, and any others would:
// to push as many as there are costs most of an execution.
static void live(struct memory_file *f, uint8_t choice)
{
	struct memory_place place = {.boot = "there"};
	struct memory_sample sample = {.queries = 3};
	memory_sample_bytes(&sample, "rss", 1 << 20);
	struct memory_life *own = memory_life_begin(lives, &place);
	memory_life_seen(own, &sample, &place);
	FUZZ_CHECK(own == memory_life_get(lives, 0) && own->rss == 1 << 20 && own->heap == 0);
	live_other(&place, choice);
	for (unsigned i = 0; i <= LENGTH; i++)
		push(f, &ring, "new", i, i < LENGTH ? 1 : FEW);
	FUZZ_CHECK(memory_file_lives(f, all) == 0);
	unsigned found = 0;
	for (unsigned i = 0; i < MEMORY_SERIES_MAX; i++) {
		const struct memory_series *s = &ring.series[i];
		bool is_new = memory_ring_row(&ring, 0)->value[i] != MEMORY_ABSENT;
		FUZZ_CHECK(is_new || !s->name[0] || s->last + LENGTH <= ring.next);
		FUZZ_CHECK(!is_new || strncmp(s->name, "new ", 4) == 0);
		found += is_new;
	}
	FUZZ_CHECK(found == FEW);
}

static void check_next_start(void)
{
	struct memory_file *f;
	begin(&again, rows_again, all_again);
	FUZZ_CHECK(memory_file_open(&f, path, &again, all_again) == 0);
	FUZZ_CHECK(memory_file_damaged(f) == 0);
	memory_file_close(f);
	for (unsigned i = 0; i < MEMORY_PROCESSES; i++)
		if (all[i].next <= number_max)
			FUZZ_CHECK(memcmp(&all[i], &all_again[i], sizeof(all[i])) == 0);
	if (ring.next > number_max)
		return;
	FUZZ_CHECK(again.next == ring.next);
	FUZZ_CHECK(memcmp(again.series, ring.series, sizeof(ring.series)) == 0);
	FUZZ_CHECK(memcmp(rows, rows_again, LENGTH * sizeof(*rows)) == 0);
}

FUZZ_BODY(data, len)
{
	struct memory_file *f;
	memcpy(changed, intact, SIZE);
	if (len > 3)
		change(data + 3, len - 3);
	if (len > 0 && data[0] & SEALED)
		seal(changed);
	bool as_it_was = memcmp(changed, intact, SIZE) == 0;
	size_t size = len > 2 && data[0] & CUT ? get_u16(data + 1) % (size_t)SIZE : (size_t)SIZE;
	file_write(changed, size);
	begin(&ring, rows, all);
	FUZZ_CHECK(memory_file_open(&f, path, &ring, all) == 0);
	FUZZ_CHECK(ring.next <= number_max && lives->next <= number_max);
	FUZZ_CHECK(all[MEMORY_DATAPLANE].next <= number_max);
	if (as_it_was && size == SIZE)
		FUZZ_CHECK(ring.next == LENGTH + 2 && lives->next == 3 && !memory_file_damaged(f));
	check_lines(&ring);
	for (unsigned i = 0; i < MEMORY_PROCESSES; i++)
		check_lives(&all[i]);
	live(f, len ? data[0] : 0);
	check_lines(&ring);
	memory_file_close(f);
	check_next_start();
	return 0;
}
