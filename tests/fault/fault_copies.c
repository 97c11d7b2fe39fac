// SPDX-License-Identifier: BSD-3-Clause

// Copies of lists: whenever the build that makes them dies, each copy is what its list had at one
// time, whole, or is not there; the next build makes it, and leaves nothing else.

#include "controlplane/lists/fetch/list_files.h"
#include "fault_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROUNDS = 55, LINES = 300, TEXT_MAX = LINES * 24, LISTS = 3, STAY = 2 };

struct ledger {
	unsigned done[LISTS], trying[LISTS]; // number of the list's content, 0: none
};

static struct ledger *ledger;
static char state[SHM_PATH_MAX], path[LISTS][SHM_PATH_MAX + 32], kept[LISTS][PATH_MAX];
static struct rule_source source[LISTS]; // local, stored, and one that comes and goes

static void prepare(void)
{
	static const char *const title[LISTS] = {"local", "stored", "leaves"};
	char why[LIST_STORE_WHY_MAX];
	memset(ledger, 0, sizeof(*ledger));
	snprintf(state, sizeof(state), "%s", fault_folders()->run);
	FAULT_CHECK(list_store_open(state, why) == 0);
	for (unsigned i = 0; i < LISTS; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/list%u", state, i);
		source[i] = (struct rule_source){
			.title = title[i], .path = path[i], .kept = kept[i], .stored = i == 1};
		FAULT_CHECK(list_kept_path(kept[i], state, &source[i]) == 0);
	}
}

static size_t text_of(unsigned list, unsigned n, char out[TEXT_MAX])
{
	size_t len = 0;
	for (unsigned i = 0; i < LINES; i++)
		len += (size_t)snprintf(out + len, TEXT_MAX - len, "%u.%u.%u.test\n", i, list, n);
	return len;
}

// As weir and its operators do: a stored list is replaced, a local one may be written in place.
static uint64_t list_write(unsigned list, unsigned n)
{
	char text[TEXT_MAX];
	uint64_t size, hash;
	size_t len = text_of(list, n, text);
	if (source[list].stored)
		(void)unlink(path[list]);
	int fd = open(path[list], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FAULT_CHECK(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	// No two contents with one time, however coarse the clock is.
	FAULT_CHECK(futimens(fd, (const struct timespec[2]){{.tv_sec = n}, {.tv_sec = n}}) == 0);
	FAULT_CHECK(list_store_hash(fd, &size, &hash) == 0 && size == len);
	close(fd);
	return hash;
}

static void take(unsigned list)
{
	unsigned n = ledger->trying[list] + 1;
	uint64_t hash = list_write(list, n);
	ledger->trying[list] = n;
	FAULT_CHECK(list_kept_take(state, &source[list], hash, 0) == 0);
	ledger->done[list] = n;
}

static void build(unsigned lists)
{
	if (lists < LISTS)
		ledger->done[STAY] = 0;
	list_kept_prune(state, source, lists);
	for (unsigned i = 0; i < lists; i++)
		take(i);
}

static void work(void)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		build(i % 2 ? STAY : LISTS);
}

static bool is_content(unsigned list, unsigned n, const char *text, size_t len)
{
	char want[TEXT_MAX];
	return n > 0 && len == text_of(list, n, want) && memcmp(text, want, len) == 0;
}

// Returns the bytes of the copy.
static size_t look(unsigned list)
{
	char text[TEXT_MAX];
	int fd = open(kept[list], O_RDONLY | O_CLOEXEC);
	FAULT_CHECK(fd >= 0 || (errno == ENOENT && ledger->done[list] == 0));
	if (fd < 0)
		return 0;
	ssize_t len = read(fd, text, sizeof(text));
	close(fd);
	bool is_gone = list == STAY && ledger->done[list] == 0; // being removed: what it had
	bool is = is_content(list, ledger->trying[list], text, (size_t)len)
		  || is_content(list, ledger->done[list], text, (size_t)len);
	FAULT_CHECK(
		len > 0
		&& (is
			|| (is_gone && ledger->trying[list] > 1
				&& is_content(list, ledger->trying[list] - 1, text, (size_t)len))));
	return (size_t)len;
}

static void audit(enum fault_site)
{
	for (unsigned i = 0; i < LISTS; i++)
		(void)look(i);
	for (unsigned round = 0; round < 2; round++) {
		size_t bytes = 0;
		build(round ? STAY : LISTS);
		for (unsigned i = 0; i < LISTS; i++)
			bytes += look(i);
		FAULT_CHECK(list_kept_bytes(state) == bytes); // no temporary file stays
	}
	FAULT_CHECK(access(kept[STAY], F_OK) != 0);
}

FAULT_MAIN("copies", 1u << FAULT_GROUP_COPIES, ledger = fault_shared(sizeof(*ledger)))
