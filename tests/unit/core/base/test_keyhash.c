// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/unit.h"

#include <sys/wait.h>
#include <weir/keyhash.h>

// Published values of XXH3-64 with seed 0: they pin the function, since checksums of images on disk
// must mean the same after an upgrade of the library.
TEST(test_known_values)
{
	assert_int_equal(contenthash("", 0), UINT64_C(0x2d06800538d394c2));
	assert_int_equal(contenthash("abc", 3), UINT64_C(0x78af5f94892f3950));
}

TEST(test_secret_decides)
{
	struct keyhash_secret a, b;
	assert_int_equal(keyhash_secret_make(&a), 0);
	assert_int_equal(keyhash_secret_make(&b), 0);
	assert_memory_not_equal(&a, &b, sizeof(a));
	static const uint8_t text[300] = "\3www\7example";
	// Every length must be keyed, whichever branch it takes.
	for (size_t len = 0; len <= sizeof(text); len++) {
		assert_int_equal(keyhash(&a, text, len), keyhash(&a, text, len));
		assert_int_not_equal(keyhash(&a, text, len), keyhash(&b, text, len));
		assert_int_not_equal(keyhash(&a, text, len), contenthash(text, len));
	}
}

TEST(test_unaligned_and_bit_sensitive)
{
	struct keyhash_secret s;
	assert_int_equal(keyhash_secret_make(&s), 0);
	uint8_t buf[80];
	for (size_t len = 1; len <= 64; len++) {
		memset(buf, 0x55, sizeof(buf));
		uint64_t h = keyhash(&s, buf, len);
		assert_int_equal(keyhash(&s, buf + 7, len), h);
		for (size_t bit = 0; bit < len * 8; bit++) {
			buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_not_equal(keyhash(&s, buf, len), h);
			buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static void spread_check(const struct keyhash_secret *s, uint8_t *name, size_t len)
{
	unsigned low[256] = {0}, high[256] = {0};
	for (uint32_t i = 0; i < 65536; i++) {
		for (unsigned k = 0; k < 4; k++)
			name[1 + k] = (uint8_t)('a' + (i >> 4 * k & 15));
		uint64_t h = keyhash(s, name, len);
		low[h & 255]++;
		high[h >> 56]++;
	}
	for (unsigned i = 0; i < 256; i++) { // mean 256, deviation 16: eight of them is never
		assert_in_range(low[i], 128, 384);
		assert_in_range(high[i], 128, 384);
	}
}

// Names that differ in a few letters spread evenly over buckets and tags alike, whatever the secret
// and the length.
TEST(test_spread)
{
	uint8_t name[64] = "\4aaaa\3com";
	for (unsigned i = 0; i < 120; i++) { // most of them short: one product each
		struct keyhash_secret s;
		assert_int_equal(keyhash_secret_make(&s), 0);
		spread_check(&s, name, i % 4 ? 10 : 10 + i / 4);
	}
}

static uint64_t crc32(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

// A name that no other number has.
static size_t aimed_name(uint32_t n, uint8_t name[24])
{
	memcpy(name, "\10aaaaaaaa\6victim\4test", 22);
	for (unsigned k = 0; k < 8; k++)
		name[1 + k] = (uint8_t)('a' + (n >> 4 * k & 15));
	return 22;
}

// Who knows a function, or the secret of another box, finds names that all fall into one bucket
// there. Here they are as any others (reliability rule 23).
TEST(test_names_aimed_at_one_bucket)
{
	enum { CRC, ZERO, LEAKED, AIMS };
	enum { AIMED = 4096 };
	static struct keyhash_secret zero, leaked, ours[4];
	assert_int_equal(keyhash_secret_make(&leaked), 0);
	for (unsigned s = 0; s < ARRAY_LEN(ours); s++)
		assert_int_equal(keyhash_secret_make(&ours[s]), 0);
	for (unsigned aim = CRC; aim < AIMS; aim++) {
		unsigned load[ARRAY_LEN(ours)][256] = {0}, found = 0;
		for (uint32_t n = 0; found < AIMED; n++) {
			uint8_t name[24];
			size_t len = aimed_name(n, name);
			uint64_t h = aim == CRC ? crc32(name, len)
						: keyhash(aim == ZERO ? &zero : &leaked, name, len);
			if (h & 255)
				continue;
			found++;
			for (unsigned s = 0; s < ARRAY_LEN(ours); s++)
				load[s][keyhash(&ours[s], name, len) & 255]++;
		}
		for (unsigned s = 0; s < ARRAY_LEN(ours); s++)
			for (unsigned i = 0; i < 256; i++) // mean 16, deviation 4
				assert_in_range(load[s][i], 0, 56);
	}
}

// Of a process of its own, as the secret is made once.
static uint64_t here_of_another(const char *text)
{
	int pipes[2];
	uint64_t hash = 0;
	assert_int_equal(pipe(pipes), 0);
	const pid_t pid = fork();
	if (pid == 0) {
		hash = keyhash_here(text, strlen(text));
		if (keyhash_here(text, strlen(text)) != hash || keyhash_here(text, 1) == hash)
			_exit(1);
		_exit(write(pipes[1], &hash, sizeof(hash)) != sizeof(hash));
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &hash, sizeof(hash)), sizeof(hash));
	close(pipes[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return hash;
}

TEST(test_each_process_has_its_secret)
{
	assert_int_not_equal(here_of_another("198.18.0.1"), here_of_another("198.18.0.1"));
}

TEST(test_incremental)
{
	uint8_t data[3000];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 131 >> 3);
	for (size_t step = 1; step < sizeof(data); step = step * 2 + 1) {
		struct contenthash_state s;
		contenthash_begin(&s);
		for (size_t at = 0; at < sizeof(data); at += step) {
			size_t n = sizeof(data) - at < step ? sizeof(data) - at : step;
			contenthash_update(&s, data + at, n);
		}
		contenthash_update(&s, NULL, 0);
		assert_int_equal(contenthash_finish(&s), contenthash(data, sizeof(data)));
	}
}
