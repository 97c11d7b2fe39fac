// SPDX-License-Identifier: BSD-3-Clause
#include "library_double.h"

#include "tests/unit/unit.h"

struct library_double library_double;

static int one[DOUBLE_LIBRARIES];

int library_open(struct library **out, struct event_base *base, const char *config, size_t len)
{
	assert_non_null(base);
	assert_true(len < sizeof(library_double.config));
	memcpy(library_double.config, config, len);
	library_double.config[len] = '\0';
	library_double.open++;
	*out = (struct library *)&one[library_double.opened++ % DOUBLE_LIBRARIES];
	return 0;
}

void library_close(struct library *l)
{
	const struct library_answer none = {.rcode = 2};

	if (!l)
		return;
	for (unsigned i = library_double.calls; i-- > 0;)
		if (library_double.call[i].of == l)
			library_double_answer(i, &none);
	library_double.open--;
}

void library_watch(struct library *l, library_peer_fn fn, void *arg)
{
	assert_non_null(l);
	library_double.met = fn;
	library_double.met_arg = arg;
}

int library_apply(struct library *l)
{
	assert_non_null(l);
	return library_double.apply_error;
}

int library_ask(
	struct library *l, const char *name, uint16_t qtype, library_answer_fn done, void *arg)
{
	const unsigned i = library_double.calls;

	assert_non_null(l);
	if (library_double.ask_error)
		return library_double.ask_error;
	assert_true(i < DOUBLE_CALLS);
	library_double.call[i].of = l;
	snprintf(library_double.call[i].name, sizeof(library_double.call[i].name), "%s", name);
	library_double.call[i].qtype = qtype;
	library_double.call[i].done = done;
	library_double.call[i].arg = arg;
	library_double.calls++;
	return 0;
}

void library_double_answer(unsigned i, const struct library_answer *answer)
{
	const library_answer_fn done = library_double.call[i].done;
	void *arg = library_double.call[i].arg;

	assert_true(i < library_double.calls);
	library_double.calls--;
	memmove(&library_double.call[i], &library_double.call[i + 1],
		(library_double.calls - i) * sizeof(library_double.call[0]));
	done(arg, answer);
}

struct library_memory library_memory(const struct library *l)
{
	return l ? library_double.memory : (struct library_memory){0};
}
