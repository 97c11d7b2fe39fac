// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Folders of a test, all below /tmp/weir-test.CHECKOUT.XXXXXX, one for each process, whose name the
// process' folders in /dev/shm and on huge pages begin with. A lock shows that the process lives:
// what a killed one left is removed by the next test of any checkout that makes a folder, and what
// lives is left alone. All of them go when the process exits.

enum { FOLDER_MAX = 64 };

// Makes a new folder of the test that nobody else has, its name included in the path. 0, or -1.
int folder_make(char out[FOLDER_MAX], const char *name);
// Removes what a test has made, with all that is in it; `b` may be "". 0: for a teardown to return.
int folder_remove(const char *a, const char *b);

// One for each case: TEST_WITH(name, own_folder_setup, own_folder_teardown).
extern char own_folder[FOLDER_MAX];
int own_folder_setup(void **state);
int own_folder_teardown(void **state);
