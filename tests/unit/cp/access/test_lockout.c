// SPDX-License-Identifier: BSD-3-Clause
// The lock-out: when it begins and ends, how it grows, whom it is for, and a full table.

#include "controlplane/access/lockout.h"
#include "tests/unit/unit.h"

static struct lockout l;

static struct lockout_key v4(uint32_t address)
{
	struct sockaddr_storage out = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&out;
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(address);
	return lockout_source(&out);
}

static struct lockout_key v6(const char *text)
{
	struct sockaddr_storage out = {0};
	struct sockaddr_in6 *in = (struct sockaddr_in6 *)&out;
	in->sin6_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, text, &in->sin6_addr), 1);
	return lockout_source(&out);
}

// How many failures at that moment lock it out; 0: more than twice LOCKOUT_TRIES do not.
static unsigned tries(struct lockout_key a, uint64_t now_s)
{
	for (unsigned i = 1; i <= 2 * LOCKOUT_TRIES; i++)
		if (lockout_failed(&l, a, now_s))
			return i;
	return 0;
}

static struct lockout_key user(const char *name)
{
	static const struct lockout_places nowhere;
	return lockout_login(&nowhere, name, &(struct sockaddr_storage){.ss_family = AF_INET});
}

FIXTURE(empty, l = (struct lockout){0})

TEST_WITH(test_grows, empty, NULL)
{
	const struct lockout_key a = v4(1), b = v4(2);
	uint64_t now_s = 1000;
	unsigned wanted = LOCKOUT_FIRST_S;
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(tries(a, now_s), LOCKOUT_TRIES);
		assert_int_equal(lockout_left(&l, a, now_s), wanted);
		assert_int_equal(lockout_left(&l, a, now_s + wanted - 1), 1);
		assert_int_equal(lockout_left(&l, a, now_s + wanted), 0);
		assert_int_equal(lockout_left(&l, b, now_s), 0);
		assert_false(lockout_failed(&l, a, now_s + 1)); // it is locked already
		now_s += wanted;
		wanted = wanted * 2 < LOCKOUT_MOST_S ? wanted * 2 : LOCKOUT_MOST_S;
	}
	now_s += LOCKOUT_MOST_S + 1;
	assert_int_equal(tries(a, now_s), LOCKOUT_TRIES);
	assert_int_equal(lockout_left(&l, a, now_s), LOCKOUT_FIRST_S);
}

TEST_WITH(test_slow_ones, empty, NULL)
{
	const struct lockout_key a = v4(1);
	for (unsigned i = 0; i < 100; i++)
		assert_false(lockout_failed(&l, a, 1000 + i * (LOCKOUT_WINDOW_S / 5)));
	assert_int_equal(l.failures, 100);
}

TEST_WITH(test_success, empty, NULL)
{
	const struct lockout_key a = v4(1);
	for (unsigned i = 0; i < 5; i++) {
		for (unsigned k = 0; k + 1 < LOCKOUT_TRIES; k++)
			assert_false(lockout_failed(&l, a, 1000));
		lockout_succeeded(&l, a);
	}
	assert_int_equal(l.locked, 0);
	// Neither the lock nor how many there were.
	assert_int_equal(tries(a, 2000), LOCKOUT_TRIES);
	lockout_succeeded(&l, a);
	assert_int_equal(lockout_left(&l, a, 2000), LOCKOUT_FIRST_S);
	assert_int_equal(tries(a, 2000 + LOCKOUT_FIRST_S), LOCKOUT_TRIES);
	assert_int_equal(lockout_left(&l, a, 2000 + LOCKOUT_FIRST_S), 2 * LOCKOUT_FIRST_S);
}

TEST_WITH(test_users, empty, NULL)
{
	assert_int_equal(tries(user("eve"), 1000), LOCKOUT_TRIES);
	assert_int_equal(lockout_left(&l, user("bob"), 1000), 0);
	assert_int_equal(lockout_left(&l, user("eve"), 1000), LOCKOUT_FIRST_S);
}

TEST_WITH(test_networks, empty, NULL)
{
	const struct lockout_key a = v6("2001:db8:0:1::1"), same = v6("2001:db8:0:1:ff::2"),
				 other = v6("2001:db8:0:2::1"),
				 none = lockout_source(
					 &(struct sockaddr_storage){.ss_family = AF_UNIX});
	assert_int_equal(tries(a, 1000), LOCKOUT_TRIES);
	assert_true(lockout_left(&l, a, 1000));
	assert_false(lockout_left(&l, same, 1000)); // one guest of a LAN locks out itself
	assert_false(lockout_left(&l, other, 1000));
	// All addresses together have a bound as well.
	unsigned failed = LOCKOUT_TRIES;
	for (unsigned i = 0; i < 2 * SOURCE_NETWORK_TIMES * LOCKOUT_TRIES; i++) {
		const struct lockout_key one = v6(text_from("2001:db8:0:1::%x", 0x100 + i));
		if (lockout_left(&l, one, 1000))
			break;
		failed++;
		assert_int_equal(lockout_failed(&l, one, 1000) == LOCKOUT_NETWORK,
			failed == SOURCE_NETWORK_TIMES * LOCKOUT_TRIES);
	}
	assert_int_equal(failed, SOURCE_NETWORK_TIMES * LOCKOUT_TRIES);
	assert_true(lockout_left(&l, same, 1000));
	assert_false(lockout_left(&l, other, 1000));
	assert_int_equal(tries(none, 1000), 0);
	assert_int_equal(lockout_left(&l, none, 1000), 0);
}

TEST_WITH(test_full, empty, NULL)
{
	const struct lockout_key first = v4(0);
	assert_int_equal(tries(first, 1000), LOCKOUT_TRIES);
	for (uint32_t i = 1; i < LOCKOUT_MAX; i++) {
		const struct lockout_key a = v4(i);
		assert_false(lockout_failed(&l, a, 900));
	}
	assert_int_equal(lockout_used(&l), LOCKOUT_MAX);
	const struct lockout_key more = v4(LOCKOUT_MAX);
	assert_false(lockout_failed(&l, more, 1001));
	assert_int_equal(l.evicted, 1);
	assert_int_equal(lockout_used(&l), LOCKOUT_MAX);
	assert_true(lockout_left(&l, first, 1001)); // it failed last
}

// In a LAN where she has logged in, a guest who tries her password locks out herself alone.
TEST_WITH(test_known_networks, empty, NULL)
{
	static struct lockout_places p;
	struct sockaddr_storage own = {.ss_family = AF_INET6}, guest = own, other = own;
	uint8_t *const last = ((struct sockaddr_in6 *)&guest)->sin6_addr.s6_addr;
	p = (struct lockout_places){0};
	last[15] = 9;
	((struct sockaddr_in6 *)&other)->sin6_addr.s6_addr[0] = 9;
	assert_true(lockout_place_add(&p, "eve", &own));
	assert_false(lockout_place_add(&p, "eve", &guest)); // it is the same place
	assert_int_equal(tries(lockout_login(&p, "eve", &guest), 1000), LOCKOUT_TRIES);
	assert_true(lockout_left(&l, lockout_login(&p, "eve", &guest), 1000));
	assert_false(lockout_left(&l, lockout_login(&p, "eve", &own), 1000));
	assert_false(lockout_left(&l, lockout_login(&p, "bob", &guest), 1000));
	for (unsigned i = 0; i < (SOURCE_NETWORK_TIMES - 1) * LOCKOUT_TRIES; i++) {
		last[14] = (uint8_t)(1 + i);
		assert_false(lockout_left(&l, lockout_login(&p, "eve", &guest), 1000));
		(void)lockout_failed(&l, lockout_login(&p, "eve", &guest), 1000);
	}
	assert_true(lockout_left(&l, lockout_login(&p, "eve", &own), 1000));
	assert_false(lockout_left(&l, lockout_login(&p, "eve", &other), 1000));
}

static struct sockaddr_storage at(unsigned n)
{
	const struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(n)};
	struct sockaddr_storage source = {0};
	memcpy(&source, &in, sizeof(in));
	return source;
}

// A user of its own at each address.
static void place(struct lockout_places *p, unsigned n)
{
	const struct sockaddr_storage source = at(n);
	(void)lockout_place_add(p, text_from("user %u", n), &source);
}

static bool knows(const struct lockout_places *p, const char *user, unsigned n)
{
	const struct sockaddr_storage source = at(n);
	const struct lockout_key key = lockout_login(p, user, &source),
				 name = lockout_login(&(struct lockout_places){0}, user, &source);
	return memcmp(&key, &name, sizeof(key)) != 0;
}

// One user who logs in everywhere takes nothing from another, and a login makes its place new.
TEST(test_places_of_a_user)
{
	static struct lockout_places p;
	const struct sockaddr_storage home = at(1);
	assert_true(lockout_place_add(&p, "admin", &home));
	for (unsigned n = 2; n < 2 + 2 * LOCKOUT_PLACES_MAX; n++) {
		const struct sockaddr_storage source = at(n), first = at(2);
		assert_true(lockout_place_add(&p, "eve", &source));
		assert_false(lockout_place_add(&p, "eve", &first));
	}
	assert_int_equal(lockout_places_used(&p), 1 + LOCKOUT_PLACES_USER);
	assert_true(knows(&p, "admin", 1));
	assert_true(knows(&p, "eve", 2));
	assert_false(knows(&p, "eve", 3));
	assert_true(knows(&p, "eve", 1 + 2 * LOCKOUT_PLACES_MAX));
}

// Each file that is not whole is none; the latest places are there again in their order.
TEST(test_places_file)
{
	static struct lockout_places p, back;
	char text[LOCKOUT_PLACES_FILE_MAX + 1];
	for (unsigned n = 1; n <= LOCKOUT_PLACES_MAX + 3; n++) {
		place(&p, n);
		assert_int_equal(
			lockout_places_used(&p), n < LOCKOUT_PLACES_MAX ? n : LOCKOUT_PLACES_MAX);
		const size_t len = lockout_places_write(&p, text);
		assert_true(len <= LOCKOUT_PLACES_FILE_MAX);
		assert_true(lockout_places_read(&back, text, len));
		assert_int_equal(lockout_places_used(&back), lockout_places_used(&p));
	}
	place(&p, 99);
	place(&back, 99);
	char other[sizeof(text)];
	const size_t len = lockout_places_write(&p, text);
	assert_int_equal(lockout_places_write(&back, other), len);
	assert_memory_equal(text, other, len);
	for (size_t i = 0; i < len; i++) {
		const char was = text[i];
		text[i] = 'X';
		assert_false(lockout_places_read(&back, text, len));
		assert_int_equal(lockout_places_used(&back), 0);
		text[i] = was;
	}
	for (size_t i = 0; i < len; i++)
		assert_true(lockout_places_read(&back, text, i)
			    == (i >= 14 && (i - 14) % (2 * LOCKOUT_PLACE_LEN + 1) == 0));
}
