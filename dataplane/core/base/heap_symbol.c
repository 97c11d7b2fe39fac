// SPDX-License-Identifier: BSD-3-Clause
#include "heap_symbol.h"

#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// The linker's names for the ends of the program and its code.
extern const char __executable_start[], etext[];

static struct {
	const Elf64_Sym *symbol;
	size_t count, text_size;
	const char *text;
	uintptr_t base; // added to the addresses in the table
} self;
static pthread_once_t once = PTHREAD_ONCE_INIT;

bool heap_symbol_is_ours(uintptr_t address)
{
	return address >= (uintptr_t)__executable_start && address < (uintptr_t)etext;
}

static bool is_within(uint64_t offset, uint64_t length, uint64_t size)
{
	return offset <= size && length <= size - offset;
}

static void table_find(const uint8_t *file, size_t size)
{
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)file;
	if (size < sizeof(*head) || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0
		|| head->e_shentsize != sizeof(Elf64_Shdr)
		|| !is_within(head->e_shoff, (uint64_t)head->e_shnum * sizeof(Elf64_Shdr), size))
		return;
	const Elf64_Shdr *section = (const Elf64_Shdr *)(file + head->e_shoff);
	for (unsigned i = 0; i < head->e_shnum; i++) {
		const Elf64_Shdr *s = &section[i];
		if (s->sh_type != SHT_SYMTAB || s->sh_link >= head->e_shnum
			|| !is_within(s->sh_offset, s->sh_size, size))
			continue;
		const Elf64_Shdr *text = &section[s->sh_link];
		if (!text->sh_size || !is_within(text->sh_offset, text->sh_size, size)
			|| file[text->sh_offset + text->sh_size - 1] != '\0')
			return;
		self.text = (const char *)file + text->sh_offset;
		self.text_size = text->sh_size;
		self.symbol = (const Elf64_Sym *)(file + s->sh_offset);
		self.count = s->sh_size / sizeof(Elf64_Sym);
		return;
	}
}

static void self_map(void)
{
	struct stat st;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	self.base = (uintptr_t)__executable_start;
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		void *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (file != MAP_FAILED) {
			table_find(file, (size_t)st.st_size);
			if (!self.symbol)
				munmap(file, (size_t)st.st_size);
		}
	}
	close(fd);
}

void heap_symbol_name(uintptr_t address, char out[HEAP_SYMBOL_NAME])
{
	pthread_once(&once, self_map);
	const uintptr_t at = address - self.base;
	for (size_t i = 0; i < self.count; i++) {
		const Elf64_Sym *s = &self.symbol[i];
		if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || at < s->st_value
			|| at - s->st_value >= s->st_size || s->st_name >= self.text_size)
			continue;
		const char *name = self.text + s->st_name; // "f.cold": a part of f
		snprintf(out, HEAP_SYMBOL_NAME, "%.*s", (int)strcspn(name, "."), name);
		return;
	}
	snprintf(out, HEAP_SYMBOL_NAME, "+0x%llx", (unsigned long long)at);
}
