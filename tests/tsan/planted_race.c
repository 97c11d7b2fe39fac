// SPDX-License-Identifier: BSD-3-Clause
// Two threads that write one number without a word to each other: what the thread sanitizer must
// report, so that a test whose reports go nowhere is noticed.

#include <pthread.h>
#include <stdint.h>

static uint64_t number;

static void *work(void *)
{
	for (unsigned i = 0; i < 1000; i++)
		number++;
	return NULL;
}

int main(void)
{
	pthread_t one;
	if (pthread_create(&one, NULL, work, NULL) != 0)
		return 2;
	work(NULL);
	pthread_join(one, NULL);
	return number == 0;
}
